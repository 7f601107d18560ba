"""Write the skill once, below `.agents/skills`, link it for hosts that look elsewhere."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import Refused
from .pages import pages

NAME = "labtree"
PLACE = Path(".agents/skills") / NAME  # Codex and Gemini CLI read it there
LINKS = {"claude": Path(".claude/skills") / NAME, "codex": None, "gemini": None}  # by host
SIGNED = re.compile(r"\n<!-- labtree ([0-9a-f]{16}): .*? -->\n\Z")
BEGIN, END = "<!-- labtree: begin -->", "<!-- labtree: end -->"
BLOCK = f"""{BEGIN}
## Experiments

To improve a number by experiments use the skill `{NAME}`: every measurement goes through `lab run`,
what is known comes from `lab context` and `lab failures`. Begin with `lab brief LEAF`.
{END}
"""


@dataclass(frozen=True)
class Change:
    """What became of one path: made, updated, linked, unchanged, or kept as somebody edited it."""

    path: str
    what: str


def install(root: Path, hosts: list[str], commands: str, *, user: bool, dry: bool) -> list[Change]:
    """Install the skill below `root`, a repository or a home; return what changed.

    Twice changes nothing. A page that was edited by hand is kept, and told. With `dry` nothing is
    written.
    """
    found = [_page(root, PLACE / name, text, dry) for name, text in pages(commands).items()]
    for host in hosts:
        link = LINKS[host]
        if link is not None:
            found.append(_link(root, link, dry))
    if not user:
        found.append(_block(root, dry))
    return found


def faults(root: Path, commands: str) -> list[str]:
    """Return what is not as it should be of a skill that was installed here."""
    if not (root / PLACE).is_dir():
        return []
    said = {"updated": "is of another version", "made": "is missing"}
    checked = [_page(root, PLACE / name, text, dry=True) for name, text in pages(commands).items()]
    return [
        f"{one.path} {said[one.what]}: lab skills install" for one in checked if one.what in said
    ]


def as_text(found: list[Change], dry: bool) -> str:
    """Return a line for each path."""
    stays = ("unchanged", "kept")
    return "\n".join(
        f"{one.path}: {'would be ' if dry and not one.what.startswith(stays) else ''}{one.what}"
        for one in found
    )


def _page(root: Path, path: Path, text: str, dry: bool) -> Change:
    """Write one page, signed by what it holds, unless somebody edited it since."""
    file, new = root / path, _signed(text)
    if not file.exists():
        _write(file, new, dry)
        return Change(path.as_posix(), "made")
    there = file.read_text(encoding="utf-8", errors="replace")
    if there == new:
        return Change(path.as_posix(), "unchanged")
    if not _is_ours(there):
        return Change(path.as_posix(), "kept as it was edited; remove it to have it anew")
    _write(file, new, dry)
    return Change(path.as_posix(), "updated")


def _signed(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text}\n<!-- labtree {digest}: written by `lab skills install` -->\n"


def _is_ours(text: str) -> bool:
    """Return whether a page is as `lab` wrote it, whichever version did."""
    found = SIGNED.search(text)
    return found is not None and _signed(text[: found.start()]) == text


def _write(file: Path, text: str, dry: bool) -> None:
    if dry:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}.", "Make room for it, or move it away") from None


def _link(root: Path, path: Path, dry: bool) -> Change:
    """Link a host's place to the skill; where something else lies there it stays."""
    link, to = root / path, Path(os.path.relpath(root / PLACE, (root / path).parent))
    if link.is_symlink() and Path(os.readlink(link)) == to:
        return Change(path.as_posix(), "unchanged")
    if link.is_symlink() or link.exists():
        return Change(path.as_posix(), "kept: something else is there")
    if not dry:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(to, target_is_directory=True)
    return Change(path.as_posix(), f"linked to {PLACE.as_posix()}")


def _block(root: Path, dry: bool) -> Change:
    """Put our block into AGENTS.md, or in the place of an older one; all else stays as it is."""
    file = root / "AGENTS.md"
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    if BEGIN in text and END in text:
        before, _, rest = text.partition(BEGIN)
        new = before + BLOCK + rest.partition(END)[2].lstrip("\n")
    else:
        new = f"{text.rstrip()}\n\n{BLOCK}".lstrip() if text.strip() else BLOCK
    if new == text:
        return Change("AGENTS.md", "unchanged")
    _write(file, new, dry)
    return Change("AGENTS.md", "a marked block added" if BEGIN not in text else "updated")
