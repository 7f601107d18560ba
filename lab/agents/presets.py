"""Presets of coding agents as data: how each is started, and what it may do.

A preset is a table of `presets.toml`, of `~/.config/lab/agents.toml` (`$XDG_CONFIG_HOME`) or of
`.lab/agents.toml` in the main checkout; a later file's table replaces an earlier one's:

    [mine]
    command = ["my-agent", "--headless", "--file", "{prompt_file}"]

Only `command` is required. The other keys:

    prompt   "stdin" or "file"; without it, the file when the command names {prompt_file}
    yolo     the command with --yolo
    wait_s   seconds a `lab run` may wait: below the limit of the agent's own shell (100)
    env      more environment variables
    relay    true: its sandbox kills what a command leaves behind, so `lab` runs outside of it
    probe    what runs a command in its sandbox, so that `lab launch` can try it
    files    files to write beforehand; {files} is their folder
    usage    JSON lines that tell what was used: { type, tokens = [paths], cost = path }
    fuse     more words where the loop has --max-cost; {usd_left} is what of it is left
    install, sign_in   what to type when it is missing, or not signed in

In commands and files, {prompt_file}, {files}, {relay}, {leaf} (the leaf's folder in the worktree),
{top} (the worktree) and {home} (the notebook's folder) are filled in.
"""

import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import Environment, NotFound, Refused, Usage
from ..text import nearest
from ..workspace import Workspace

TUNER = "tuner"  # the agent that is built in; `claude+tuner` is both
SHELL_LIMIT_S = 100.0  # what fits below the shortest usual limit of an agent's shell, two minutes
KEYS = {
    *("command", "prompt", "yolo", "wait_s", "env", "relay", "probe", "files", "usage", "fuse"),
    *("install", "sign_in"),
}


@dataclass(frozen=True)
class Preset:
    """One agent, ready to start."""

    name: str
    command: tuple[str, ...]
    prompt: str = "stdin"
    wait_s: float = SHELL_LIMIT_S
    env: Mapping[str, str] = field(default_factory=dict)
    relay: bool = False
    probe: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    usage: tuple[Mapping[str, Any], ...] = ()
    fuse: tuple[str, ...] = ()
    install: str = ""
    sign_in: str = ""

    def filled(self, places: Mapping[str, str], usd_left: float | None = None) -> list[str]:
        """Return the command with its places filled in, and its own fuse where money is limited."""
        if usd_left is None:
            return [fill(word, places) for word in self.command]
        left = {**places, "usd_left": f"{usd_left:.2f}"}
        return [fill(word, left) for word in (*self.command, *self.fuse)]


def fill(text: str, places: Mapping[str, str]) -> str:
    """Put places into a text; other braces stay as they are.

    >>> fill("{a} {b}", {"a": "x"})
    'x {b}'
    """
    return re.sub(r"\{(\w+)\}", lambda found: places.get(found[1], found[0]), text)


def chosen(workspace: Workspace, agent: str, yolo: bool) -> tuple[Preset | None, bool]:
    """Return the coding agent that `--agent` names, if any, and whether the tuner is at work too.

    `tuner` is the tuner alone, also with itself; `claude+tuner` is both.
    """
    alone = agent.removesuffix(f"+{TUNER}")
    if alone == TUNER:
        return None, True
    return find(workspace, alone, yolo), alone != agent


def find(workspace: Workspace, agent: str, yolo: bool) -> Preset:
    """Return the preset called `agent`, or one for the quoted command that it is."""
    known = tables(workspace)
    if agent in known:
        return _checked(_preset(agent, known[agent], yolo))
    try:
        words = shlex.split(agent)
    except ValueError as error:
        raise Usage(
            f"--agent: {error}.", "Quote it whole: --agent 'my-agent {prompt_file}'"
        ) from None
    if not words:
        raise Usage("--agent is empty.", f"Type one of: {', '.join([TUNER, *known])}")
    if len(words) == 1 and shutil.which(words[0]) is None and "/" not in words[0]:
        names = [TUNER, *known]
        near = nearest(agent, names)
        raise NotFound(
            f"there is no agent {agent!r}" + (f"; the nearest is {near!r}." if near else "."),
            f"Type: --agent {near or names[0]}; known are {', '.join(names)}, or a quoted command",
        )
    if "/" in words[0] and (workspace.cwd / words[0]).is_file():
        words[0] = str((workspace.cwd / words[0]).resolve())  # the agent starts in another folder
    prompt = "file" if any("{prompt_file}" in word for word in words) else "stdin"
    usage = tuple(rule for table in builtin().values() for rule in table.get("usage", ()))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(words[0]).stem).strip("-.") or "agent"
    return _checked(Preset(name, tuple(words), prompt, usage=usage))


def builtin() -> dict[str, dict[str, Any]]:
    """Return the presets that come with lab."""
    text = resources.files("lab.agents").joinpath("presets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def tables(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return every known preset, the user's own in place of ours of the same name."""
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    found = builtin()
    for path in (
        Path(config).expanduser() / "lab/agents.toml",
        workspace.place.home.agents,
    ):
        if path.is_file():
            found |= _read(path)
    return found


def _read(path: Path) -> dict[str, dict[str, Any]]:
    hint = 'A preset is a table: [mine] with command = ["my-agent", "{prompt_file}"]'
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise Refused(f"{path}: {error}.", hint) from None
    for name, table in found.items():
        words = table.get("command") if isinstance(table, dict) else None
        if not (isinstance(words, list) and words and all(isinstance(one, str) for one in words)):
            raise Refused(f"{path}: {name} has no command (a list of words).", hint)
        for key in table:
            if key not in KEYS:
                near = nearest(key, sorted(KEYS))
                told = f"The nearest is {near!r}." if near else f"Keys: {', '.join(sorted(KEYS))}."
                raise Refused(f"{path}: {name}.{key}: no such key.", told)
    return found


def _preset(name: str, table: Mapping[str, Any], yolo: bool) -> Preset:
    if yolo and not table.get("yolo"):
        raise Usage(f"{name} has no --yolo.", "Leave it out, or give the preset a yolo command.")
    command = tuple(table["yolo"] if yolo else table["command"])
    named = any("{prompt_file}" in word for word in command)
    return Preset(
        name=name,
        command=command,
        prompt=table.get("prompt", "file" if named else "stdin"),
        wait_s=float(table.get("wait_s", SHELL_LIMIT_S)),
        env={key: str(value) for key, value in table.get("env", {}).items()},
        relay=bool(table.get("relay", False)) and not yolo,
        probe=() if yolo else tuple(table.get("probe", ())),
        files=table.get("files", {}),
        usage=tuple(table.get("usage", ())),
        fuse=tuple(table.get("fuse", ())),
        install=table.get("install", ""),
        sign_in=table.get("sign_in", ""),
    )


def _checked(preset: Preset) -> Preset:
    """Refuse an agent whose program is not on this machine."""
    program = preset.command[0]
    if shutil.which(program) is None:
        how = preset.install or f"Put {program} on the PATH"
        raise Environment(
            f"{program} is not on the PATH.",
            f"Install it: {how}" if preset.install else f"{how}, or give its whole path.",
        )
    return preset
