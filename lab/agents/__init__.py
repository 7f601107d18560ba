"""What turns the notebook into the next experiment: the built-in tuner, and coding agents."""

from ..campaign import Campaign, Limits
from ..desk import Desk
from ..notebook.read import Found
from ..progress import Progress


def work(
    desk: Desk, agent: str, limits: Limits, *, name: str | None = None, yolo: bool = False
) -> Found:
    """Run one campaign in the foreground to its end; return what it did and learned.

    Refusals come before anything is made: an unknown agent, a leaf the tuner cannot turn, a name
    that is at work already.
    """
    desk.settings  # noqa: B018 (an unknown leaf or profile is refused here)
    if agent == "tuner":
        return _tune(desk, limits, name or "tuner")
    from . import driver, presets

    preset = presets.find(desk, agent, yolo)
    return driver.drive(desk, preset, limits, name or preset.name)


def _tune(desk: Desk, limits: Limits, name: str) -> Found:
    """Run the tuner's campaign."""
    from .tuner import Tuner, check

    check(desk)
    with desk.open(write=True) as book, Progress() as progress:
        campaign = Campaign(desk, book, name, "tuner", limits, progress)
        with campaign.claimed():
            campaign.open()
            ending = campaign.run(Tuner(campaign))
        return campaign.summary(ending)
