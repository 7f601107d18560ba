"""Stages of a run: prepare, train, look for tampering, evaluate; budgets and limits.

Nothing here knows of the notebook, of git or of this machine's devices, and all it imports is the
standard library and its own kind: the same code runs in a supervisor and inside a rented sandbox.
"""

import contextlib
import copy
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..confine import environment
from ..runner import Command, Outcome, Plan, Runner, Stopped
from . import packages
from .manifest import differing, foreign, hashes, look
from .prepared import Prepared

# Returns the command that runs `argv` in a folder, where it can read some and write other folders.
Confine = Callable[[list[str], Path, Sequence[Path], Sequence[Path]], list[str]]
# Where compilers keep kernels, below LAB_SCRATCH_DIR.
KERNELS = {
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
}
SEALED = ".sealed"  # ends the name of a run's folder that was copied for the sealed set
WARM = ".warm"  # ends the name of the copy of an earlier artefact that a training begins from
NOTHING: Mapping[str, str] = {}
PREPARE_LIMIT_S = 6 * 3600.0  # downloading and tokenising a corpus may take a night's first hours


class NotPrepared(Exception):
    """`prepare` failed; `outcome` says how, `str()` the last line it printed."""

    def __init__(self, outcome: Outcome) -> None:
        lines = (outcome.stderr_tail or outcome.tail).strip().splitlines()
        super().__init__(lines[-1] if lines else f"exit status {outcome.exit_code}")
        self.outcome = outcome


def outcome_from(row: Mapping[str, Any]) -> Outcome:
    """Return the outcome that went through JSON."""
    known = {one.name for one in fields(Outcome)}
    found = {name: value for name, value in row.items() if name in known}
    return Outcome(**{**found, "left": tuple(found.get("left", ()))})


