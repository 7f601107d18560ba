"""`lab run`: turn an edit into an experiment; the row, the commit, the supervisor."""

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import repo
from ..errors import Refused
from ..judge.prune import Rules
from ..notebook import Notebook, lookup, measurements, new_uid, read, record, waves
from ..run import recovery
from ..run.spawn import spawn_supervisor
from ..system.home import Home
from ..text import subject
from ..workspace import Workspace
from . import branches, change, dry_run, tips
from .preflight import Preflight
from .same import same_as

Say = Callable[[str], None]


@dataclass(frozen=True)
class Started:
    """An experiment that a supervisor owns now, or owned already."""

    experiment: int
    attached: bool
    before: int = 0  # runs it had already
    left_out: tuple[str, ...] = ()  # edits that a baseline does not measure
    unseen: tuple[str, ...] = ()  # new files that a run goes without


class Trial:
    """One `lab run`: what is asked for, where, and whether it may be."""

    def __init__(
        self,
        workspace: Workspace,
        book: Notebook,
        seeds: int | None,
        max_cost: float | None = None,
        *,
        prune: bool = True,
        wave: bool = False,
    ) -> None:
        self.workspace, self.book, self.seeds, self.prune = workspace, book, seeds, prune
        self.wave = wave
        self.top = workspace.place.top
        self.preflight = Preflight(workspace, book, seeds, max_cost)

    @property
    def place(self) -> repo.Place:
        """Where the branch stands now."""
        return self.workspace.place

    # -- lab run h12 --------------------------------------------------------------

    def hypothesis(
        self, idea: sqlite3.Row, *, again: bool, dry: bool = True, say: Say = lambda _: None
    ) -> Started:
        """Run the edit in this worktree for a hypothesis; or attach to it when it runs already."""
        self.preflight.in_campaign()
        with self.workspace.locked():
            branches.no_audit(self.place.home, self.place.campaign)
            running = self._in_flight(idea)
            if running is not None:
                return running
            self.preflight.right_leaf(idea)
            self.preflight.own_profile()
            self.preflight.own_idea(idea)
            if not again:
                self.preflight.not_judged(idea)
            self.preflight.nothing_under_way()
            self.preflight.tip_is_settled()
            base = self.preflight.base()
            unseen = self.preflight.only_mutable(base)
            tried = self._tried()
            self.preflight.check_requirements()
            self.preflight.check_whole()
            incumbent = self.preflight.incumbent()
            same = None if again else same_as(self.workspace, self.book, self._ids, incumbent)
            if same is not None:
                started = self._rerun_lost(same)
                wave = same["wave"] if self.wave else None
            else:
                wave = self._joined(incumbent)
                if dry:
                    dry_run.check(self.workspace, self.book, idea, self._ids, say)
                    self._not_edited(idea, tried)
                started = self._begin(idea, tried, incumbent, wave)
            if wave is not None:
                tips.put_back(self.workspace, self.book, started.experiment)
            return dataclasses.replace(started, unseen=unseen)

    def _in_flight(self, idea: sqlite3.Row) -> Started | None:
        """Attach to this hypothesis's run; refuse another while the campaign's tip is at work."""
        for row in self._at_work():
            number = row["experiment"]
            one = lookup.experiment(self.book, number)
            if one["campaign"] != self.place.campaign or one["kind"] != "run":
                continue
            if one["hypothesis"] == idea["id"]:
                if self.wave:
                    self._not_another(one)
                return Started(number, attached=True)
            if one["commit"] == self.place.head or one["commit"] is None:
                raise Refused(
                    f"e{number} is still {row['status']} in this worktree.",
                    f"Wait for it: lab wait e{number}",
                )
        return None

    def _not_another(self, running: sqlite3.Row) -> None:
        """Refuse to attach to a run of a wave where the files hold another edit, meant for it."""
        paths = self.workspace.mutable_paths
        now = repo.worktree_blobs(self.top, paths)
        known = [running["commit"], running["parent"], self.place.head]
        if running["commit"] and all(now != repo.tree_blobs(self.top, one, paths) for one in known):
            raise Refused(
                f"e{running['id']} runs for h{running['hypothesis']}, and the files hold another "
                "edit by now.",
                f"Wait for it: lab wait e{running['id']}; another value is another hypothesis.",
            )

    def _at_work(self) -> list[sqlite3.Row]:
        """Return what is in flight and makes runs."""
        return [row for row in read.in_flight(self.book) if row["seal"] is None]

    def _tried(self) -> dict[str, str]:
        """Return the blobs of the edited mutable files."""
        paths = self.workspace.mutable_paths
        tried = repo.worktree_blobs(self.top, paths)
        assert self.place.head is not None
        edit = f"Edit {', '.join(paths)} for your hypothesis, then again."
        if tried == self._committed():
            raise Refused("nothing was changed.", edit)
        if self._key[2] == self.workspace.key(self.place.head)[2]:
            what = "comments, line ends or docstrings that no code reads"
            raise Refused(f"nothing was changed but {what}.", edit)
        return tried

    def _committed(self) -> dict[str, str]:
        """Return the blobs of the mutable files at HEAD."""
        assert self.place.head is not None
        return repo.tree_blobs(self.top, self.place.head, self.workspace.mutable_paths)

    @functools.cached_property
    def _key(self) -> lookup.Key:
        """By what an experiment of the files as they are is found again."""
        return self._ids[0]

    @functools.cached_property
    def _ids(self) -> tuple[lookup.Key, str]:
        return self.workspace.key_and_behaviour()

    def _not_edited(self, idea: sqlite3.Row, tried: dict[str, str]) -> None:
        """Refuse what somebody edited while its dry run ran: another change would be committed."""
        if repo.worktree_blobs(self.top, self.workspace.mutable_paths) != tried:
            raise Refused(
                "the files were edited while they were tried for a few steps.",
                f"Run them as they are now: lab run h{idea['id']}",
            )

    def _joined(self, incumbent: sqlite3.Row) -> str | None:
        """Return the wave that this change joins, where it is one of several at once."""
        if not self.wave:
            return None
        name, width = waves.joined(self.book, str(self.place.campaign), incumbent["experiment"])
        if width >= waves.MOST:
            raise Refused(
                f"this wave has {width} changes already; the best of more is luck.",
                "Wait for them and judge them: lab wait",
            )
        return name

    def _begin(
        self,
        idea: sqlite3.Row,
        tried: dict[str, str],
        incumbent: sqlite3.Row,
        wave: str | None = None,
    ) -> Started:
        """Write the row, make the commit, keep it, start the supervisor.

        Whoever is killed on the way leaves a job whose lock is free: `recovery` undoes it.
        """
        place, committed = self.place, self._committed()
        paths = sorted({*tried, *committed})  # a file that is named may not be there yet
        restore = {"top": str(self.top), "branch": place.branch, "parent": place.head}
        row = {
            "hypothesis": idea["id"],
            "kind": "run",
            "parent": place.head,
            **_same_as(*self._ids),
            "incumbent": incumbent["experiment"],
            "wave": wave,
            "campaign": place.campaign,
            "worktree": str(self.top),
            "axis": idea["axis"] or self._change.axis,
            "lines_changed": self._change.net_lines,
            **self._scope_columns(),
        }
        uid, edited = new_uid(), self._change.edited(paths)
        with _held(place.home, uid) as lock:
            with self.book.write():
                number = record.experiment(self.book, attempt=self._attempt(idea), **row)
                job = self._job(
                    *(number, self._seeds(number, self.seeds or 1), uid, restore),
                    data=change.data(edited, self.workspace.settings.frozen),
                    prune=self._prunes(),
                )
            message = f"e{number}: {subject(idea['claim'])[:200]}"
            body = f"h{idea['id']}: {subject(idea['claim'])}\n\n"
            body += f"Mechanism: {subject(idea['mechanism'])}"
            new = [path for path in tried if path not in committed]
            text = f"{message}\n\n{body}\n"
            commit = repo.commit_only(self.top, text, paths, new)
            repo.keep_ref(self.top, f"e{number}", commit)
            with self.book.write():
                self.book.fill("experiments", number, commit=commit)
                change.note(self.book, number, edited)
                record.tip(self.book, place.campaign, commit)
            spawn_supervisor(place.home, job, lock)
        return Started(number, attached=False)

    def _rerun_lost(self, row: sqlite3.Row) -> Started:
        """Add a run to an experiment whose runs said nothing about the idea."""
        uid = new_uid()
        restore = {"top": str(self.top), "branch": self.place.branch, "parent": self.place.head}
        with _held(self.place.home, uid) as lock:
            with self.book.write():
                chosen = self._seeds(row["id"], self.seeds or 1)
                job = self._job(row["id"], chosen, uid, restore, prune=self._prunes())
            words = ("reset", "--quiet", "--mixed", row["commit"])
            repo.git(*words, cwd=self.top)
            record.tip(self.book, self.place.campaign, row["commit"])
            spawn_supervisor(self.place.home, job, lock)
        return Started(row["id"], attached=False)

    # -- lab run --baseline and lab run e34 -----------------------------------------

    def baseline(self) -> Started:
        """Measure what is committed here, as an experiment kept by itself."""
        self.preflight.nothing_under_way()
        if self.place.head is None:
            raise Refused("there is no commit to measure.", "Commit the leaf first: git commit")
        if self.place.campaign is None and not self.workspace.is_persons:
            raise Refused(
                "only a person in the main checkout measures a baseline outside of a campaign.",
                f"Type it in {self.place.main}, or begin a campaign: lab worktree LEAF NAME",
            )
        if self.place.campaign is not None:  # in the main checkout a person may commit
            made = lookup.made_in(self.book, self.place.head, self.place.campaign)
            self.preflight.own_commits_only(made)
            self.preflight.own_profile()
            self.preflight.own_baseline()
        self.preflight.check_committed()
        self.preflight.check_whole()
        edited = self.preflight.uncommitted()
        if not edited:
            return self._baseline()
        with self.workspace.as_committed() as workspace:
            own = Trial(workspace, self.book, self.seeds, self.preflight.max_cost)
            return dataclasses.replace(own._baseline(), left_out=tuple(edited))

    def _baseline(self) -> Started:
        assert self.place.head is not None
        self.preflight.check_requirements()
        key, behaviour = self.workspace.key_and_behaviour(self.place.head)
        found = lookup.baseline(self.book, key)
        if found is not None:
            self.preflight.not_dropped(found)
            return self._more(found)
        row = {
            "kind": "baseline",
            "commit": self.place.head,
            "parent": repo.parent(self.top, self.place.head),
            **_same_as(key, behaviour),
            "campaign": self.place.campaign,
            **self._scope_columns(),
        }
        uid = new_uid()
        with _held(self.place.home, uid) as lock:
            with self.book.write():
                number = record.experiment(self.book, **row)
                job = self._job(number, range(self.seeds or 1), uid, {})
            repo.keep_ref(self.top, f"e{number}", self.place.head)
            spawn_supervisor(self.place.home, job, lock)
        return Started(number, attached=False)

    def again(self, experiment: sqlite3.Row) -> Started:
        """Add runs with unused seeds to an experiment, in the profile it was made for."""
        self.preflight.check_runnable(experiment)
        if self.workspace.scope.platform != experiment["platform"]:
            raise Refused(
                f"e{experiment['id']} was measured on {experiment['platform']}; this is "
                f"{self.workspace.scope.platform}.",
                "Replicates need the same platform: run it there.",
            )
        return self._more(experiment["id"])

    def audited(self, experiment: sqlite3.Row, seed: int, audit: int) -> Started:
        """Run one seed of one side of an audit."""
        self.preflight.check_runnable(experiment)
        return self._more(experiment["id"], [seed], audit=audit)

    def repeat(self, experiment: sqlite3.Row, seed: int) -> Started:
        """Run one seed again, to see whether its number holds; it adds nothing to the record."""
        self.preflight.check_runnable(experiment)
        return self._more(experiment["id"], [seed], reproduce=True)

    def seal(self, experiment: sqlite3.Row, run: int) -> None:
        """Have the sealed set measure what a run left, unless the experiment is at work."""
        if all(row["experiment"] != experiment["id"] for row in read.in_flight(self.book)):
            uid = new_uid()
            with _held(self.place.home, uid) as lock:
                with self.book.write():
                    job = self._job(experiment["id"], [], uid, {}, seal=[run])
                spawn_supervisor(self.place.home, job, lock)

    def _more(
        self,
        number: int,
        seeds: Sequence[int] | None = None,
        *,
        reproduce: bool = False,
        audit: int | None = None,
    ) -> Started:
        """Add a job with unused seeds; attach when one is at work already."""
        if any(row["experiment"] == number for row in self._at_work()):
            return Started(number, attached=True)
        uid, before = new_uid(), len(lookup.used_seeds(self.book, number))
        with _held(self.place.home, uid) as lock:
            with self.book.write():
                asked = seeds or self._seeds(number, self.seeds or 1)
                job = self._job(number, asked, uid, {}, reproduce=reproduce, audit=audit)
            spawn_supervisor(self.place.home, job, lock)
        return Started(number, attached=False, before=before)

    # -- Parts ----------------------------------------------------------------------

    def _scope_columns(self) -> dict[str, Any]:
        workspace, scope = self.workspace, self.workspace.scope
        return {
            "leaf": scope.leaf,
            "profile": scope.profile,
            "platform": scope.platform,
            "yardstick": scope.yardstick,
            "metric": workspace.settings.metric,
            "direction": workspace.settings.direction,
            "deterministic": int(workspace.settings.deterministic),
            "program": hashlib.sha256(workspace.program().encode()).hexdigest()[:16],
        }

    def _job(
        self,
        number: int,
        seeds: Sequence[int],
        uid: str,
        restore: dict[str, Any],
        *,
        reproduce: bool = False,
        audit: int | None = None,
        seal: Sequence[int] = (),
        data: Mapping[str, Any] | None = None,
        prune: bool = False,
    ) -> int:
        asked = {"judge": dict(self.workspace.leaf.judge), "reproduce": reproduce}
        asked |= {"seal": [*seal]} if seal else {}
        asked |= data or {}
        asked |= {"prune": dict(self.workspace.leaf.prune)} if prune else {}
        made = self.book.insert(
            "jobs",
            uid=uid,
            experiment=number,
            seeds=json.dumps(list(seeds)),
            runner=self.workspace.runner,
            audit=audit,
            asked=json.dumps(asked),
            restore=json.dumps({"main": str(self.place.main), "beside": str(self.top), **restore}),
        )
        record.refresh(self.book, number)
        return made

    def _seeds(self, number: int, count: int) -> list[int]:
        """Return the next seeds that no run which counts has used, its incumbent's first.

        At equal seeds a difference is known better than the means: see `judge.distance`.
        """
        used = lookup.used_seeds(self.book, number)
        against = lookup.experiment(self.book, number)["incumbent"]
        theirs = list(measurements.known_by(self.book, against).runs) if against else []
        order = itertools.chain(theirs, (seed for seed in itertools.count() if seed not in theirs))
        free = (seed for seed in order if seed not in used)
        return [next(free) for _ in range(count)]

    def _prunes(self) -> bool:
        """Return whether a change's first run may be ended early: not where it is asked for twice.

        Nor where it touches what the leaf lists, such as a schedule: its curve says little.
        """
        leaf = self.workspace.leaf
        if not (leaf.prune and self.prune) or (self.seeds or 1) > 1:
            return False
        rules = Rules.from_table(leaf.prune, leaf.metric, leaf.direction)
        return rules.spares(self._change.touched) is None

    def _attempt(self, idea: sqlite3.Row) -> int:
        return 1 + lookup.attempts(self.book, idea["id"], self.place.campaign)

    @functools.cached_property
    def _change(self) -> change.Change:
        return change.Change(self.top, str(self.place.head), self.workspace.mutable_paths)


def _same_as(key: lookup.Key, behaviour: str) -> dict[str, str]:
    """Return the columns by which the same contents, code and behaviour are found again."""
    return {"contents": key[1], "code": key[2], "behaviour": behaviour}


@contextlib.contextmanager
def _held(home: Home, uid: str) -> Iterator[int]:
    """Hold a job's lock until its supervisor has inherited it, or until we fail."""
    lock = recovery.take_lock(home, uid)
    try:
        with repo.carrying(lock):
            yield lock
    finally:
        os.close(lock)
