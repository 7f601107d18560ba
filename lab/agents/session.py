"""Session of a coding agent: one fresh process, watched from its brief to its record.

Durations, in seconds, may be set in the environment: LAB_SESSION_S (3 hours), LAB_STALL_S (15
minutes without output, `lab` call or run), LAB_GRACE_S (10 minutes to end by itself once its
session is over), LAB_BACKOFF_S (15 minutes after a usage limit that names no time), LAB_OUTAGE_S
(6 hours until a service that does not answer is given up), LAB_PAUSE_S (10 seconds before a new
session after one that did nothing).
"""

import json
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from .. import brief, repo
from ..campaign import sessions
from ..campaign.loop import Campaign
from ..errors import Environment
from ..notebook import campaigns, record
from ..run import standing, waiting
from ..run.watch import Watch
from ..system import masking, processes, source
from ..text import plural, shorten, span
from . import messages, output_parser
from .messages import Message
from .presets import Preset, fill
from .relay import Relay

BRIEF_TOKENS = 6000
POLL_S = 0.1  # between two looks; a relayed command waits as long at worst
CHUNK = 65_536
DRAIN_S = 2.0  # for what an ended agent still had in its pipes
ENDS = {
    messages.LIMIT: "usage limit",
    messages.OUTAGE: "outage",
    messages.SIGN_IN: "not signed in",
    messages.ACCOUNT: "not signed in",
}
DEFAULTS = {
    "LAB_SESSION_S": sessions.HOURS * 3600,
    "LAB_STALL_S": 15 * 60.0,
    "LAB_GRACE_S": 10 * 60.0,
    "LAB_BACKOFF_S": 15 * 60.0,
    "LAB_OUTAGE_S": 6 * 3600.0,  # of a night of eight
    "LAB_PAUSE_S": 10.0,
}


def seconds(name: str) -> float:
    """Return one of the durations above."""
    try:
        return float(os.environ.get(name) or DEFAULTS[name])
    except ValueError:
        raise Environment(
            f"{name} is {os.environ[name]!r}, not seconds.", f"export {name}=900"
        ) from None


