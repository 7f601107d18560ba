"""`lab result`: keep, discard or crash; the record first, then branch and notes."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from .. import repo
from ..brief import next_step
from ..documents.action import Action
from ..errors import NotYet, Refused
from ..notebook import Notebook, archive, ledger, lookup, measurements, record, waves
from ..notebook.state import AUDIT
from ..run import assessment, heads, mechanism, mirroring
from ..system import left
from ..system.home import Home
from ..text import num, plural
from ..workspace import Workspace
from . import branches, tips

PROPOSE = "lab hypothesis CLAIM -m MECHANISM  # what is known by now: lab context"
KEPT_FILES = ("steps.jsonl", "samples.jsonl")  # of a run that lost; logs stay too


@dataclass(frozen=True)
class Asked:
    """What the command line asked for."""

    verdict: str
    mechanism: str | None = None
    theory_revision: str | None = None
    because: str | None = None
    metrics: Mapping[str, float] | None = None
    keep_edits: bool = False


def give(
    workspace: Workspace, book: Notebook, experiment: sqlite3.Row, asked: Asked
) -> dict[str, Any]:
    """Record a verdict and put branch and files where it says; return where things stand."""
    number = experiment["id"]
    branches.no_audit(workspace.place.home, experiment["campaign"])
    state = lookup.state(book, number)
    if state["status"] in ("queued", "running") and experiment["kind"] != "elsewhere":
        raise NotYet(f"e{number} is still {state['status']}.", f"Wait for it: lab wait e{number}")
    whose = experiment["campaign"]
    if workspace.place.campaign is not None and whose not in (None, workspace.place.campaign):
        raise Refused(
            f"e{number} belongs to {whose}, this is {workspace.place.campaign}.",
            f"See whose is whose: lab log; a person may overrule from the main checkout: "
            f"cd {workspace.place.main}",
        )
    if experiment["wave"]:  # of which more has ended since
        _after_wave(book, experiment, asked)
    if experiment["kind"] == "baseline" and workspace.place.campaign is not None:
        raise Refused(
            f"e{number} is a baseline, which stands for every campaign.",
            f"A person may judge it, in the main checkout: cd {workspace.place.main}",
        )
    if workspace.place.campaign is not None and asked.verdict != "keep":
        _check_carries_nothing(workspace, book, number)
    judged = _suggestion(book, experiment)
    _check(book, experiment, judged, asked)
    stands = judged.judgement if judged else None
    suggested, gain = (stands.suggest, stands.gain) if stands else (None, None)
    if _was_settled(book, number):  # nothing new is known of it, whatever its incumbent did since
        suggested, gain = "discard", lookup.state(book, number)["gain"]
    with workspace.locked():
        worktree = Worktree(workspace, experiment)
        worktree.check(asked)
        record.result(
            book,
            experiment,
            asked.verdict,
            mechanism=asked.mechanism,
            theory_revision=asked.theory_revision,
            because=asked.because,
            metrics=asked.metrics,
            suggested=suggested,
            gain=gain,
        )
        moved = worktree.settle(book, asked)
    _afterwards(workspace, book, number, asked.verdict)
    state = lookup.state(book, number)
    return {
        "experiment": f"e{number}",
        "verdict": asked.verdict,
        "mechanism": mechanism.mechanism(book, experiment),
        "metric": experiment["metric"],
        "value": state["value"],
        "claimed": bool(state["claimed"]),
        "gain": state["gain"],
        **{key: moved[key] for key in ("branch", "head", "moved", "put_back")},
        "notes_committed": moved["notes"],
        "next": moved["next"] or _following(workspace, book, experiment["leaf"]),
    }


def _afterwards(workspace: Workspace, book: Notebook, number: int, verdict: str) -> None:
    """Do what a verdict that was recorded has for others: git, mirrors and the disk."""
    home = workspace.place.home
    heads.keep(workspace.place.main, home, book)
    mirroring.verdict(home, number)
    if verdict != "keep":
        remove_artefacts(home, number)


def _following(workspace: Workspace, book: Notebook, leaf: str) -> str:
    """Return what comes next by the whole of the notebook, so that nobody asks for all of it."""
    if workspace.place.campaign is None:
        return str(Action("look", leaf=leaf))
    del workspace.place  # the verdict moved it
    step = next_step.following(workspace, book)
    return step.text if step else PROPOSE


def _check_carries_nothing(workspace: Workspace, book: Notebook, number: int) -> None:
    """Refuse to take back what others stand on, or an audit confirmed, by a late verdict."""
    above = ledger.kept_on(book, number)
    if above is None and not ledger.is_confirmed(book, number):
        return
    rests = f"e{above} was kept on top of it" if above else "an audit has confirmed it"
    raise Refused(
        f"e{number} cannot be taken back by a verdict: {rests}.",
        f"Take its change out as an idea of its own; a person may, in: cd {workspace.place.main}",
    )


def _after_wave(book: Notebook, experiment: sqlite3.Row, asked: Asked) -> None:
    """Judge a change again beside the others of its wave; keep none while one is under way."""
    wave = waves.of(book, experiment["id"])
    if asked.verdict == "keep" and wave.under_way:
        other = f"e{wave.under_way[0]}"
        raise NotYet(
            f"{other} of the same wave has not ended; of a wave the best is kept.",
            f"Wait for it: lab wait {other}",
        )
    policy = assessment.policy_for(book, experiment["id"])
    assessment.record_judgement(book, experiment, policy)


def _suggestion(book: Notebook, experiment: sqlite3.Row) -> assessment.Assessment | None:
    """Return how a measured experiment stands; one without a measured run has no suggestion."""
    if experiment["kind"] != "run" or not measurements.known_by(book, experiment["id"]).selecting:
        return None
    policy = assessment.policy_for(book, experiment["id"])
    return assessment.assess(book, experiment, policy)


def _taken_back(book: Notebook, number: int) -> bool:
    """Return whether an audit was the last to judge an experiment, and against it."""
    last = lookup.last_result(book, number)
    because = last["because"] if last is not None else None
    return bool(because and because.startswith(AUDIT))


def _was_settled(book: Notebook, number: int) -> bool:
    """Return whether a discard followed the suggestion, and no run was made since.

    A level that an audit moved tells of the incumbent; of this change nothing new is known.
    """
    last = lookup.last_result(book, number)
    if last is None or (last["verdict"], last["suggested"]) != ("discard", "discard"):
        return False
    return all(
        run["ended"] is None or run["ended"] < last["at"] for run in lookup.runs(book, number)
    )


def _check(
    book: Notebook,
    experiment: sqlite3.Row,
    judged: assessment.Assessment | None,
    asked: Asked,
) -> None:
    """Refuse a keep that nothing measured supports, and a crash of what gave a number."""
    number = experiment["id"]
    if asked.verdict == "crash" and judged is not None and asked.because is None:
        raise Refused(
            f"e{number} gave a number; it did not crash.",
            f'Type: lab result e{number} -v discard; or say what is wrong: --because "..."',
        )
    if asked.verdict != "keep":
        return
    if archive.is_hidden(book, number):
        raise Refused(
            f"e{number} is out of sight; what is kept must be seen.",
            f"A person may bring it back first: lab archive e{number} --undo",
        )
    again = f"lab result e{number} -v keep"
    if experiment["kind"] == "run" and judged is None:
        raise Refused(
            f"e{number} has no measured {experiment['metric']}; it cannot be kept.",
            f"Run it again, or drop it: lab result e{number} -v crash",
        )
    if judged is None:
        return
    _check_endings(book, number)
    if judged.broken:
        raise Refused(
            f"e{number} broke {', '.join(judged.broken)}; what breaks a constraint cannot be kept.",
            f"Type: lab result e{number} -v discard",
        )
    if _taken_back(book, number) and asked.because is None:
        raise Refused(
            f"an audit took e{number} back: it is not better than what was confirmed.",
            f'Say why you keep it all the same: {again} --because "..."',
        )
    verdict = judged.judgement
    if verdict.suggest == "keep" and asked.because is None and _was_settled(book, number):
        raise Refused(
            f"e{number} was discarded by these very runs; what it is held against was measured "
            "again since.",
            f"Run it once more, and see: lab run e{number} --seeds 1",
        )
    if verdict.suggest != "keep" and asked.because is None:
        raise Refused(
            f"the suggestion for e{number} is {verdict.suggest}, not keep ({verdict.why}).",
            f'Say why you keep it all the same: {again} --because "..."',
        )


def _check_endings(book: Notebook, number: int) -> None:
    """Refuse a keep while a seed that was begun has no number, whatever the others say."""
    ended = measurements.endings(book, number)
    if ended.tampered:
        raise Refused(
            f"{ended.tampered} of the runs of e{number} changed what they may not; none counts.",
            f"Type: lab result e{number} -v discard",
        )
    if ended.failures:
        raise Refused(
            f"{ended.failures} of the seeds of e{number} failed; a keep needs a number of each.",
            f"Type: lab result e{number} -v discard",
        )
    due = ended.unfinished or ended.unsteady
    if due:
        said = f"{plural(ended.aborted, 'run')} of e{number} ended before a number"
        raise Refused(
            f"{said}; a keep needs {due} more.",
            f"Run them: lab run e{number} --seeds {due}",
        )


class Worktree:
    """The git side of a verdict: whether this checkout has something to put back."""

    def __init__(self, workspace: Workspace, experiment: sqlite3.Row) -> None:
        self.place, self.row = workspace.place, experiment
        self.mine = (
            workspace.place.campaign is not None
            and experiment["campaign"] == workspace.place.campaign
            and experiment["kind"] == "run"
            and workspace.place.branch is not None
            and experiment["commit"] is not None
        )
        head = workspace.stands_at if self.mine else None
        self.at_tip = self.mine and head == experiment["commit"]
        self.aside = self.mine and not self.at_tip and experiment["wave"] is not None
        self.at_parent = (
            self.mine
            and not self.at_tip
            and not self.aside
            and experiment["parent"] in (head, workspace.place.head)
        )
        self.workspace = workspace
        self.is_here = self.at_tip or self.at_parent or self.aside
        if self.is_here:
            self.paths = workspace.mutable_paths
            self.notes = workspace.notes_path
            top = workspace.place.top
            self.files = repo.worktree_blobs(top, self.paths)
            self.tried = repo.tree_blobs(top, experiment["commit"], self.paths)
            self.before = repo.tree_blobs(top, experiment["parent"], self.paths)

    def check(self, asked: Asked) -> None:
        """Refuse to put files back that were edited since, unless told to leave them."""
        if self.aside and asked.verdict == "keep":
            self._check_aside()
        if asked.verdict == "keep" or asked.keep_edits or not (self.at_tip or self.at_parent):
            return
        if self.files != self.tried and not (self.files == self.before and self.at_parent):
            number = self.row["id"]
            raise Refused(
                f"{', '.join(self.paths)} was edited since e{number}.",
                f"Leave the files as they are, the change of e{number} among it: "
                f"lab result e{number} -v {asked.verdict} --keep-edits",
            )

    def _check_aside(self) -> None:
        """Refuse to move the branch to a change of a wave where that would lose something."""
        name, top = f"e{self.row['id']}", self.place.top
        if repo.tree_blobs(top, str(self.place.head), self.paths) != self.before:
            raise Refused(
                f"the branch has moved on since {name} began; keeping it would lose that.",
                f"Put its change on top and run both: lab apply {name} --edit",
            )
        if self.files != self.before:
            raise Refused(
                f"{', '.join(self.paths)} has edits that keeping {name} would lose.",
                f"Undo them: {self.workspace.undo([(' M', path) for path in self.paths])}; or run "
                "them as one more of the wave first: lab run --wave",
            )

    def settle(self, book: Notebook, asked: Asked) -> dict[str, Any]:
        """Move branch and files to where the verdict says, then commit notes.md alone."""
        top, number = self.place.top, self.row["id"]
        moved = False
        put_back = self._lost(asked)
        if asked.verdict != "keep" and self.at_tip:
            moved = self._back(book, asked.keep_edits)
        elif put_back:
            repo.restore(top, self.row["parent"], self.paths)
        elif asked.verdict == "keep" and self.aside:
            tips.put(self.workspace, book, self.row["commit"], f"notes: e{number}")
            moved = True
        noted = False
        if self.at_tip or self.at_parent or moved:  # beside a wave another may stand here, open
            noted = tips.commit_notes(top, self.notes, f"notes: e{number}")
        head = repo.ref(top, "HEAD") if self.place.head else None
        if self.is_here:  # elsewhere it says nothing of what stands here
            record.tip(book, self.place.campaign, head)
        return {
            "branch": self.place.branch,
            "head": head,
            "moved": moved,
            "notes": noted,
            "put_back": put_back,
            "next": self._next(book, asked),
        }

    def _lost(self, asked: Asked) -> list[str]:
        """Return the files that a verdict puts back as they were before the experiment."""
        if asked.verdict == "keep" or asked.keep_edits or not (self.at_tip or self.at_parent):
            return []
        return [path for path in self.paths if self.files.get(path) != self.before.get(path)]

    def _back(self, book: Notebook, keep_edits: bool) -> bool:
        """Put the branch at the parent; unless they stay, the files too."""
        top, parent = self.place.top, self.row["parent"]
        if keep_edits:
            assert self.place.branch is not None
            return repo.back_to(top, self.place.branch, parent, str(self.place.head))
        if self.place.head == self.row["commit"]:
            repo.move_to(top, parent)
        else:  # notes were committed on top of it
            tips.put(self.workspace, book, parent, f"notes: e{self.row['id']}")
        return True

    def _next(self, book: Notebook, asked: Asked) -> str | None:
        """Return what this very verdict asks for, where it does."""
        row = self.row
        is_change = row["kind"] == "run" and row["commit"] is not None
        if asked.verdict != "keep" or self.at_tip or self.aside or not is_change:
            return None
        if self.mine:  # the branch stands elsewhere
            return f"lab apply e{row['id']} --edit"
        confirmed = branches.gain_status(book, row) == "confirmed"
        return f"lab apply e{row['id']}" if confirmed else f"lab audit {quote(row['campaign'])}"


def finish(workspace: Workspace, book: Notebook, row: sqlite3.Row, verdict: str) -> None:
    """Do what an interrupted `lab result` left undone: the branch follows the recorded verdict.

    Edits made since stay in the file, and so does an edit that crashed: it waits to be mended.
    """
    with workspace.locked():
        worktree = Worktree(workspace, row)
        newest = lookup.last_result(book, row["id"])
        crashed = newest is not None and newest["job"] is not None
        edited = worktree.at_tip and worktree.files != worktree.tried
        worktree.settle(book, Asked(verdict=verdict, keep_edits=edited or crashed))


def remove_artefacts(home: Home, experiment: int) -> None:
    """Remove the large artefacts of runs that lost; logs, steps and samples stay.

    A link in the place of a run's folder is left alone, and so is what it leads to.
    """
    for folder in home.runs_of(experiment):
        left.remove(folder, home.path, is_heavy)


def is_heavy(name: str) -> bool:
    """Return whether a file of a run's folder is neither a log nor a record."""
    return name not in KEPT_FILES and not name.endswith((".log", ".lock"))


