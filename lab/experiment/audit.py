"""`lab audit`: a branch's tip and what was last confirmed, run in turn; only that is claimed."""

import contextlib
import math
import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from .. import judge as judging
from ..documents.action import Action
from ..documents.experiments import Audit
from ..errors import Failed, NotYet, Refused
from ..notebook import Notebook, audits, ledger, lookup, measurements, record
from ..notebook.replicates import SAYS_NOTHING
from ..notebook.state import AUDIT
from ..run import budget, mirroring
from ..run.assessment import audit_due, policy_of
from ..system import locks, processes, source
from ..system.home import Home
from ..text import error, num, plural, span
from ..workspace import Workspace
from ..workspace.incumbent import find_incumbent
from . import branches, tips
from .start import Trial

NEW_SEEDS = range(1_000, 1_000_000)  # drawn from here: nobody tuned anything to one of them
LOOK_S = 0.1  # between two looks at an audit that another process runs
STARTING_S = 10.0  # until one that was detached has begun
MOST_ABORTED = 6  # of one audit's runs, as many as it has: each lifts what a claim needs
TRIES = 2  # a machine that changed on the way makes an audit worth nothing: once more, then it ends
MOVED = "the branch had moved on and stays"
IGNORED = "the seed changes nothing, so that no run tells a gain from the program's own luck"
Wait = Callable[[int], Any]  # waits until an experiment's job is done


@dataclass(frozen=True)
class Sides:
    """What is compared, and what was kept in between."""

    tip: sqlite3.Row
    base: sqlite3.Row
    since: tuple[int, ...]

    def row(self, side: str) -> sqlite3.Row:
        return self.tip if side == "tip" else self.base


