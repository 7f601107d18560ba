"""Driver of coding agents (`lab loop --agent claude`): session after session, with pauses."""

import time
from datetime import UTC, datetime

from ..campaign.limits import Ending, Over
from ..campaign.loop import Campaign
from ..errors import Failed
from ..notebook import campaigns, record
from ..run import standing
from ..system import processes
from ..text import shorten, span
from . import messages
from .messages import Message
from .presets import Preset
from .session import Session, seconds

IDLE_SESSIONS = 3  # in a row without an experiment: more would not be luck
LONGEST_BACKOFF_S = 2 * 3600.0
FIRST_OUTAGE_S = 60.0  # most are over within minutes; then twice as long each time
LONGEST_OUTAGE_S = 20 * 60.0  # a service that is back is not left alone for longer


class Driver:
    """One campaign of a coding agent."""

    paces_itself = False

    def __init__(self, campaign: Campaign, preset: Preset) -> None:
        self.campaign, self.preset, self.book = campaign, preset, campaign.book
        self.idle = self.limited = self.outages = 0
        self.out_since: float | None = None
        self.opening: list[str] = []

    # -- Between sessions -----------------------------------------------------------

    def pick_up(self) -> None:
        """End what a killed driver left; wait for what runs, to tell the next session of it."""
        for row in campaigns.open_sessions(self.book, self.campaign.id):
            processes.end_agent(row["process"], f"LAB_SESSION={row['uid']}")
            record.session_fills(self.book, row["id"], ended=self.book.stamp(), how="lost")
        for number in self.campaign.in_flight():
            found = self.campaign.wait(number)
            self.opening.append(f"e{number} ran to its end meanwhile:\n\n{standing.as_text(found)}")

    def step(self) -> None:
        """Do one session and act on how it ended."""
        session = Session(self.campaign, self.preset, self.opening)
        how = session.run()
        self.campaign.progress.say(f"session {session.number} {how}: {session.figures()}")
        self.opening = [f"The session before this one ended: {how}."]
        if how == "stalled":
            self.campaign.tell(
                f"{self.campaign.name}: session {session.number} stalled ({session.why})"
            )
        if how == "stopped":
            for number in self.campaign.in_flight():
                self.campaign.stop_run(number)
            raise Over(Ending("stopped", "stopped on request"))
        if session.message is not None:
            return self._cannot_go_on(session.message, session.experiments)
        self.limited = self.outages = 0
        self._count(session)

    def _cannot_go_on(self, message: Message, experiments: int) -> None:
        """Wait for a limit or an outage to end; stop at once for what a person must mend."""
        if experiments:
            self.limited = self.outages = 0
        if message.kind == messages.LIMIT:
            self._wait_for_limit(message.line)
        elif message.kind == messages.OUTAGE:
            self._wait_for_service(message.line)
        else:
            raise Failed(f"{self.preset.name}: {message.line}", self._sign_in(message.kind))

    def _sign_in(self, kind: str) -> str:
        how = self.preset.sign_in or f"start {self.preset.command[0]} by hand and sign in"
        where = " with an account that may, or mend this one" if kind == messages.ACCOUNT else ""
        return f"Sign in{where}: {how}; then type the same command again."

    def _count(self, session: Session) -> None:
        """Stop after several sessions in a row that tried nothing."""
        if session.experiments:
            self.idle = 0
            return
        self.idle += 1
        if self.idle >= IDLE_SESSIONS:
            raise Over(
                Ending(
                    "stopped",
                    f"{IDLE_SESSIONS} sessions in a row without an experiment; the last said: "
                    f"{shorten(session.why or session.ear.last(), 300)} (log: {session.log})",
                )
            )
        self._sleep(time.time() + seconds("LAB_PAUSE_S"), "pausing after a session without a run")

    def _wait_for_limit(self, line: str) -> None:
        """Wait until the vendor's limit is over; twice as long each time that no time is named."""
        now = datetime.now(UTC)
        until = messages.until(line, now)
        if until is None or until <= now:
            pause = min(seconds("LAB_BACKOFF_S") * 2**self.limited, LONGEST_BACKOFF_S)
            until, self.limited = datetime.fromtimestamp(time.time() + pause, UTC), self.limited + 1
        self._wait(max(until.timestamp(), time.time() + seconds("LAB_PAUSE_S")), line)

    def _wait_for_service(self, line: str) -> None:
        """Try again after growing pauses; give up when hours of them brought nothing."""
        if not self.outages or self.out_since is None:
            self.out_since = time.time()
        gone = time.time() - self.out_since
        if gone > seconds("LAB_OUTAGE_S"):
            why = f"nothing but errors of the service for {span(gone)}: {shorten(line, 300)}"
            raise Over(Ending("stopped", why))
        first = min(FIRST_OUTAGE_S, seconds("LAB_BACKOFF_S"))
        pause = min(first * 2**self.outages, LONGEST_OUTAGE_S)
        self.outages += 1
        self._wait(time.time() + pause, line)

    def _wait(self, until: float, line: str) -> None:
        """Wait where everybody can see it, and why."""
        moment = datetime.fromtimestamp(until, UTC)
        words = f"waiting until {moment:%Y-%m-%d %H:%M:%S} UTC: {shorten(line, 200)}"
        with self.book.write():
            self.book.event("waiting", self.campaign.name, words)
        self.campaign.note_waiting(moment)
        self.campaign.progress.say(words)
        self.campaign.tell(f"{self.campaign.name}: {words}")
        self._sleep(until, words)

    def _sleep(self, until: float, words: str) -> None:
        """Wait, as long as neither a limit nor a person ends the campaign."""
        while (left := until - time.time()) > 0:
            ending = self.campaign.over()
            if ending is not None:
                raise Over(ending)
            self.campaign.progress.show(words, f"{words} ({span(left)} to go)")
            time.sleep(min(left, 0.5))
