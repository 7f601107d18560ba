"""Preflight checks of `lab run`: every reason it refuses to start."""

import os
import re
import sqlite3
from shlex import quote

from .. import leaf, repo, slots
from ..errors import Refused
from ..notebook import Notebook, campaigns, lookup, read, waves
from ..run import confinement, standing
from ..run.assessment import policy_of
from ..workspace import Workspace
from ..workspace.incumbent import find_incumbent
from ..workspace.worktrees import need_here
from . import verdicts

LEFT = (".pyc", "~", ".swp", ".swo", ".orig", ".rej", ".bak", ".tmp")
# New files that somebody may take for a part of the experiment, which no run would have.
CODE = (".py", ".pyi", ".pyx", ".so", ".c", ".cc", ".cpp", ".cu", ".h", ".sh", ".toml")
EMACS = re.compile(r"#.*#")
ALWAYS_FROZEN = ("leaf.toml",)  # of the leaf; shared/ and lab/ of the repository are frozen too


class Preflight:
    """A checkout that somebody wants to run an experiment in; each method refuses or returns."""

    def __init__(
        self, workspace: Workspace, book: Notebook, seeds: int | None, max_cost: float | None
    ) -> None:
        self.workspace, self.book, self.seeds, self.max_cost = workspace, book, seeds, max_cost
        self.top = workspace.place.top

    @property
    def place(self) -> repo.Place:
        """Where the branch stands now: a verdict that is made up for moves it."""
        return self.workspace.place

    def in_campaign(self) -> None:
        """Refuse anywhere but on a campaign's own branch."""
        if self.place.campaign is None:
            raise Refused(
                "this is no campaign's worktree.",
                f'Make one: cd "$(lab worktree {quote(self.workspace.leaf_name)} NAME)"',
            )
        branch = lookup.branch(self.book, self.place.campaign)
        if self.place.branch != branch:
            state = "HEAD is detached" if self.place.branch is None else f"on {self.place.branch}"
            raise Refused(f"{state}, not on {branch}.", f"Go back to it: git switch {branch}")
        if self.place.head is None:
            raise Refused("the branch has no commit yet.", "Make one: git commit")

    def right_leaf(self, idea: sqlite3.Row) -> None:
        """Refuse a hypothesis of another leaf."""
        if idea["leaf"] != self.workspace.leaf_name:
            raise Refused(
                f"h{idea['id']} belongs to {idea['leaf']}; this is {self.workspace.leaf_name}.",
                "Write one down for this leaf: lab hypothesis CLAIM -m MECHANISM",
            )

    def own_idea(self, idea: sqlite3.Row) -> None:
        """Refuse another campaign's hypothesis; a person's is for whoever takes it up."""
        if idea["campaign"] not in (None, self.place.campaign):
            raise Refused(
                f"h{idea['id']} belongs to {idea['campaign']}; this is {self.place.campaign}.",
                self._own_words(),
            )

    def not_judged(self, idea: sqlite3.Row) -> None:
        """Refuse a hypothesis that an experiment was kept or discarded for."""
        judged = lookup.judged_for(self.book, idea["id"])
        if judged is not None:
            raise Refused(
                f"h{idea['id']} was tested by e{judged['experiment']} ({judged['verdict']}).",
                f"{self._own_words()}; or test it once more: --again",
            )

    def _own_words(self) -> str:
        """Return what to type instead: this campaign's newest hypothesis that was never run."""
        open_ideas = read.open_ideas(self.book, self.workspace.leaf_name, self.place.campaign, 1)
        if open_ideas:
            return f"Run your newest that was not run yet: lab run h{open_ideas[0]['id']}"
        return "Write one of your own down: lab hypothesis CLAIM -m MECHANISM"

    def nothing_under_way(self) -> None:
        """Refuse in the middle of a merge, a rebase or the like."""
        waiting = repo.under_way(self.top)
        if waiting:
            raise Refused(f"a {waiting} is under way.", f"End it first: git {waiting} --abort")

    def tip_is_settled(self) -> None:
        """Refuse while the tip waits for its verdict, and what the agent committed by itself."""
        self._went_to_kept()
        row = lookup.made_in(self.book, self.workspace.stands_at, self.place.campaign)
        if row is not None and row["verdict"] is None:
            step = standing.following(self.book, row["id"])
            raise Refused(f"e{row['id']} has no verdict yet.", f"As its numbers suggest: {step}")
        if row is not None and row["verdict"] != "keep":
            verdicts.finish(self.workspace, self.book, row, row["verdict"])
            del self.workspace.place  # it moved; look again
        self.own_commits_only(row)

    def _went_to_kept(self) -> None:
        """Refuse where a change of a wave was kept and a kill came before the branch moved."""
        kept = waves.kept_apart(self.book, str(self.place.campaign))
        if kept is not None:
            raise Refused(
                f"e{kept} was kept, and the branch is not there yet.",
                f"Go there: lab move e{kept}; an edit that is to come along first: "
                f"lab result e{kept} -v discard",
            )

    def own_commits_only(self, made: sqlite3.Row | None) -> None:
        """Refuse commits that lab did not make; `made` is the experiment of the newest."""
        campaign = self.place.campaign
        if campaign is None:
            return
        if lookup.is_ours(self.book, campaign, self.place.head):
            return self._not_put_back(campaign)
        # of a campaign that began before the notebook knew: where git says the harness left it
        tip = lookup.tip(self.book, campaign) or repo.ref(self.top, "refs/worktree/lab-tip")
        if tip is not None and made is None and self._foreign(tip):
            raise Refused(
                "there are commits here that lab did not make.",
                f"Undo them and keep their edits: git reset --soft {tip[:12]} && git reset -q",
            )

    def _not_put_back(self, campaign: str) -> None:
        """Refuse a branch that somebody put behind what was kept: that would be forgotten."""
        tip, head = lookup.tip(self.book, campaign), str(self.place.head)
        if tip is None or tip == head or repo.ref(self.top, tip) is None:
            return
        made = repo.git("rev-list", f"{head}..{tip}", cwd=self.top).split()
        kept = [lookup.made_in(self.book, commit, campaign) for commit in made]
        lost = next((row for row in kept if row is not None and row["verdict"] == "keep"), None)
        if lost is not None:
            raise Refused(
                f"the branch was put back behind e{lost['id']}, which was kept.",
                f"Go to it: lab move e{lost['id']}; on what else: lab log",
            )

    def _foreign(self, tip: str) -> bool:
        """Return whether commits since `tip` hold more than notes.md.

        A `lab result` that was killed may have moved the branch, or committed the notes, without
        remembering it.
        """
        since = ("log", "-m", "--format=", "--name-only", "-z", f"{tip}..HEAD")  # merges as well
        names = {name for name in repo.git(*since, cwd=self.top).split("\0") if name}
        return bool(names - {self.workspace.notes_path})

    def own_profile(self) -> None:
        """Refuse another profile than the campaign's: a small one must not move its branch."""
        own = lookup.campaign_profile(self.book, self.place.campaign)
        if own is not None and own != self.workspace.profile:
            raise Refused(
                f"{self.place.campaign} works in profile {own}, this is {self.workspace.profile}.",
                f"Leave --profile out; for another profile another campaign: "
                f"lab worktree {quote(self.workspace.leaf_name)} NAME",
            )

    def own_baseline(self) -> None:
        """Refuse a baseline of what this campaign changed: it is measured already, as a change."""
        row = lookup.campaign(self.book, self.place.campaign)
        key = self.workspace.key(str(self.place.head))
        if row is None or key[1:3] == self.workspace.key(row["base"])[1:3]:
            return
        alike = [one for one in lookup.same_contents(self.book, key) if one["kind"] == "run"]
        if alike:
            number = alike[0]["id"]
            raise Refused(
                f"what is committed here is no baseline: e{number} made it.",
                f"Run that once more: lab run e{number} --seeds 1",
            )

    def not_dropped(self, baseline: int) -> None:
        """Refuse more runs of a baseline that somebody took back: they would change nothing."""
        last = lookup.last_result(self.book, baseline)
        if last is not None and last["job"] is None and last["verdict"] != "keep":
            raise Refused(
                f"e{baseline} measured these contents and was taken back ({last['verdict']}).",
                f"A person lets it stand again: lab result e{baseline} -v keep",
            )

    def base(self) -> str:
        """Return the commit that the campaign's worktree started from."""
        row = lookup.campaign(self.book, self.place.campaign)
        if row is None:
            raise Refused(
                f"the notebook does not know the campaign {self.place.campaign}.",
                f'Make one: cd "$(lab worktree {quote(self.workspace.leaf_name)} NAME)"',
            )
        return str(row["base"])

    def only_mutable(self, base: str) -> tuple[str, ...]:
        """Refuse every change but that of mutable files and notes.md, committed or not.

        Return new files beside mutable ones: somebody may think that a run has them.
        """
        mutable, notes = self.workspace.mutable_paths, self.workspace.notes_path
        dirty = repo.status(self.top)
        for path in repo.changed_between(self.top, base, self.place.head or "HEAD"):
            if self._frozen(path):
                raise self._was_changed(path, base)
        for state, path in dirty:
            if self._frozen(path):
                raise self._was_changed(path, base, state)
        for state, path in dirty:
            if path in mutable or path == notes or is_litter(path):
                continue
            if state == "??" and not path.endswith(CODE):
                continue  # a tool's output, a person's page: no run has it
            raise Refused(
                f"{path} was changed; an experiment may change {', '.join(mutable)}.",
                f"Put it back: {self.workspace.undo([(state, path)])}",
            )
        beside = {os.path.dirname(path) for path in mutable}
        new = [path for state, path in dirty if state == "??" and os.path.dirname(path) in beside]
        known = (
            *mutable,
            notes,
            *(path for path in new if is_litter(path) or "/.git" in f"/{path}"),
        )
        return tuple(path for path in new if path not in known)

    def _frozen(self, path: str) -> bool:
        """Return whether a path (from the top) must stay as it was when the worktree began."""
        prefix = self.workspace.leaf.prefix
        files = {f"{prefix}{one}" for one in (*self.workspace.settings.frozen, *ALWAYS_FROZEN)}
        folders = ("shared/", "lab/", f"{prefix}task/")
        if path in self.workspace.mutable_paths:  # of a leaf within a folder of that name
            return path in files
        named = any(within(path, one) for one in files)
        return named or (path.startswith(folders) and not is_litter(path))

    def _was_changed(self, path: str, base: str, state: str = "") -> Refused:
        undo = self.workspace.undo([(state, path)], base[:12])
        where = self.place.main / path
        page = f"; agents read the one in {where}" if path.endswith("program.md") else ""
        return Refused(f"{path} is frozen and was changed.", f"Restore it: {undo}{page}")

    def incumbent(self) -> sqlite3.Row:
        """Return the incumbent, or say how to measure one."""
        incumbent = find_incumbent(self.workspace, self.book)
        if incumbent is None:
            scope = self.workspace.scope
            raise Refused(
                f"there is no incumbent: nobody measured what is committed here in profile "
                f"{scope.profile} on {scope.platform} with this yardstick.",
                "Measure it, your edit stays in the file: "
                f"lab run --baseline --seeds 3{self._profile_words()}",
            )
        return incumbent

    def _profile_words(self) -> str:
        return f" --profile {self.workspace.profile}" if self.workspace.asked_profile else ""

    def check_requirements(self) -> None:
        """Refuse what this machine cannot run, before anything is written down."""
        settings = self.workspace.settings
        policy_of(self.workspace.leaf.judge)
        if not self.workspace.is_rented:
            slots.choose(settings.needs, os.environ, settings.gpu_optional)
            confinement.check(settings)
        python = leaf.interpreter(settings, self.place.main, os.environ)
        for command in (settings.prepare, settings.command, settings.evaluate):
            if command:
                leaf.argv(command, python, self.workspace.leaf.folder)
        if self.workspace.is_rented:
            self._affordable(settings.limit_s)
        else:
            leaf.check_requires(settings, python)

    def _affordable(self, limit_s: float) -> None:
        """Refuse a sandbox that could cost too much, or that nobody would rent to us."""
        from ..runner import modal, rates

        device = self.workspace.runner.partition(":")[2]
        limits = (self.max_cost, campaigns.left(self.book, self.place.campaign))
        most = [limit / (self.seeds or 1) for limit in limits if limit is not None]
        rates.check(self.place.home, device, limit_s, min(most, default=None))
        modal.check()

    def uncommitted(self) -> list[str]:
        """Return the edits of the leaf, of shared/ or lab/ that a baseline leaves out."""
        prefix, notes = self.workspace.leaf.prefix, self.workspace.notes_path
        edited = [path for _, path in repo.status(self.top)]
        ours = [p for p in edited if p.startswith((prefix, "shared/")) or self._frozen(p)]
        return [path for path in ours if path != notes and not is_litter(path)]

    def check_committed(self) -> None:
        """Refuse a baseline of a leaf whose files git does not have: a run would lack them."""
        prefix, settings = self.workspace.leaf.prefix, self.workspace.settings
        needed = [f"{prefix}{name}" for name in ALWAYS_FROZEN]
        mutable = [f"{prefix}{name}" for name in settings.mutable]
        needed += [path for path in mutable if (self.top / path).exists()]
        needed += [f"{prefix}{name}" for name in settings.frozen if not name.endswith(".md")]
        there = repo.tree_blobs(self.top, str(self.place.head), needed)
        missing = [path for path in needed if not any(within(one, path) for one in there)]
        if missing:
            raise Refused(
                f"{', '.join(missing[:4])} is not committed; a run has nothing but its commit.",
                f"Commit it: git add -f {self.workspace.typed(*missing)} && git commit",
            )

    def check_whole(self) -> None:
        """Refuse a commit that cannot be exported: one with a submodule that is not here."""
        if self.place.head is not None:
            repo.parts([self.place.main, self.top], self.place.head)

    def check_runnable(self, experiment: sqlite3.Row) -> None:
        """Refuse what cannot be run from its commit here."""
        if experiment["commit"] is None or experiment["kind"] in ("elsewhere", "import"):
            raise Refused(
                f"e{experiment['id']} has no commit here to run.",
                f"Look at it: lab show e{experiment['id']}",
            )
        need_here(self.place.main, experiment)
        self.check_requirements()


def within(path: str, above: str) -> bool:
    """Return whether a path is `above`, or lies below it."""
    return path == above or path.startswith(f"{above.rstrip('/')}/")


def is_litter(path: str) -> bool:
    """Return whether Python, an editor or a tool left this file: hidden, a backup, compiled.

    No run sees it: a run has what its commit has.

    >>> [is_litter(path) for path in (".claude/x.json", "toy/.train.py.swp", "train.py~", "a.py")]
    [True, True, True, False]
    """
    parts = path.split("/")
    hidden = [part for part in parts if part.startswith(".") or part == "__pycache__"]
    left = any(not part.startswith(".git") for part in hidden)
    return left or path.endswith(LEFT) or bool(EMACS.fullmatch(parts[-1]))
