"""`lab loop`: one campaign in the foreground, whoever the agent is."""

from ..campaign import lock
from ..campaign.limits import Limits
from ..campaign.loop import Agent, Campaign, as_text
from ..campaign.progress import Progress
from ..documents.campaigns import Summary
from ..workspace import Workspace
from .presets import TUNER, Preset, chosen


def work(
    workspace: Workspace, agent: str, limits: Limits, *, name: str | None = None, yolo: bool = False
) -> Summary:
    """Run a campaign to its end; return what it did and learned.

    What can be refused is refused before anything is made: an unknown agent, a leaf the tuner
    cannot turn, a name that is at work already.
    """
    workspace.settings  # noqa: B018 (an unknown leaf or profile is refused here)
    preset, tunes = chosen(workspace, agent, yolo)
    if tunes:
        from .tuner import check

        check(workspace)
    label = "+".join([*([preset.name] if preset else []), *([TUNER] if tunes else [])])
    with workspace.open(write=True) as book, Progress() as progress:
        campaign = Campaign(
            workspace, book, name or label.replace("+", "-"), label, limits, progress
        )
        campaign.affordable()
        with campaign.locked():
            progress.keep(lock.log_of(campaign.home, campaign.name))
            campaign.open()
            ending = campaign.run(_agent(campaign, preset, tunes))
        found = campaign.summary(ending)
        progress.note(as_text(found))
        return found


def _agent(campaign: Campaign, preset: Preset | None, tunes: bool) -> Agent:
    if preset is None:
        from .tuner import Tuner

        return Tuner(campaign)
    from .driver import Driver

    driver = Driver(campaign, preset)
    if not tunes:
        return driver
    from .hybrid import Hybrid
    from .tuner import Tuner

    return Hybrid(campaign, driver, Tuner(campaign))