class Auditor:
    """The audits of one campaign's branch."""

    def __init__(self, workspace: Workspace, book: Notebook, wait: Wait) -> None:
        self.workspace, self.book, self.wait = workspace, book, wait
        self.policy = policy_of(workspace.leaf.judge)
        campaign = workspace.place.campaign
        if campaign is None:
            raise Refused(
                "this is no campaign's worktree.", "Say which campaign: lab audit NAME; see lab log"
            )
        self.campaign, self.leaf = campaign, workspace.leaf_name

    # -- What is due -------------------------------------------------------------------

    def sides(self) -> Sides | None:
        """Return what an audit would compare now; None where nothing is provisional."""
        stands = self._standing()[0]
        if stands is None or not stands.since:
            return None
        if audits.concluded(self.book, stands.tip, stands.base):
            return None  # the same once more would only be another chance for luck
        tip, base = (lookup.experiment(self.book, number) for number in (stands.tip, stands.base))
        return Sides(tip, base, stands.since)

    def is_due(self) -> bool:
        """Return whether the branch is so far above what was confirmed that it is time for one."""
        stands, noise = self._standing()
        whose = (self.campaign, self.leaf)
        due = stands is not None and audit_due(self.book, *whose, stands, noise, self.policy)
        return due and self.sides() is not None

    def _standing(self) -> tuple[ledger.Ledger | None, judging.Noise | None]:
        """Return how the tip of the branch stands, and by which noise."""
        incumbent = find_incumbent(self.workspace, self.book)
        if incumbent is None:
            return None, None
        noise = measurements.noise(self.book, incumbent["scope"])
        return ledger.of(self.book, incumbent["experiment"], noise, self.policy), noise

    # -- One audit -----------------------------------------------------------------------

    def run(self) -> Audit:
        """Audit to the end, going on with what a killed one has measured; act on what it says."""
        with self._alone():
            with self.workspace.locked():  # whoever begins a run there meanwhile is seen
                self.check()
            for _ in range(TRIES):
                found = self._unfinished() or self._begin()
                done = self._measured(*found)
                if done["conclusion"] != "cut":
                    break
        return done

    def _alone(self) -> contextlib.AbstractContextManager[int]:
        busy = NotYet(
            f"an audit of {self.campaign} is under way.",
            f"Wait for it: lab audit {quote(self.campaign)}",
        )
        return locks.alone(self.workspace.place.home.audit_lock(self.campaign), busy)

    def check(self) -> None:
        """Refuse where nothing is to be audited, the branch is at work, or holds an edit."""
        branches.settled(self.workspace, self.book)
        edited = branches.edits(self.workspace)
        if edited:
            raise Refused(
                f"{', '.join(path for _, path in edited)} has edits; an audit may move the branch.",
                f"Run them as an experiment first, or undo them: {self.workspace.undo(edited)}",
            )
        self._due()

    def _due(self) -> Sides:
        """Return what is to be compared; refuse where nothing is."""
        sides = self.sides()
        if sides is None:
            last = audits.newest(self.book, self.campaign, self.leaf)
            known = f" since e{last['tip']} was audited" if last else ""
            raise Refused(
                f"nothing was kept on {self.campaign}{known}; there is nothing to audit.",
                "See where it stands: lab board",
            )
        return sides

    def _unfinished(self) -> tuple[sqlite3.Row, Sides] | None:
        """Return the audit of these two that has no end: new seeds would forget what it found."""
        sides = self.sides()
        if sides is None:
            return None
        left = audits.unfinished(self.book, sides.tip["id"], sides.base["id"])
        return None if left is None else (left, sides)

    def _begin(self) -> tuple[sqlite3.Row, Sides]:
        sides = self._due()
        used = lookup.used_seeds(self.book, sides.tip["id"])
        used |= lookup.used_seeds(self.book, sides.base["id"])
        free = [seed for seed in NEW_SEEDS if seed not in used]
        seeds = self._draw().sample(free, self.policy.audit_runs)
        number = record.audit(
            self.book, self.campaign, tip=sides.tip, base=sides.base["id"], seeds=seeds
        )
        return audits.whole(self.book, number), sides

    def _draw(self) -> random.Random:
        """Return what draws an audit's seeds: chance, but for a demo's notebook."""
        salt = audits.salt(self.book)
        if salt is None:
            return random.SystemRandom()
        return random.Random(f"{salt} {audits.count(self.book)}")

    def _measured(self, audit: sqlite3.Row, sides: Sides) -> Audit:
        """Run what is missing, in turn, and close the audit with what it says."""
        seeds = audits.seeds(audit)
        turn = {"tip": 0, "base": 0}
        for side in judging.turns(len(seeds)):
            seed, row = seeds[turn[side]], sides.row(side)
            turn[side] += 1
            failure = self._one(audit, row, seed)
            if failure is not None:
                return self._failed(audit, sides, side, seed, failure)
            broken = audits.broken(self.book, audit["id"], row["id"])
            if broken:
                why = f"e{row['id']} with seed {seed} broke {', '.join(broken)}"
                return self._close(audit, sides, "back" if side == "tip" else "open", why=why)
            if len(audits.hosts(self.book, audit["id"])) > 1:
                return self._close(audit, sides, "cut", why="the runs were on two machines")
        tip, base = (
            measurements.by_audit(self.book, audit["id"], one["id"])
            for one in (sides.tip, sides.base)
        )
        if min(len(tip), len(base)) < len(seeds):
            return self._close(audit, sides, "open", why=IGNORED)
        scope = lookup.state(self.book, sides.tip["id"])["scope"]
        others = measurements.noise_beside(self.book, scope, audit["id"])
        tries = audits.tries(self.book, audit["id"])
        pairs = measurements.pairs(self.book, scope)
        found = judging.conclude(
            tip, base, others, sides.tip["direction"], tries, pairs.seen if pairs else 0.0
        )
        figures: dict[str, Any] = {"gain": found.gain, "se": found.se, "bar": found.bar}
        dearer = self._dearer(audit, sides)
        if dearer is not None and found.conclusion == "confirmed":
            return self._close(audit, sides, "open", **figures, why=dearer)
        if found.too_steady:
            names = " and ".join(f"e{sides.row(side)['id']}" for side in found.too_steady)
            figures["why"] = f"the runs of {names} differ too little for luck: they count as one"
        return self._close(audit, sides, found.conclusion, **figures)

    def _dearer(self, audit: sqlite3.Row, sides: Sides) -> str | None:
        """Return by what the tip's gain may be bought: more work than the base did beside it."""
        ours, theirs = (
            audits.machines(self.book, audit["id"], one["id"]) for one in (sides.tip, sides.base)
        )
        leaf = Workspace(self.workspace.cwd, leaf=self.leaf).leaf
        told = budget.in_turn(leaf.settings(sides.tip["profile"]), ours, theirs)
        return f"e{sides.tip['id']} may have bought it: {told}" if told else None

    def _one(self, audit: sqlite3.Row, row: sqlite3.Row, seed: int) -> str | None:
        """Measure one seed of one side unless that is done; return its failure.

        One that failed by its own fault is done: a second chance would be one for luck.
        """
        if audits.failure(self.book, audit["id"], row["id"], seed) in SAYS_NOTHING:
            workspace = Workspace(
                self.workspace.cwd,
                leaf=row["leaf"],
                profile=row["profile"],
                runner=self.workspace.runner,
            )
            Trial(workspace, self.book, None).audited(row, seed, audit["id"])
            self.wait(row["id"])
        return audits.failure(self.book, audit["id"], row["id"], seed)

    def _failed(
        self, audit: sqlite3.Row, sides: Sides, side: str, seed: int, failure: str
    ) -> Audit:
        """Close an audit of which a seed gave no number: nothing is compared, nothing claimed."""
        why = f"e{sides.row(side)['id']} with seed {seed}: {failure}"
        aborted = audits.aborted(self.book, audit["id"])
        if failure in SAYS_NOTHING and aborted < MOST_ABORTED:
            raise Failed(
                f"{why}.", f"Type the same again; it goes on: lab audit {quote(self.campaign)}"
            )
        if side == "base" or failure in SAYS_NOTHING:
            return self._close(audit, sides, "back" if side == "tip" else "open", why=why)
        return self._crashed(audit, sides)

    def _crashed(self, audit: sqlite3.Row, sides: Sides) -> Audit:
        """Go on with the tip's seeds until one trains: a change that breaks them all goes back."""
        failed: dict[int, str] = {}
        trained = 0
        for seed in audits.seeds(audit):
            failure = self._one(audit, sides.tip, seed)
            if failure in SAYS_NOTHING:
                return self._failed(audit, sides, "tip", seed, failure)
            failed |= {seed: failure} if failure else {}
            trained += failure is None
            if "tampered" in failed.values() or (failed and trained):
                break
        back = "tampered" in failed.values() or not trained
        runs = f"{len(failed)} of {plural(len(failed) + trained, 'run')}"
        named = ", ".join(f"seed {seed}: {failure}" for seed, failure in failed.items())
        why = f"{runs} of e{sides.tip['id']} failed ({named})"
        return self._close(audit, sides, "back" if back else "open", why=why)

    def _close(self, audit: sqlite3.Row, sides: Sides, conclusion: str, **figures: Any) -> Audit:
        if conclusion == "back":
            self._go_back(audit, sides, figures)
        else:
            record.audit_ended(self.book, audit, conclusion, **figures)
        return as_json(self.book, audits.whole(self.book, audit["id"]))

    def _go_back(self, audit: sqlite3.Row, sides: Sides, figures: dict[str, Any]) -> None:
        """Take back what was kept between: a superseding verdict each, then the branch.

        What was measured stands whatever was done to the files meanwhile.
        """
        because = f"{AUDIT}e{audit['tip']} is no better than e{audit['base']}"
        with self.workspace.locked():
            del self.workspace.place  # somebody may have committed or switched meanwhile
            with self.book.write():
                left = self._branch_back(sides)
                told = [figures.pop("why", None), left]
                why = "; ".join(words for words in told if words) or None
                record.audit_ended(self.book, audit, "back", **figures, why=why)
                for number in sides.since:
                    known = lookup.state(self.book, number)["gain"]
                    alone = figures.get("gain") if len(sides.since) == 1 else None
                    record.result(
                        self.book,
                        lookup.experiment(self.book, number),
                        "discard",
                        because=because,
                        suggested="discard",
                        gain=known if alone is None else alone,
                    )
        for number in sides.since:
            mirroring.verdict(self.workspace.place.home, number)

    def _branch_back(self, sides: Sides) -> str | None:
        """Put the branch where what was taken back began; return what stays of it in the files."""
        workspace, target = self.workspace, self._start_of(sides)
        incumbent = find_incumbent(workspace, self.book)
        if incumbent is None or incumbent["experiment"] != sides.tip["id"]:
            return f"{MOVED}: lab move e{sides.base['id']}"
        edited = branches.edits(workspace)
        if edited:
            tips.put_under(workspace, self.book, target)
        else:
            tips.put(workspace, self.book, target, f"notes: back at e{sides.base['id']}")
        self.book.event("audit back", self.campaign, f"to e{sides.base['id']}")
        if not edited:
            return None
        paths = [path for _, path in edited]
        return (
            f"{', '.join(paths)} was edited meanwhile and stays as it is, what was taken back "
            f"in it: git diff; to undo both: {workspace.undo(edited)}"
        )

    def _start_of(self, sides: Sides) -> str:
        """Return the commit that the first change since was built on: what was confirmed."""
        return str(lookup.experiment(self.book, sides.since[0])["parent"])