class Session:
    """One process of the agent, from its brief to its record."""

    def __init__(self, campaign: Campaign, preset: Preset, opening: Sequence[str]) -> None:
        self.campaign, self.preset, self.opening = campaign, preset, opening
        self.book, self.files = campaign.book, campaign.home.campaign(campaign.name)
        for folder in (self.files, campaign.home.runs):  # presets name both; not every agent starts
            folder.mkdir(parents=True, exist_ok=True)  # where a folder that it is given is missing
        self.before = campaigns.newest_number(self.book, self.campaign.name)
        self.number = record.session(self.book, self.campaign.id, agent=self.preset.name)
        self.uid = campaigns.session_uid(self.book, self.number)
        self.log = self.files / f"session-{self.number}.log"
        self.ear = output_parser.OutputParser(self.log, self.preset.usage)
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.why = ""
        self.message: Message | None = None  # of the vendor, where that ended it
        self.experiments = 0
        self.exit_code: int | None = None

    # -- Starting --------------------------------------------------------------------

    def run(self) -> str:
        """Start the agent, watch it to its end, record it; return how it ended."""
        how = "failed to start"
        try:
            process = self._start()
            try:
                how = self._watch(process)
            finally:
                self._end(process)
            how = self._judged(how)
        finally:
            with self.lock:
                self.ear.close()
            self._record(how)
        return how

    def _start(self) -> "subprocess.Popen[bytes]":
        prompt = self._prompt()
        file = self.files / "prompt.md"
        file.write_text(prompt, encoding="utf-8")
        self.places = self._places(file)
        for name, text in self.preset.files.items():
            (self.files / name).write_text(fill(text, self.places), encoding="utf-8")
        self.env = self._env()
        self.relay = self._relay()
        argv = self.preset.filled(self.places, self.campaign.usd_left())
        try:
            with file.open("rb") as given, open(os.devnull, "rb") as nothing:
                process = subprocess.Popen(
                    argv,
                    cwd=self.campaign.folder,
                    env=self.env,
                    stdin=given if self.preset.prompt == "stdin" else nothing,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
        except OSError as error:
            raise Environment(f"cannot start {argv[0]}: {error.strerror}.", "Look at it.") from None
        self.leader = processes.start_id(process.pid)
        record.session_fills(self.book, self.number, process=self.leader, log=str(self.log))
        self.campaign.progress.say(f"session {self.number}: {self.preset.name} starts")
        self.threads = [
            threading.Thread(target=self._listen, args=(name, stream), daemon=True)
            for name, stream in (("out", process.stdout), ("err", process.stderr))
        ]
        for thread in self.threads:
            thread.start()
        return process

    def _prompt(self) -> str:
        workspace = self.campaign.workspace()
        opening = "\n\n".join([*self.opening, *self._left_over()])
        heading = f"# Since the last session\n\n{opening}\n" if opening else ""
        return brief.whole(workspace, self.book, BRIEF_TOKENS, heading)

    def _left_over(self) -> list[str]:
        """Return what lies about in the worktree: an experiment without verdict, edits."""
        lines = []
        row = campaigns.newest(self.book, self.campaign.name)
        if row is not None and row["verdict"] is None:
            found = waiting.outcome(self.book, self.campaign.home, row["id"])
            lines.append(f"e{row['id']} has no verdict yet:\n\n{standing.as_text(found)}")
        workspace = self.campaign.workspace()
        changed = [path for _, path in repo.status(workspace.place.top)]
        if changed:
            own = set(workspace.mutable_paths)
            strange = [path for path in changed if path not in own and path != workspace.notes_path]
            lines.append(f"Uncommitted in this worktree: {', '.join(changed[:20])}.")
            if strange:
                lines.append(f"Not yours to change, put them back: {', '.join(strange[:20])}.")
        return lines

    def _places(self, prompt: Path) -> dict[str, str]:
        place = self.campaign.workspace().place
        return {
            "prompt_file": str(prompt),
            "files": str(self.files),
            "relay": str(self.files / "relay"),
            "leaf": str(self.campaign.folder),
            "top": str(place.top),
            "home": str(place.home),
        }

    def _env(self) -> dict[str, str]:
        """Return the agent's environment: `lab` on its PATH, and how long it may wait."""
        heartbeat = self.files / "heartbeat"
        heartbeat.touch()
        ours = {
            "PATH": os.pathsep.join([str(self._shim()), os.environ.get("PATH", os.defpath)]),
            "LAB_WAIT_S": os.environ.get("LAB_WAIT_S") or f"{self.preset.wait_s:g}",
            "LAB_PROFILE": self.campaign.main.profile,
            "LAB_ON": self.campaign.runner,
            "LAB_SESSION": self.uid,
            "LAB_SESSION_UNTIL": f"{time.time() + self._time_left():.0f}",
            "LAB_HEARTBEAT": str(heartbeat),
        }
        given = {key: fill(value, self.places) for key, value in self.preset.env.items()}
        return {**os.environ, **given, **ours}

    def _time_left(self) -> float:
        """Return the seconds until this session is over, or the campaign's hours are."""
        left = seconds("LAB_SESSION_S")
        hours = self.campaign.limits.hours
        if hours is not None:
            left = min(left, hours * 3600 - (time.monotonic() - self.campaign.started))
        return max(0.0, left)

    def _shim(self) -> Path:
        """Return a folder whose `lab` is this very installation."""
        folder = self.files / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / "lab"
        part = folder / f"lab.{self.number}"
        part.write_text(
            "#!/bin/sh\n"
            f"PYTHONPATH='{source.SOURCE}'${{PYTHONPATH:+:$PYTHONPATH}} "
            f'exec {shlex.join(source.argv())} "$@"\n'
        )
        part.chmod(0o755)
        part.replace(path)
        return folder

    def _relay(self) -> Relay | None:
        if not self.preset.relay:
            return None
        place = self.campaign.workspace().place
        command = [str(self.files / "bin" / "lab")]
        made = Relay(self.files / "relay", place.top, self.campaign.folder, command)
        self.inner, self.env = dict(self.env), {**self.env, "LAB_RELAY": str(made.folder)}
        return made

    # -- Watching --------------------------------------------------------------------

    def _listen(self, name: str, stream: IO[bytes]) -> None:
        with stream:
            while data := os.read(stream.fileno(), CHUNK):
                with self.lock:
                    self.ear.feed(name, data)

    def _watch(self, process: "subprocess.Popen[bytes]") -> str:
        """Look after the agent until it ends, or must be ended."""
        over_at: float | None = None
        looked = 0.0
        while process.poll() is None:
            if self.relay is not None:
                self.relay.poll(self.inner)
            if self.campaign.stop_asked:
                return "stopped"
            now = time.monotonic()
            if now - looked >= 1.0:
                looked = now
                if over_at is None and self._over():
                    over_at = now
                if over_at is not None and now - over_at > seconds("LAB_GRACE_S"):
                    return f"ended by the driver ({self.why})"
                if self._quiet_for() > seconds("LAB_STALL_S"):
                    self.why = f"no lab call, no output and no run for {span(self._quiet_for())}"
                    return "stalled"
                self._show()
            time.sleep(POLL_S)
        return "ended"

    def _over(self) -> bool:
        """Return whether the session, or the campaign, has all it is to have."""
        reason = sessions.over(self.book, self.env)
        ending = self.campaign.over() if reason is None else None
        self.why = reason or (ending.why if ending else "")
        return bool(self.why)

    def _quiet_for(self) -> float:
        """Return the seconds since the last sign of life; a run in flight is one."""
        if self.campaign.in_flight():
            self.ear.last_output_at = time.monotonic()
        called = (self.files / "heartbeat").stat().st_mtime
        return min(time.monotonic() - self.ear.last_output_at, max(0.0, time.time() - called))

    def _show(self) -> None:
        flights = self.campaign.in_flight()
        words = f"session {self.number}, {span(time.monotonic() - self.began)}"
        key: object = self.number
        if flights:
            budget = self.campaign.main.settings.budget_s
            key, line = Watch(self.book, self.campaign.home, flights[-1], budget).look()
            words = f"{words}: {line}"
        self.campaign.progress.show(key, words + self.campaign.so_far())

    # -- Ending ----------------------------------------------------------------------

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        """End the agent with all it started, but for the supervisors of its runs."""
        processes.end_agent(self.leader, f"LAB_SESSION={self.uid}")
        if self.relay is not None:
            self.relay.close()
        self.exit_code = process.wait()
        for thread in self.threads:
            thread.join(DRAIN_S)

    def _judged(self, how: str) -> str:
        """Tell what the vendor refused from an ordinary end."""
        self.experiments = campaigns.made_since(self.book, self.campaign.name, self.before)
        if how != "ended" or (self.exit_code == 0 and self.experiments):
            return how
        self.message = messages.meaning(self.ear.error_lines(failed=bool(self.exit_code)))
        if self.message is not None:
            self.why = self.message.line
            return ENDS[self.message.kind]
        if self.exit_code:
            self.why = masking.mask(self.ear.last())
            return f"failed (exit code {self.exit_code})"
        return how

    def _record(self, how: str) -> None:
        detail = {"why": self.why, "experiments": self.experiments}
        record.session_fills(
            self.book,
            self.number,
            ended=self.book.stamp(),
            how=how,
            exit_code=self.exit_code,
            tokens=self.ear.tokens,
            cost_usd=self.ear.cost_usd,
            detail=json.dumps(detail),
        )

    def figures(self) -> str:
        """Return the session in figures."""
        words = [plural(self.experiments, "experiment"), span(time.monotonic() - self.began)]
        if self.ear.tokens is not None:
            words.append(f"{self.ear.tokens:,} tokens")
        if self.ear.cost_usd is not None:
            words.append(f"{self.ear.cost_usd:.2f} US dollars")
        if self.why:
            words.append(shorten(self.why, 200))
        return ", ".join(words)
