"""`lab gc`: remove artefacts of rejected experiments, stale exports, idle worktrees."""

import time
from pathlib import Path
from typing import Any

from .. import repo
from ..experiment import verdicts
from ..notebook import Notebook, lookup
from ..run.exports import remove as remove_exports
from ..system import left
from ..system.home import Home
from ..text import plural
from ..workspace import Workspace


def collect(workspace: Workspace, book: Notebook, days: float, dry: bool) -> dict[str, Any]:
    """Remove what can be made again; records, commits, logs, steps and samples stay."""
    home = workspace.place.home
    before = _size(home.path)
    heavy = [number for number in lookup.lost_ones(book) if _has_artefacts(home, number)]
    exports = [] if _busy(book) else home.exported()
    worktrees = _idle(workspace, book, days)
    if not dry:
        for number in heavy:
            verdicts.remove_artefacts(home, number)
        for path in exports:
            if path.name.startswith("apply-"):  # a checkout whose `lab apply` was killed
                repo.remove_worktree(workspace.place.main, path)
            remove_exports(path)
        for path in worktrees:
            repo.git("worktree", "remove", str(path), cwd=workspace.place.main)
    return {
        "artefacts": [str(home.experiment(number)) for number in heavy],
        "exports": len(exports),
        "worktrees": [str(path) for path in worktrees],
        "freed_mb": 0.0 if dry else round((before - _size(home.path)) / 1e6, 1),
        "dry_run": dry,
    }


def _busy(book: Notebook) -> bool:
    return bool(lookup.open_jobs(book))


def _has_artefacts(home: Home, experiment: int) -> bool:
    return any(
        verdicts.is_heavy(name)
        for folder in home.runs_of(experiment)
        for name, _ in left.files(folder, home.path)
    )


def _idle(workspace: Workspace, book: Notebook, days: float) -> list[Path]:
    """Return worktrees without edits whose campaign has done nothing for so many days."""
    found = []
    for row in lookup.campaigns(book):
        path = workspace.place.home.worktree(row["name"])
        ours = path.is_dir() and repo.repair(workspace.place.main, path)
        if not ours or path == workspace.place.top or _busy(book):
            continue
        if repo.place(path).branch != row["branch"]:  # what is committed there is nowhere else
            continue
        newest = max(_touched(path), *(_touched(one) for one in path.rglob("train.py")), 0.0)
        if time.time() - newest > days * 86_400 and not repo.status(path):
            found.append(path)
    return found


def _touched(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def as_text(found: dict[str, Any]) -> str:
    """Return what was removed, or would be."""
    would = "would go" if found["dry_run"] else "removed"
    lines = [
        f"{would}: artefacts of {plural(len(found['artefacts']), 'experiment')} that lost, "
        f"{found['exports']} exports, {len(found['worktrees'])} worktrees"
    ]
    lines += [f"  {path}" for path in found["worktrees"]]
    if not found["dry_run"]:
        lines.append(f"{found['freed_mb']} MB freed")
    return "\n".join(lines)