# -- Detached, and waited for -------------------------------------------------------


def until_over(home: Home, campaign: str, limit_s: float = math.inf) -> bool:
    """Wait for the audit of a campaign that is under way; False when the wait is over before."""
    until = time.monotonic() + limit_s
    while locks.is_held(home.audit_lock(campaign)):
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK_S)
    return True


def start(workspace: Workspace, campaign: str) -> Path:
    """Start the audit of a campaign in a session of its own; return the file it prints into."""
    home = workspace.place.home
    log = log_of(workspace, campaign)
    process = processes.detached(source.argv("audit", campaign), workspace.place.main, log)
    until = time.monotonic() + STARTING_S
    while time.monotonic() < until and process.poll() is None:
        if locks.is_held(home.audit_lock(campaign)):
            break
        time.sleep(LOOK_S)
    process.returncode = process.returncode or 0  # it is its own from here on; nobody waits for it
    return log


def log_of(workspace: Workspace, campaign: str) -> Path:
    """Return the file that the detached audit of a campaign prints into."""
    return workspace.place.home.campaign(campaign) / "audit.log"


def as_json(book: Notebook, audit: sqlite3.Row) -> Audit:
    """Return the JSON of `lab audit`."""
    since = ledger.covered(book, audit)[::-1]
    spent = audits.spent(book, audit["id"])
    states = [lookup.state(book, number) for number in since]
    best = sorted(states, key=lambda state: -(state["gain"] or 0.0))
    back = audit["conclusion"] == "back" and len(since) > 1  # one by itself was measured: worse
    alone = [state["experiment"] for state in best if (state["gain"] or 0.0) > 0] if back else []
    alone = [one for one in alone if not audits.broken(book, audit["id"], one)]
    if audit["conclusion"] == "open" and audits.crashed(book, audit["id"], audit["tip"]):
        alone = [audit["tip"]]
    return {
        "campaign": audit["campaign"],
        "leaf": audit["leaf"],
        "tip": f"e{audit['tip']}",
        "base": f"e{audit['base']}",
        "conclusion": audit["conclusion"],
        "gain": audit["gain"],
        "se": audit["se"],
        "bar": audit["bar"],
        "why": audit["why"],
        "tip_values": _values(book, audit, audit["tip"]),
        "base_values": _values(book, audit, audit["base"]),
        "tries": audits.tries(book, audit["id"]),
        "runs": spent["runs"],
        "seconds": spent["seconds"],
        "since": [f"e{number}" for number in since],
        "try_alone": [f"e{number}" for number in alone],
        "sure_alone": [f"e{number}" for number in alone if _is_sure(book, number)],
    }


