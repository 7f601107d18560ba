"""One campaign in the foreground, whoever the agent is."""

from ..campaign import Agent, Campaign, Limits
from ..desk import Desk
from ..notebook.read import Found
from ..progress import Progress
from .presets import Preset


def work(
    desk: Desk, agent: str, limits: Limits, *, name: str | None = None, yolo: bool = False
) -> Found:
    """Run a campaign to its end; return what it did and learned.

    What can be refused is refused before anything is made: an unknown agent, a leaf the tuner
    cannot turn, a name that is at work already.
    """
    desk.settings  # noqa: B018 (an unknown leaf or profile is refused here)
    if agent == "tuner":
        from .tuner import check

        check(desk)
        preset = None
    else:
        from .presets import find

        preset = find(desk, agent, yolo)
    label = preset.name if preset else "tuner"
    with desk.open(write=True) as book, Progress() as progress:
        campaign = Campaign(desk, book, name or label, label, limits, progress)
        campaign.affordable()
        with campaign.claimed():
            campaign.open()
            ending = campaign.run(_agent(campaign, preset))
        return campaign.summary(ending)


def _agent(campaign: Campaign, preset: Preset | None) -> Agent:
    if preset is None:
        from .tuner import Tuner

        return Tuner(campaign)
    from .driver import Driver

    return Driver(campaign, preset)
