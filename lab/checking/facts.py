"""Static checks of leaf.toml: the table is complete, and what it names is there."""

from pathlib import Path

from .. import leaf as leaves
from ..errors import LabError
from ..leaf.model import WELL_KNOWN
from ..run.assessment import policy_of
from ..text import span
from .case import PROFILE, Case
from .finding import Broken, Noted

PAGE_LINES = 60  # an agent reads program.md at every session
DEAR_S = 60.0  # of a smoke run: several of them, for each leaf, are on every pull request's way


def table(case: Case) -> str:
    """leaf.toml is complete and says how it is checked."""
    try:
        leaf = case.leaf
        policy_of(leaf.judge)
        for profile in leaf.profiles:
            leaf.settings(profile)
    except LabError as error:
        raise Broken(error.message, error.hint) from None
    if PROFILE not in leaf.profiles:
        raise Broken(
            f"leaf.toml has no [profiles.{PROFILE}], which is what is checked",
            f"Add [profiles.{PROFILE}]: CPU, no network, seconds",
        )
    settings = case.settings
    said = (
        f"{leaf.metric}, {leaf.direction}; profiles {', '.join(leaf.profiles)}; {PROFILE}: "
        f"{settings.clock} clock, hard limit {span(settings.timeout_s)}"
    )
    return said if leaf.knobs else Noted(f"{said}; no knobs, so the tuner has nothing to turn")


def files(case: Case) -> str:
    """Every file that leaf.toml names is there, and what decides the score is frozen."""
    settings, folder = case.settings, case.leaf.folder
    for key in ("mutable", "frozen"):
        for path in getattr(settings, key):
            _there(case, folder, path, key)
    for key in ("evaluate", "serve", "prepare", "command"):
        for script in _scripts(getattr(settings, key) or []):
            _there(case, folder, script, key)
            if key != "command":
                _frozen(settings, script, key)
    page = folder / "program.md"
    if not page.is_file():
        raise Broken("there is no program.md, the page people and agents read", "Write it")
    lines = len(page.read_text(encoding="utf-8", errors="replace").splitlines())
    said = f"{len(settings.mutable)} mutable, {len(settings.frozen)} frozen"
    if lines > PAGE_LINES:
        return Noted(f"{said}; program.md has {lines} lines, {PAGE_LINES} are read in a minute")
    return said


def _scripts(command: list[str]) -> list[str]:
    """Return the files of code that a command runs: the program, and the script it is given."""
    words = (command[0], leaves.script(command[1:])) if command else ()
    return [word for word in words if word and word.endswith((".py", ".sh"))]


def _there(case: Case, folder: Path, path: str, key: str) -> None:
    if (folder / path).exists():
        return
    here = case.original / case.leaf.prefix / path
    if here.exists():
        raise Broken(
            f"{key}: {path} is ignored by git, so no run would see it",
            f"Add it: git add --force {case.leaf.prefix}{path}",
        )
    raise Broken(f"{key}: there is no {path}", f"Write it, or edit {key} in leaf.toml")


def _frozen(settings: leaves.Settings, script: str, key: str) -> None:
    for mutable in settings.mutable:
        if leaves.within(script, mutable):
            raise Broken(
                f"{script}, which {key} runs, is mutable: an experiment could set its own score",
                f"Move {script} from mutable to frozen in leaf.toml",
            )
    if not any(leaves.within(script, frozen) for frozen in settings.frozen):
        raise Broken(
            f"{script}, which {key} runs, is not frozen",
            f'Add "{script}" to frozen in leaf.toml',
        )


def profiles_said(case: Case) -> str:
    """Return what a round costs in the profile a person would run."""
    known = [name for name in WELL_KNOWN if name in case.leaf.profiles and name != PROFILE]
    parts = [f"{name} {span(case.leaf.settings(name).budget_s)}" for name in known]
    return ", ".join(parts)