def _is_sure(book: Notebook, number: int) -> bool:
    """Return whether a change's own runs said that it is surely better."""
    judged = lookup.last_judgement(book, number)
    return judged is not None and (judged["p_better"] or 0.0) >= judging.SURE


def _values(book: Notebook, audit: sqlite3.Row, side: int) -> list[float]:
    """Return what an audit's runs of one side gave, in the order of its seeds."""
    found = measurements.by_audit(book, audit["id"], side)
    return [found[seed] for seed in audits.seeds(audit) if seed in found]


SAYS = {
    "confirmed": "confirmed; that gain is claimed",
    "open": "not confirmed; nothing is claimed, the branch stays",
    "back": "not better; the branch goes back",
    "cut": "nothing: no conclusion",
}


def _tries(found: Audit) -> str:
    """Return why a claim needs more than it would at the first try."""
    more = found["tries"] > 1
    return f" after {found['tries']} chances for luck on {found['base']}" if more else ""


def _said(found: Audit) -> str:
    """Return the conclusion in words; where a seed gave no number nothing was compared."""
    if found["conclusion"] == "back" and MOVED in (found["why"] or ""):
        return "not better; nothing is claimed"
    if found["conclusion"] == "back" and found["gain"] is None:
        return "it gave no number that counts; the branch goes back"
    if found["conclusion"] == "open" and found["try_alone"]:
        return "nothing can be confirmed, nothing is claimed; the branch stays, and a try is spent"
    return SAYS[found["conclusion"]]


