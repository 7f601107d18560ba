"""`lab loop`: one campaign in the foreground, whoever the agent is."""

from ..campaign.limits import Limits
from ..campaign.loop import Agent, Campaign
from ..campaign.progress import Progress
from ..documents.campaigns import Summary
from ..workspace import Workspace
from .presets import Preset


def work(
    workspace: Workspace, agent: str, limits: Limits, *, name: str | None = None, yolo: bool = False
) -> Summary:
    """Run a campaign to its end; return what it did and learned.

    What can be refused is refused before anything is made: an unknown agent, a leaf the tuner
    cannot turn, a name that is at work already.
    """
    workspace.settings  # noqa: B018 (an unknown leaf or profile is refused here)
    if agent == "tuner":
        from .tuner import check

        check(workspace)
        preset = None
    else:
        from .presets import find

        preset = find(workspace, agent, yolo)
    label = preset.name if preset else "tuner"
    with workspace.open(write=True) as book, Progress() as progress:
        campaign = Campaign(workspace, book, name or label, label, limits, progress)
        campaign.affordable()
        with campaign.locked():
            campaign.open()
            ending = campaign.run(_agent(campaign, preset))
        return campaign.summary(ending)


def _agent(campaign: Campaign, preset: Preset | None) -> Agent:
    if preset is None:
        from .tuner import Tuner

        return Tuner(campaign)
    from .driver import Driver

    return Driver(campaign, preset)