def as_text(done: Mapping[str, Any]) -> str:
    """Return one or two lines on what the verdict did."""
    words = [f"{done['experiment']} {done['verdict']}"]
    if done["value"] is not None:
        claimed = " (claimed)" if done["claimed"] else ""
        words.append(f"{done['metric'] or 'value'} {num(done['value'])}{claimed}")
    if done["gain"] is not None:
        words.append(f"gain {num(done['gain'], sign=True)}")
    if done["mechanism"]:  # with its figures it was told when the run had ended
        seen = done["mechanism"]
        other = seen["claimed"] not in (None, seen["outcome"])
        claimed = f" (claimed {seen['claimed']})" if other else ""
        words.append(f"mechanism {seen['outcome']}{claimed}")
    if done["moved"]:
        where = "now" if done["verdict"] == "keep" else "back"
        words.append(f"branch {where} at {done['head'][:9]}")
    if done["notes_committed"]:
        words.append("notes.md committed")
    lines = [", ".join(words)]
    if done["put_back"] and done["verdict"] == "crash":  # a discard is meant to
        lines.append(
            f"{', '.join(done['put_back'])} as before it; to mend its edit: "
            f"lab apply {done['experiment']} --edit"
        )
    return "\n".join([*lines, f"next: {done['next']}"])