def as_text(found: Audit, *, is_persons: bool = False) -> str:
    """Return the same as two or three lines; `is_persons`: in the main checkout, by a person."""
    lines = [
        f"{found['campaign']}: {found['tip']} against {found['base']}, "
        f"{plural(found['runs'], 'run')} in turn, {span(found['seconds'])}: {_said(found)}"
    ]
    if found["gain"] is not None:
        lines.append(
            f"gain {num(found['gain'], sign=True)} ± {error(found['se'])}; a claim needs "
            f"{num(found['bar'])}{_tries(found)}"
        )
    sides = (found["tip"], found["tip_values"]), (found["base"], found["base_values"])
    for name, values in sides:
        if values:
            each = ", ".join(map(num, values))
            lines.append(f"{name} at its seeds: {each}; mean {num(judging.mean(values))}")
    if found["why"]:
        lines.append(f"because {found['why']}")
    if is_persons and found["conclusion"] == "confirmed":
        return "\n".join(
            [*lines, f"next: lab apply {found['tip']}, which brings it to this branch"]
        )
    return "\n".join([*lines, *_following(found)])


def _following(found: Audit) -> list[str]:
    """Return what to type after it."""
    if found["conclusion"] == "open" and found["try_alone"]:
        alone = f"lab move {found['base']} && lab apply {found['tip']} --edit"
        tip = f"; to try its last change alone: {alone}" if len(found["since"]) > 1 else ""
        return [f"next: lab show {found['tip']}: why it failed; a mend is an idea too{tip}"]
    look = f"next: {Action('look', leaf=found['campaign'].rpartition('/')[0])}"
    if not found["try_alone"]:
        return [look]
    own = ", ".join(found["sure_alone"]) or "none"
    return [
        f"taken back: {', '.join(found['since'])}; surely better by their own runs: {own}",
        f"the likeliest to hold by itself, to be run as an idea: lab apply {found['try_alone'][0]} "
        "--edit",
        look,
    ]
