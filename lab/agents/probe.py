"""Probe of an agent's sandbox before launch: can it write where its work is recorded?

A night whose every `lab run` fails on a read-only folder is found out in the morning; so a line is
written beforehand into each folder that must take one, by the agent's own sandbox where its preset
names the command for that (`probe`).
"""

import subprocess
from pathlib import Path

from .. import repo
from ..errors import Environment
from .presets import Preset, fill

LIMIT_S = 60.0  # a sandbox is there within a second
# One answer a folder. `echo` and not `touch`: a full disk takes an empty file.
SCRIPT = """
for folder; do
  file="$folder/.lab-probe-$$"
  if (echo probe > "$file") 2>/dev/null; then echo "wrote $folder"; else echo "cannot $folder"; fi
  rm -f "$file"
done
"""


def check(preset: Preset, place: repo.Place, files: Path, leaf: Path) -> str | None:
    """Refuse an agent that could not write; return what could not be found out, or None.

    `files` is the campaign's folder, `leaf` the leaf's; the agent works in one like it.
    """
    relay = files / "relay"
    relay.mkdir(parents=True, exist_ok=True)
    git = repo.git_dir(place.main) if (place.main / ".git").exists() else place.main  # bare
    folders = [relay] if preset.relay else [place.home.path, git, git / "objects", git / "refs"]
    places = {"relay": str(relay), "files": str(files), "home": str(place.home)}
    places |= {"top": str(place.top), "leaf": str(leaf)}
    said = _said([fill(word, places) for word in preset.probe], [leaf, *folders], leaf)
    for folder in [leaf, *folders]:
        if f"cannot {folder}" in said:
            raise Environment(
                f"{preset.name} could not write {folder} from where it would work.",
                "Allow it that folder (lab doctor names the paths), or give its preset a way "
                f"out: relay = true in {place.home.agents}",
            )
    if any(f"wrote {folder}" not in said for folder in folders):
        return f"{preset.name}: its sandbox could not be tried ({' '.join(said)[:200]})"
    return None


def _said(prefix: list[str], folders: list[Path], cwd: Path) -> list[str]:
    """Return the lines that the probe prints; its own failure is one of them."""
    argv = [*prefix, "sh", "-c", SCRIPT, "probe", *map(str, folders)]
    try:
        done = subprocess.run(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [str(error)]
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]
