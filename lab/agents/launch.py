"""`lab launch`: several campaigns at once, detached; each survives terminal and logout."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import repo, slots
from ..campaign import lock
from ..campaign.limits import Limits
from ..errors import Refused, Usage
from ..experiment.preflight import ALWAYS_FROZEN
from ..notebook import Notebook
from ..run.assessment import BASELINE_SEEDS
from ..run.queue_status import cpu_slots
from ..system import processes, source
from ..text import plural, span
from ..workspace import Workspace
from ..workspace.worktrees import check_name
from . import probe
from .presets import Preset

STAGGER_S = 1.0  # between two starts: the first baselines need not all ask for the device at once
STARTING_S = 20.0  # until a loop holds its campaign, or has said why it cannot
NIGHT_H = 8.0  # what is told of where nobody said --hours; nothing ends by it


@dataclass(frozen=True)
class Options:
    """What every campaign of one `lab launch` is started with."""

    agent: str
    limits: Limits
    profile: str | None = None
    runner: str | None = None
    yolo: bool = False

    def words(self) -> list[str]:
        """Return the words of `lab loop` that say the same.

        >>> Options("my-agent -v", Limits(hours=8), profile="cpu").words()
        ['--agent', 'my-agent -v', '--hours', '8', '--profile', 'cpu']
        """
        options = {
            "--agent": self.agent,
            "--experiments": self.limits.experiments,
            "--hours": self.limits.hours,
            "--target": self.limits.target,
            "--max-cost": self.limits.max_cost,
            "--profile": self.profile,
            "--on": self.runner,
        }
        given = [word for name, v in options.items() if v is not None for word in (name, str(v))]
        return given + ["--audit"] * self.limits.audit + ["--yolo"] * self.yolo


@dataclass(frozen=True)
class Asked:
    """One campaign to start."""

    leaf: str
    name: str
    options: Options

    @property
    def campaign(self) -> str:
        """The campaign's full name."""
        return f"{self.leaf}/{self.name}"


def parse(cwd: Path, targets: Sequence[str], options: Options) -> list[Asked]:
    """Return what `LEAF[:NAME]...` asks for; without a name the agent's is taken."""
    words = options.agent.split()
    default = Path(words[0]).name.replace("+", "-") if words else ""
    found = []
    for target in targets:
        word, _, name = target.partition(":")
        check_name(name or default)
        leaf = Workspace(cwd, leaf=word).leaf_name
        found.append(Asked(leaf, name or default, options))
    names = [one.campaign for one in found]
    for name in names:
        if names.count(name) > 1:
            leaf = name.rpartition("/")[0]
            raise Usage(f"{name} is named twice.", f"Give each a name: {leaf}:ada {leaf}:bob")
    return found


def launch(
    workspace: Workspace,
    book: Notebook,
    asked: Sequence[Asked],
    preset: Preset | None,
) -> list[str]:
    """Start every campaign that can be started; return a line on each.

    `preset` is the coding agent's; None for the tuner.
    """
    lines = []
    for one in asked:
        own = Workspace(workspace.cwd, leaf=one.leaf)
        _startable(own, one)
        if preset is not None:
            files = workspace.place.home.campaign(one.campaign)
            unknown = probe.check(preset, workspace.place, files, own.leaf.folder)
            lines += [unknown] if unknown else []
    for number, one in enumerate(asked):
        if number:
            time.sleep(STAGGER_S)
        lines.append(_start(workspace, one))
    return lines


def _startable(workspace: Workspace, one: Asked) -> None:
    """Refuse a live campaign, and a leaf whose frozen files are not committed."""
    leaf, place = workspace.leaf, workspace.place
    if lock.is_alive(place.home, one.campaign):
        raise Refused(
            f"{one.campaign} is at work already.",
            f"Look at it: lab output {one.name}; or stop it: lab stop {one.campaign}",
        )
    names = {f"{leaf.prefix}{name}" for name in (*leaf.table["frozen"], *ALWAYS_FROZEN)}
    folders = ("shared/", f"{leaf.prefix}task/")
    for _, path in repo.status(place.top):
        frozen = path in names or path.startswith(folders)
        if frozen and not path.endswith(".md"):
            raise Refused(
                f"{path} is frozen and not committed; campaigns would start without it.",
                f"Commit it: git add {workspace.typed(path)} && git commit",
            )


def _start(workspace: Workspace, one: Asked) -> str:
    """Start one loop in a session of its own; wait until it holds its campaign."""
    home = workspace.place.home
    log = lock.log_of(home, one.campaign)
    begins = log.stat().st_size if log.exists() else 0
    argv = source.argv("loop", one.leaf, "--name", one.name, *one.options.words())
    process = processes.detached(argv, workspace.place.top, log)
    until = time.monotonic() + STARTING_S
    while time.monotonic() < until and process.poll() is None:
        if lock.is_alive(home, one.campaign):
            process.returncode = 0  # it is its own from here on; nobody waits for it
            return f"{one.campaign} started: lab output {one.name} -f"
        time.sleep(0.05)
    if process.poll() in (0, None):
        process.returncode = 0
        return f"{one.campaign} started: lab output {one.name} -f"
    said = log.read_bytes()[begins:].decode(errors="replace").strip().splitlines()
    why = next((line for line in said if line.startswith("Error: ")), f"exit {process.returncode}")
    return f"{one.campaign} did not start: {why.removeprefix('Error: ')}"


def outlook(workspace: Workspace, asked: Sequence[Asked]) -> str:
    """Return how many runs each campaign can expect, and what one alone would get."""
    night = asked[0].options.limits.hours or NIGHT_H
    devices = len(slots.accelerators(os.environ)) or cpu_slots(workspace.place.home)
    kind = "GPU" if slots.accelerators(os.environ) else "CPU slot"
    assumed = "" if asked[0].options.limits.hours else ", a night (--hours sets another end)"
    each = []
    for one in asked:
        settings = Workspace(workspace.cwd, leaf=one.leaf, profile=one.options.profile).settings
        each.append(settings.budget_s + settings.startup_s / 2)
    mean = sum(each) / len(each)
    alone = int(night * 3600 / mean)
    share = max(1, int(alone * min(1.0, devices / len(asked))))
    most = _most(asked[0].options.limits)
    begin = f"{plural(len(asked), 'campaign')}, {plural(devices, kind)}: "
    if most is not None and most <= share:
        took = mean * most * max(1.0, len(asked) / devices)
        return f"{begin}about {plural(most, 'run')} each, a baseline's among them, in {span(took)}"
    return (
        f"{begin}about {plural(share, 'run')} each in {span(night * 3600)}{assumed}; one alone "
        f"would get {alone}"
    )


def _most(limits: Limits) -> int | None:
    """Return how many runs a campaign makes by --experiments, a run each; None without."""
    return None if limits.experiments is None else limits.experiments + BASELINE_SEEDS
