"""Where everything lies in the notebook's folder, `.lab`: no other module joins these paths."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KEEPER_LOG = "keeper.log"  # what a supervisor says, here and in the folders of its runs
REPORTS = "reports"  # the folder of what is written for people: theirs to remove
LONGEST = 200  # bytes of a name; most file systems take 255 with the ending
SLASH = "%2F"  # stands for / in a folder's name where the folder above is a worktree itself


def file_name(text: str) -> str:
    """Return a name for the lock of what is called `text`; a long one is cut and told apart.

    >>> file_name("pretrain/ada"), len(file_name("a/" * 200))
    ('pretrain+ada.lock', 205)
    """
    name = text.replace("/", "+")
    if len(os.fsencode(name)) > LONGEST:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        name = f"{os.fsdecode(os.fsencode(name)[: LONGEST - 17])}-{digest}"
    return f"{name}.lock"


@dataclass(frozen=True)
class Home:
    """The folder of one repository's notebook and runs, the same from all its worktrees."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    # -- Files ----------------------------------------------------------------------

    @property
    def notebook(self) -> Path:
        """The notebook itself."""
        return self.path / "notebook.db"

    @property
    def agents(self) -> Path:
        """The user's own presets of agents."""
        return self.path / "agents.toml"

    @property
    def rates(self) -> Path:
        """What the user pays for rented devices."""
        return self.path / "rates.toml"

    @property
    def keeper_log(self) -> Path:
        """What supervisors print that fail before they have a run."""
        return self.path / KEEPER_LOG

    @property
    def serve_token(self) -> Path:
        """What opens the live page to whoever acts."""
        return self.path / "serve-token"

    def lock(self, name: str) -> Path:
        """Return the lock of a checkout, a loop, a job or whatever else `name` says."""
        return self.path / "locks" / file_name(name)

    def audit_lock(self, campaign: str) -> Path:
        """Return the lock that an audit of a campaign holds."""
        return self.lock(f"audit {campaign}")

    def report(self, leaf: str | None) -> Path:
        """Return the page that `lab report` writes unless it is told where."""
        return self.path / REPORTS / f"{(leaf or 'all').replace('/', '+')}.html"

    # -- Folders --------------------------------------------------------------------

    @property
    def slots(self) -> Path:
        """The CPU slots of this notebook and their queue."""
        return self.path / "slots"

    @property
    def mirror(self) -> Path:
        """What `[mirror]` writes unless it names a folder, and the logs of who writes it."""
        return self.path / "mirror"

    def cache(self, leaf: str, profile: str, key: str) -> Path:
        """Return where `prepare` leaves its data, for all runs with the same key."""
        return self.path / "cache" / leaf / profile / key

    def scratch(self, leaf: str, profile: str, campaign: str) -> Path:
        """Return where a campaign's runs on a GPU keep the kernels they compiled."""
        return self.path / "scratch" / leaf / profile / file_name(campaign).removesuffix(".lock")

    def campaign(self, name: str) -> Path:
        """Return the folder of a campaign's own files: log, sessions, relay."""
        return self.path / "campaigns" / name

    def worktree(self, campaign: str) -> Path:
        """Return the checkout of a campaign, `LEAF/NAME`, there already or still to be made.

        A worktree lies in no other one: where leaves are nested and a campaign is called like the
        inner leaf, its folder is worktrees/LEAF%2FNAME.
        """
        base = self.path / "worktrees"
        plain, apart = base / campaign, base / campaign.replace("/", SLASH)
        if (plain / ".git").exists():
            return plain
        above = [parent for parent in plain.parents if base in parent.parents]
        inside = any((parent / ".git").exists() for parent in above)
        around = any(plain.glob("*/.git")) or any(plain.glob("*/*/.git"))
        return apart if inside or around or apart.exists() else plain

    def campaign_at(self, top: Path) -> str | None:
        """Return the campaign whose worktree has its top there; None for any other checkout."""
        base = self.path / "worktrees"
        if base not in top.parents:
            return None
        return top.relative_to(base).as_posix().replace(SLASH, "/")

    @classmethod
    def around(cls, top: Path) -> "Home | None":
        """Return the `.lab` in whose worktrees a checkout lies."""
        found = (one for one in top.parents if one.parts[-2:] == (".lab", "worktrees"))
        return next((cls(one.parent) for one in found), None)

    # -- Runs -----------------------------------------------------------------------

    @property
    def runs(self) -> Path:
        """The folder of all runs."""
        return self.path / "runs"

    def experiment(self, number: int) -> Path:
        """Return the folder of an experiment's runs."""
        return self.runs / f"e{number}"

    def runs_of(self, experiment: int) -> list[Path]:
        """Return the folders that an experiment's runs have by now."""
        folder = self.experiment(experiment)
        return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []

    def run(self, experiment: int, run: int) -> Path:
        """Return the folder that a run leaves its logs and artefacts in."""
        return self.experiment(experiment) / str(run)

    def stop_request(self, experiment: int, job: int) -> Path:
        """Return the file that asks a job's supervisor to stop, once it is there."""
        return self.experiment(experiment) / f"stop-{job}"

    def exports(self, job: int | str) -> Path:
        """Return the folder that stands for the exports of a job or dry run, wherever they lie."""
        return self.path / "exports" / (f"job-{job}" if isinstance(job, int) else job)

    def side_checkout(self) -> Path:
        """Return a new place for a checkout that is gone before its command is."""
        return self.path / "exports" / f"apply-{uuid.uuid4().hex}"

    def exported(self) -> list[Path]:
        """Return what there is of exports and side checkouts."""
        folder = self.path / "exports"
        return list(folder.iterdir()) if folder.is_dir() else []

    def exported_jobs(self) -> Iterator[tuple[int | None, Path]]:
        """Yield the exports of each job, with its number; None where the name has none."""
        for folder in self.exported():
            kind, _, job = folder.name.partition("-")
            if kind == "job":
                yield int(job) if job.isdigit() else None, folder