class Stages:
    """The stages of one run, each in its own fresh export, all writing into `run_dir`."""

    def __init__(
        self,
        plan: Plan,
        exports: tuple[Path, Path],
        run_dir: Path,
        cache: Path,
        runner: Runner,
        stop: Callable[[], bool],
    ) -> None:
        self.plan, self.exports, self.dir, self.cache = plan, exports, run_dir, cache
        self.data = Prepared(cache, with_sealed=plan.sealed)
        self.held_out = self.data.held_out  # what the yardstick is given
        self.contents: Mapping[str, str] = {}  # hashes of the yardstick's export
        self.runner, self.stop = runner, stop
        self.before = look(exports[0])
        self.untouched = look(exports[1], strict=True)
        self.folder = os.stat(run_dir)
        self.device: dict[str, str] = {}  # what shows the leased device to a child
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("LAB_")}
        self.confine: Confine | None = None  # None: a rented sandbox is itself all there is to see
        self.wrapped = False  # whether what confines stays, and holds what it started
        self.warm: Path | None = None  # what the incumbent's run left, to begin from
        self.scratch: Path | None = None  # where kernels that were compiled stay for the next run

    def prepare(self) -> None:
        """Fill the cache once, whoever comes first, and again when somebody damaged it."""
        data = self.data
        data.make_folders()
        if self.plan.prepare:
            with locked(data.lock, self.stop):
                if not data.is_ready():
                    self._prepare_once(self.plan.prepare)
            data.remember()

    def _prepare_once(self, command: list[str]) -> None:
        if self.data.ready.exists():  # somebody changed what it says is there
            self.data.forget()
            self.data.make_folders()
        outcome = self._command(
            command, 0, "prepare.log", PREPARE_LIMIT_S, judging=True, told=self._of_sealed()
        )
        if outcome.exit_code != 0:
            raise NotPrepared(outcome)
        self.data.note()

    def train(self) -> Outcome:
        """Run the leaf's command in the first export, which is its own: what it may not, we see."""
        if self.confine is None:  # what is mapped in memory can be written to without a new stamp
            self.contents = hashes(self.exports[1])
        # What it writes into prepared data is looked at afterwards: libraries keep notes there.
        write = [self.exports[0], self.cache.resolve(), *self._scratch()]
        told = {"LAB_WARM_START_DIR": str(self.warm)} if self.warm else NOTHING
        return self._command(
            self.plan.train, 0, "run.log", self.plan.timeout_s, watch=True, write=write, told=told
        )

    def tampered(self) -> list[str]:
        """Return what training wrote that it may not: frozen or foreign files, prepared data."""
        changed = foreign(self.before, look(self.exports[0]), set(self.plan.allowed))
        yardstick = look(self.exports[1], strict=True)
        touched = set(differing(self.untouched, yardstick, set()))
        now = hashes(self.exports[1]) if self.contents else {}
        touched |= {path for path, found in self.contents.items() if now.get(path) != found}
        changed += [f"evaluate: {path}" for path in sorted(touched)]
        if self._replaced():
            changed.append("the run's folder")
        return changed + self.spoiled()

    def spoiled(self) -> list[str]:
        """Return what was changed of the prepared data, which are then made anew."""
        found = self.data.spoiled()
        if found:
            self.data.forget()
        return found

    def _replaced(self) -> bool:
        """Return whether training put something in the place of its run's folder; take it away.

        What is written or removed there by name later would be so wherever a link leads.
        """
        found = os.lstat(self.dir) if os.path.lexists(self.dir) else None
        if found is not None and os.path.samestat(found, self.folder):
            return False
        self._clear(self.dir)
        self.dir.mkdir()
        return True

    def evaluate(self) -> Outcome:
        """Run the yardstick in the second export, its log in a file of its own.

        Where the leaf has a `serve`, that one is confined, which loads what the experiment wrote.
        """
        self._clear(self.dir / "evaluate.log")
        command, limit_s = self.plan.evaluate, self.plan.eval_timeout_s
        write = None if self.plan.serve else self._scratch()
        return self._command(command, 1, "evaluate.log", limit_s, write=write, judging=True)

    def sealed(self) -> Outcome | None:
        """Run the yardstick by the sealed set, on a copy of the run's folder; None without a set.

        What it writes there, such as samples, is nobody's to read.
        """
        data = self.data.sealed
        if data is None or not data.is_dir() or not any(data.iterdir()):
            return None
        apart = copy.copy(self)
        apart.held_out, apart.dir = data, self.dir.with_name(f"{self.dir.name}{SEALED}")
        shutil.rmtree(apart.dir, ignore_errors=True)
        try:
            shutil.copytree(self.dir, apart.dir, symlinks=True)
            return apart.evaluate()
        except OSError as error:
            return Outcome(error=str(error))
        finally:
            shutil.rmtree(apart.dir, ignore_errors=True)

    def ask_for_packages(self) -> "subprocess.Popen[str] | None":
        """Ask the leaf's interpreter, as training will meet it, where it looks for packages."""
        return packages.ask(self._argv(["python"])[0], self._env(self.exports[0]))

    def _of_sealed(self) -> dict[str, str]:
        """Return what `prepare` alone is told: where a second set is held out."""
        return {"LAB_SEALED_DIR": str(self.data.sealed.resolve())} if self.data.sealed else {}

    def _scratch(self) -> list[Path]:
        return [self.scratch] if self.scratch else []

    @staticmethod
    def _clear(path: Path) -> None:
        """Remove what training may have left in the place of a file of ours: a link, a folder."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)

    def _command(
        self,
        command: list[str],
        export: int,
        log: str,
        limit_s: float,
        *,
        watch: bool = False,
        write: Sequence[Path] | None = None,
        judging: bool = False,
        told: Mapping[str, str] = NOTHING,
    ) -> Outcome:
        """Run a command; confined unless `write`, the folders it may write to, is None.

        One that prepares or judges is told where what is held out lies.
        """
        root = self.exports[export]
        argv = self._argv(command)
        confine = self.confine if write is not None else None
        if confine is not None:
            read = [self.held_out.resolve()] if judging else [self.warm] if self.warm else []
            argv = self._confined(confine, argv, root, [*(write or []), self.dir], read)
        env = self._env(root, alone=export == 1) | self._private(confine is not None)
        job = Command(
            argv=argv,
            cwd=root / self.plan.folder,
            env={**env, **(self._of_judging(root) if judging else {}), **told},
            log=self.dir / log,
            limit_s=limit_s,
            steps=self.dir / "steps.jsonl" if watch else None,
            prune=self.plan.prune if watch else None,
            wrapped=confine is not None and self.wrapped,
        )
        outcome = self.runner.run(job, self.stop)
        if outcome.stopped:
            raise Stopped
        return outcome

    def _argv(self, command: Sequence[str]) -> list[str]:
        python = self.plan.python or sys.executable
        return [python if word == "python" else word for word in command]

    def _of_judging(self, root: Path) -> dict[str, str]:
        """Return what the yardstick is told beside the rest."""
        told = {"LAB_HELD_OUT_DIR": str(self.held_out.resolve())}
        if self.plan.serve is None:
            return told
        argv = self._argv(self.plan.serve)
        if self.confine is not None:
            argv = self._confined(self.confine, argv, root, self._scratch(), [self.dir])
            told |= self._private(confined=True)
        return {**told, "LAB_SERVE": json.dumps(argv)}

    def _confined(
        self,
        confine: Confine,
        argv: list[str],
        root: Path,
        write: Sequence[Path],
        read: Sequence[Path],
    ) -> list[str]:
        """Return the command confined: its export and prepared data are there."""
        read, write = [root, importable(root), *read], [*write]
        (read if self.plan.prepare else write).append(self.cache.resolve())
        return confine(argv, root / self.plan.folder, read, write)

    def _private(self, confined: bool) -> dict[str, str]:
        """Return where temporary files and compiled kernels go; the cache is not there for that."""
        own = {"TMPDIR": "/tmp"} if confined else {}
        scratch = self.scratch or (Path("/tmp/scratch") if confined else None)
        if scratch:
            own["LAB_SCRATCH_DIR"] = str(scratch)
            own |= {name: str(scratch / folder) for name, folder in KERNELS.items()}
        return own

    def _paths(self, root: Path, alone: bool) -> list[str]:
        """Return the person's own PYTHONPATH, what comes from the checkout as the export has it.

        The yardstick gets what the commit has, `alone`: a module elsewhere could be anybody's.
        """
        return [str(root / path) for path in self.plan.paths if not alone or path[:1] != "/"]

    def _env(self, root: Path, alone: bool = False) -> dict[str, str]:
        """Return the environment of a leaf's command: what the contract promises."""
        return {
            **(environment.judging(self.environ) if alone else self.environ),
            **({"PYTHONNOUSERSITE": "1"} if alone else {}),
            **self.plan.said,
            **self.device,
            "LAB_RUN_DIR": str(self.dir),
            "LAB_CACHE_DIR": str(self.cache.resolve()),  # where links are hidden, this is there
            "PYTHONPATH": os.pathsep.join([str(importable(root)), *self._paths(root, alone)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }


def importable(root: Path) -> Path:
    """Return the folder to import an export's root from: that root, or links to what is in it.

    PYTHONPATH comes before Python's own modules. A file at the root that is called like one of
    them, `random.py`, stays out: by hand, in the leaf's folder, nobody sees it either.
    """
    inside = sorted(path for path in root.iterdir() if path.name != "__pycache__")
    hidden = {path for path in inside if _hides(path)}
    if not hidden:
        return root
    links = root.with_name(f"{root.name}-path")
    links.mkdir(exist_ok=True)
    for path in inside:
        if path not in hidden and not (links / path.name).is_symlink():
            (links / path.name).symlink_to(path)
    return links


def _hides(path: Path) -> bool:
    """Return whether Python would import this in place of a module of its own."""
    module = path.suffix == ".py" or (path / "__init__.py").is_file()
    return module and path.name.partition(".")[0] in sys.stdlib_module_names


@contextlib.contextmanager
def locked(path: Path, stop: Callable[[], bool]) -> Iterator[None]:
    """Hold a lock that somebody else may hold for as long as a `prepare` takes."""
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stop():
                    raise Stopped from None
                time.sleep(0.1)
        yield
