"""A coding agent with the tuner (`--agent claude+tuner`): structure by one, knobs by the other."""

from ..campaign.limits import Over
from ..campaign.loop import Campaign
from ..notebook import campaigns, read
from ..tuner.trials import parse
from .driver import Driver
from .tuner import Tuner

SHARE = 0.3  # of the experiments since the agent's newest keep that the tuner may have


class Hybrid:
    """One campaign of both: after each keep of the agent the tuner gets a share of the runs.

    In the public benchmark of language models as optimizers beside classical ones (arXiv
    2603.24647) such a pair is the best of nine.
    """

    paces_itself = True

    def __init__(self, campaign: Campaign, driver: Driver, tuner: Tuner) -> None:
        self.campaign, self.driver, self.tuner = campaign, driver, tuner
        self.done_at: int | None = None  # the keep after which the tuner has nothing left to try

    def pick_up(self) -> None:
        """Finish what either left half done."""
        self.driver.pick_up()
        book = self.campaign.book
        row = campaigns.newest(book, self.campaign.name)
        if row is not None and parse(book.need(f"h{row['hypothesis']}", "h")["claim"]):
            self.tuner.pick_up()

    def step(self) -> None:
        """Do one experiment of the tuner where it is its turn, else one session of the agent."""
        keep = self._turn()
        if keep is None:
            return self.driver.step()
        try:
            self.tuner.pick_up()
            self.tuner.step()
        except Over as over:
            if over.ending.how != "stagnation":
                raise
            self.done_at = keep
            self.campaign.progress.say(f"the tuner rests until the next keep: {over.ending.why}")

    def _turn(self) -> int | None:
        """Return the agent's newest keep when it is the tuner's turn after it, else None."""
        campaign = self.campaign
        done = read.judged(campaign.book, campaign.leaf, campaign.name)
        mine = [bool(parse(row["claim"])) for row in done]
        keeps = [n for n, row in enumerate(done) if row["verdict"] == "keep" and not mine[n]]
        if not keeps or not self.tuner.is_free():
            return None
        since = mine[keeps[-1] :]
        newest = int(done[keeps[-1]]["experiment"])
        due = sum(since) + 1 <= max(1.0, SHARE * (len(since) + 1))
        return newest if due and self.done_at != newest else None
