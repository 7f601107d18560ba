"""Turn an edit into an experiment: every refusal, the row, the commit, the keeper."""

import contextlib
import functools
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import ancestry, edits, leaf, locks, lost, repo, slots, verdicts
from .brief.whole import program
from .desk import Desk
from .errors import NotYet, Refused
from .hiring import start_keeper
from .notebook import Notebook, new_uid, read, record
from .notebook.state import SAYS_NOTHING
from .standing import policy_of

ALWAYS_FROZEN = ("leaf.toml",)  # of the leaf; shared/ and lab/ of the repository are frozen too


@dataclass(frozen=True)
class Started:
    """An experiment that a keeper owns now, or owned already."""

    experiment: int
    attached: bool


class Trial:
    """One `lab run`: what is asked for, where, and whether it may be."""

    def __init__(
        self, desk: Desk, book: Notebook, seeds: int | None, max_cost: float | None = None
    ) -> None:
        self.desk, self.book, self.seeds, self.max_cost = desk, book, seeds, max_cost
        self.place, self.top = desk.place, desk.place.top

    # -- lab run h12 --------------------------------------------------------------

    def hypothesis(self, idea: sqlite3.Row, *, again: bool) -> Started:
        """Run the edit in this worktree for a hypothesis; or attach to it when it runs already."""
        self._in_campaign()
        with _one_at_a_time(self.place):
            running = self._in_flight(idea)
            if running is not None:
                return running
            self._right_leaf(idea)
            self._nothing_under_way()
            self._tip_is_settled()
            base = self._base()
            self._only_mutable(base)
            tried = self._tried()
            self._able()
            rival = self._rival()
            same = None if again else self._same(tried)
            if same is not None:
                return self._rerun_lost(same)
            return self._begin(idea, tried, rival)

    def _in_campaign(self) -> None:
        if self.place.campaign is None:
            raise Refused(
                "this is no campaign's worktree.",
                f'Make one: cd "$(lab worktree {self.desk.leaf_name} NAME)"',
            )
        branch = repo.branch_of(self.place.campaign)
        if self.place.branch != branch:
            state = "HEAD is detached" if self.place.branch is None else f"on {self.place.branch}"
            raise Refused(f"{state}, not on {branch}.", f"Go back to it: git switch {branch}")
        if self.place.head is None:
            raise Refused("the branch has no commit yet.", "Make one: git commit")

    def _in_flight(self, idea: sqlite3.Row) -> Started | None:
        """Attach to this hypothesis's run; refuse another while the campaign's tip is at work."""
        for row in read.in_flight(self.book):
            number = row["experiment"]
            one = self.book.all("select * from experiments where id = ?", number)[0]
            if one["campaign"] != self.place.campaign or one["kind"] != "run":
                continue
            if one["hypothesis"] == idea["id"]:
                return Started(number, attached=True)
            if one["commit"] == self.place.head or one["commit"] is None:
                raise Refused(
                    f"e{number} is still {row['status']} in this worktree.",
                    f"Wait for it: lab wait e{number}",
                )
        return None

    def _right_leaf(self, idea: sqlite3.Row) -> None:
        if idea["leaf"] != self.desk.leaf_name:
            raise Refused(
                f"h{idea['id']} belongs to {idea['leaf']}; this is {self.desk.leaf_name}.",
                "Write one down for this leaf: lab hypothesis CLAIM -m MECHANISM",
            )

    def _nothing_under_way(self) -> None:
        waiting = repo.under_way(self.top)
        if waiting:
            raise Refused(f"a {waiting} is under way.", f"End it first: git {waiting} --abort")

    def _tip_is_settled(self) -> None:
        """Refuse while the tip waits for its verdict, and what the agent committed by itself."""
        row = self.book.one(
            "select e.*, s.verdict, s.status from experiments e join state s "
            "on s.experiment = e.id where e.\"commit\" = ? and e.kind = 'run' and e.campaign = ? "
            "order by e.id desc limit 1",
            *(self.place.head, self.place.campaign),
        )
        if row is not None and row["verdict"] is None:
            raise Refused(
                f"e{row['id']} has no verdict yet.",
                f"Give it one: lab result e{row['id']} -v keep|discard",
            )
        if row is not None and row["verdict"] != "keep":
            verdicts.finish(self.desk, self.book, row, row["verdict"])
            del self.desk.place
            self.place = self.desk.place
        tip = repo.ref(self.top, "refs/worktree/lab-tip")
        if tip is not None and tip != self.place.head and row is None and self._foreign(tip):
            raise Refused(
                "there are commits here that lab did not make.",
                f"Undo them and keep their edits: git reset --soft {tip[:12]} && git reset -q",
            )

    def _foreign(self, tip: str) -> bool:
        """Return whether commits since `tip` hold more than notes.md.

        A `lab result` that was killed may have moved the branch, or committed the notes, without
        remembering it.
        """
        since = ("log", "--format=", "--name-only", "-z", f"{tip}..HEAD")
        names = {name for name in repo.git(*since, cwd=self.top).split("\0") if name}
        return bool(names - {ancestry.notes(self.desk)})

    def _base(self) -> str:
        row = self.book.one("select base from campaigns where name = ?", self.place.campaign)
        if row is None:
            raise Refused(
                f"the notebook does not know the campaign {self.place.campaign}.",
                f'Make one: cd "$(lab worktree {self.desk.leaf_name} NAME)"',
            )
        return str(row["base"])

    def _only_mutable(self, base: str) -> None:
        """Refuse every change but that of mutable files and notes.md, committed or not."""
        mutable, notes = ancestry.paths(self.desk), ancestry.notes(self.desk)
        dirty = repo.status(self.top)
        for path in repo.changed_between(self.top, base, self.place.head or "HEAD"):
            if self._frozen(path):
                raise self._was_changed(path, base)
        for state, path in dirty:
            if self._frozen(path):
                raise self._was_changed(path, base, new=state == "??")
        for state, path in dirty:
            if path in mutable or path == notes or _is_litter(path):
                continue
            undo = f"rm {path}" if state == "??" else f"git checkout HEAD -- {path}"
            raise Refused(
                f"{path} was changed; an experiment may change {', '.join(mutable)}.",
                f"Put it back: {undo}",
            )

    def _frozen(self, path: str) -> bool:
        """Return whether a path (from the top) must stay as it was when the worktree began."""
        prefix = self.desk.leaf.prefix
        files = {f"{prefix}{one}" for one in (*self.desk.settings.frozen, *ALWAYS_FROZEN)}
        folders = ("shared/", "lab/", f"{prefix}task/")
        return path in files or (path.startswith(folders) and not _is_litter(path))

    def _was_changed(self, path: str, base: str, *, new: bool = False) -> Refused:
        undo = f"rm {path}" if new else f"git checkout {base[:12]} -- {path}"
        return Refused(f"{path} is frozen and was changed.", f"Restore it: {undo}")

    def _tried(self) -> dict[str, str]:
        """Return the blobs of the edited mutable files."""
        paths = ancestry.paths(self.desk)
        tried = repo.worktree_blobs(self.top, paths)
        assert self.place.head is not None
        if tried == self._committed():
            raise Refused(
                "nothing was changed.", f"Edit {', '.join(paths)} for your hypothesis, then again."
            )
        return tried

    def _committed(self) -> dict[str, str]:
        """Return the blobs of the mutable files at HEAD."""
        assert self.place.head is not None
        return repo.tree_blobs(self.top, self.place.head, ancestry.paths(self.desk))

    def _rival(self) -> sqlite3.Row:
        rival = ancestry.incumbent(self.desk, self.book)
        if rival is None:
            scope = self.desk.scope
            raise Refused(
                f"there is no incumbent in profile {scope.profile} on {scope.platform} with this "
                "yardstick.",
                "Measure one, the edit set aside: "
                f"git stash && lab run --baseline --seeds 3{self._profile_words()}; git stash pop",
            )
        return rival

    def _profile_words(self) -> str:
        return f" --profile {self.desk.profile}" if self.desk.asked_profile else ""

    def _same(self, tried: dict[str, str]) -> sqlite3.Row | None:
        """Return an experiment of these contents whose runs say nothing; refuse one that does."""
        scope = self.desk.scope
        rows = self.book.all(
            "select e.*, s.status, s.failure, s.verdict, s.runs from experiments e join state s "
            "on s.experiment = e.id where e.leaf = ? and e.contents = ? and e.profile = ? "
            "and e.platform = ? and e.yardstick = ? order by e.id desc",
            *(scope.leaf, repo.contents_id(tried)),
            *(scope.profile, scope.platform, scope.yardstick),
        )
        for row in rows:
            silent = row["status"] == "failed" and row["failure"] in SAYS_NOTHING
            if not silent and not (
                row["runs"] == 0 and row["failure"] is None and not row["verdict"]
            ):
                raise Refused(
                    f"e{row['id']} ran the very same contents ({row['verdict'] or row['status']}).",
                    f"Look at it: lab show e{row['id']}; or run it anyway: --again",
                )
        mine = [
            row
            for row in rows
            if row["parent"] == self.place.head
            and row["campaign"] == self.place.campaign
            and row["commit"]
            and row["kind"] == "run"
        ]
        return mine[0] if mine else None

    def _able(self) -> None:
        """Refuse what this machine cannot run, before anything is written down."""
        settings = self.desk.settings
        policy_of(self.desk.leaf.judge)
        rented = self.desk.runner.startswith("modal")
        if not rented:
            slots.choose(settings.needs, os.environ, settings.gpu_optional)
        python = leaf.interpreter(settings, self.place.main, os.environ)
        for command in (settings.prepare, settings.command, settings.evaluate):
            if command:
                leaf.argv(command, python, self.desk.leaf.folder)
        if rented:
            self._affordable(settings.timeout_s + settings.eval_timeout_s)
        else:
            leaf.check_requires(settings, python)

    def _affordable(self, limit_s: float) -> None:
        """Refuse a sandbox that could cost too much, or that nobody would rent to us."""
        from .runner import modal, rates

        device = self.desk.runner.partition(":")[2]
        runs = self.seeds or 1
        most = None if self.max_cost is None else self.max_cost / runs
        rates.check(self.place.home, device, limit_s, most)
        modal.check()

    def _begin(self, idea: sqlite3.Row, tried: dict[str, str], rival: sqlite3.Row) -> Started:
        """Write the row, make the commit, keep it, start the keeper.

        Whoever is killed on the way leaves a job whose lock is free: `lost` undoes what there is.
        """
        place, paths = self.place, ancestry.paths(self.desk)
        restore = {"top": str(self.top), "branch": place.branch, "parent": place.head}
        row = {
            "hypothesis": idea["id"],
            "kind": "run",
            "parent": place.head,
            "contents": repo.contents_id(tried),
            "incumbent": rival["experiment"],
            "campaign": place.campaign,
            "worktree": str(self.top),
            "axis": idea["axis"] or self._axis(),
            "lines_changed": self._net_lines(),
            **self._scope_columns(),
        }
        uid = new_uid()
        with _held(place.home, uid) as lock:
            with self.book.write():
                number = record.experiment(self.book, attempt=self._attempt(idea), **row)
                job = self._job(number, range(self.seeds or 1), uid, restore)
            message = f"e{number}: {idea['claim'][:200]}"
            body = f"h{idea['id']}: {idea['claim']}\n\nMechanism: {idea['mechanism']}"
            new = [path for path in tried if path not in self._committed()]
            text = f"{message}\n\n{body}\n"
            commit = repo.commit_only(self.top, text, paths, new, hold=[lock])
            repo.keep_ref(self.top, f"e{number}", commit)
            with self.book.write():
                self.book.fill("experiments", number, commit=commit)
            verdicts.mark_tip(self.top, commit)
            start_keeper(place.home, job, lock)
        return Started(number, attached=False)

    def _rerun_lost(self, row: sqlite3.Row) -> Started:
        """Add a run to an experiment whose runs said nothing about the idea."""
        uid = new_uid()
        restore = {"top": str(self.top), "branch": self.place.branch, "parent": self.place.head}
        with _held(self.place.home, uid) as lock:
            with self.book.write():
                job = self._job(row["id"], self._seeds(row["id"], self.seeds or 1), uid, restore)
            words = ("reset", "--quiet", "--mixed", row["commit"])
            repo.git(*words, cwd=self.top, hold=[lock])
            verdicts.mark_tip(self.top, row["commit"])
            start_keeper(self.place.home, job, lock)
        return Started(row["id"], attached=False)

    # -- lab run --baseline and lab run e34 -----------------------------------------

    def baseline(self) -> Started:
        """Measure what is committed here, as an experiment kept by itself."""
        self._nothing_under_way()
        if self.place.head is None:
            raise Refused("there is no commit to measure.", "Commit the leaf first: git commit")
        self._clean()
        self._able()
        blobs = repo.tree_blobs(self.top, self.place.head, ancestry.paths(self.desk))
        contents, scope = repo.contents_id(blobs), self.desk.scope
        found = self.book.one(
            "select e.id from experiments e where e.leaf = ? and e.contents = ? and e.profile = ? "
            "and e.platform = ? and e.yardstick = ? and e.kind = 'baseline' order by e.id limit 1",
            *(scope.leaf, contents, scope.profile, scope.platform, scope.yardstick),
        )
        if found is not None:
            return self._more(found["id"])
        row = {
            "kind": "baseline",
            "commit": self.place.head,
            "parent": repo.parent(self.top, self.place.head),
            "contents": contents,
            "campaign": self.place.campaign,
            **self._scope_columns(),
        }
        uid = new_uid()
        with _held(self.place.home, uid) as lock:
            with self.book.write():
                number = record.experiment(self.book, **row)
                job = self._job(number, range(self.seeds or 1), uid, {})
            repo.keep_ref(self.top, f"e{number}", self.place.head)
            start_keeper(self.place.home, job, lock)
        return Started(number, attached=False)

    def _clean(self) -> None:
        """Refuse a baseline of what is not committed."""
        prefix = self.desk.leaf.prefix
        notes = ancestry.notes(self.desk)
        for _, path in repo.status(self.top):
            ours = path.startswith((prefix, "shared/")) or self._frozen(path)
            if ours and path != notes and not _is_litter(path):
                raise Refused(
                    f"{path} is not committed; a baseline measures a commit.",
                    "Set the edit aside: git stash --include-untracked && lab run --baseline "
                    "--seeds 3; git stash pop",
                )

    def again(self, experiment: sqlite3.Row) -> Started:
        """Add runs with unused seeds to an experiment, in the profile it was made for."""
        self._runnable(experiment)
        if self.desk.scope.platform != experiment["platform"]:
            raise Refused(
                f"e{experiment['id']} was measured on {experiment['platform']}; this is "
                f"{self.desk.scope.platform}.",
                "Replicates need the same platform: run it there.",
            )
        return self._more(experiment["id"])

    def repeat(self, experiment: sqlite3.Row, seed: int) -> Started:
        """Run one seed again, to see whether its number holds; it adds nothing to the record."""
        self._runnable(experiment)
        return self._more(experiment["id"], [seed], reproduce=True)

    def _runnable(self, experiment: sqlite3.Row) -> None:
        """Refuse what cannot be run from its commit here."""
        if experiment["commit"] is None or experiment["kind"] in ("elsewhere", "import"):
            raise Refused(
                f"e{experiment['id']} has no commit here to run.",
                f"Look at it: lab show e{experiment['id']}",
            )
        if repo.ref(self.place.main, experiment["commit"]) is None:
            raise Refused(
                f"the commit of e{experiment['id']} is not in this repository.",
                "Fetch it: git fetch REMOTE 'refs/lab/*:refs/lab/*'",
            )
        self._able()

    def _more(
        self, number: int, seeds: Sequence[int] | None = None, *, reproduce: bool = False
    ) -> Started:
        """Add a job with unused seeds; attach when one is at work already."""
        if any(row["experiment"] == number for row in read.in_flight(self.book)):
            return Started(number, attached=True)
        uid = new_uid()
        with _held(self.place.home, uid) as lock:
            with self.book.write():
                asked = seeds or self._seeds(number, self.seeds or 1)
                job = self._job(number, asked, uid, {}, reproduce=reproduce)
            start_keeper(self.place.home, job, lock)
        return Started(number, attached=False)

    # -- Parts ----------------------------------------------------------------------

    def _scope_columns(self) -> dict[str, Any]:
        desk, scope = self.desk, self.desk.scope
        return {
            "leaf": scope.leaf,
            "profile": scope.profile,
            "platform": scope.platform,
            "yardstick": scope.yardstick,
            "metric": desk.settings.metric,
            "direction": desk.settings.direction,
            "deterministic": int(desk.settings.deterministic),
            "program": hashlib.sha256(program(desk).encode()).hexdigest()[:16],
        }

    def _job(
        self,
        number: int,
        seeds: Sequence[int],
        uid: str,
        restore: dict[str, Any],
        *,
        reproduce: bool = False,
    ) -> int:
        asked = {"judge": dict(self.desk.leaf.judge), "reproduce": reproduce}
        made = self.book.insert(
            "jobs",
            uid=uid,
            experiment=number,
            seeds=json.dumps(list(seeds)),
            runner=self.desk.runner,
            asked=json.dumps(asked),
            restore=json.dumps({"main": str(self.place.main), **restore}),
        )
        record.refresh(self.book, number)
        return made

    def _seeds(self, number: int, count: int) -> list[int]:
        """Return the next seeds that no run which counts has used."""
        marks = ", ".join("?" * len(SAYS_NOTHING))
        used = {
            row["seed"]
            for row in self.book.all(
                f"select seed from runs where experiment = ? and (failure is null or failure "
                f"not in ({marks}))",
                *(number, *SAYS_NOTHING),
            )
        }
        free = (seed for seed in range(len(used) + count) if seed not in used)
        return [next(free) for _ in range(count)]

    def _attempt(self, idea: sqlite3.Row) -> int:
        query = "select count(*) from experiments where hypothesis = ? and campaign is ?"
        return 1 + int(self.book.all(query, idea["id"], self.place.campaign)[0][0])

    @functools.cached_property
    def _texts(self) -> list[tuple[str | None, str | None]]:
        """Each mutable Python file as it was committed and as it is now."""
        found = []
        for path in (path for path in ancestry.paths(self.desk) if path.endswith(".py")):
            file = self.top / path
            new = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None
            found.append((repo.show_file(self.top, str(self.place.head), path), new))
        return found

    def _axis(self) -> str | None:
        found = (edits.axis(*texts) for texts in self._texts)
        return next((name for name in found if name), None)

    def _net_lines(self) -> int:
        """Return code lines added less those removed, comments and blank lines aside."""
        return sum(edits.code_lines(new) - edits.code_lines(old) for old, new in self._texts)


def _is_litter(path: str) -> bool:
    """Return whether Python left this file by itself."""
    return path.endswith(".pyc") or "__pycache__/" in path


@contextlib.contextmanager
def _held(home: Path, uid: str) -> Iterator[int]:
    """Hold a job's lock until its keeper has inherited it, or until we fail."""
    lock = lost.take_lock(home, uid)
    try:
        yield lock
    finally:
        os.close(lock)


@contextlib.contextmanager
def _one_at_a_time(place: repo.Place) -> Iterator[None]:
    """Refuse a second `lab run` that starts in the same worktree at the same moment."""
    folder = place.home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    fd = locks.open_lock(folder / f"{(place.campaign or 'main').replace('/', '+')}.lock")
    try:
        for _ in range(200):  # a start takes a tenth of a second; twenty seconds are enough for any
            if locks.try_lock(fd):
                break
            time.sleep(0.1)
        else:
            raise NotYet("another lab run is starting in this worktree.", "Type it again.")
        yield
    finally:
        os.close(fd)
