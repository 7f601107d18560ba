"""Runs on Modal: one sandbox a run, found again by its id, ended whatever happens.

The two exports, the plan and the few modules that carry it out (`lab.inside`) are uploaded
together; everything in the sandbox is relative to its working directory. Only this module imports
the client, and only the calls a run needs are made. See docs/modal.md.
"""

import base64
import contextlib
import io
import json
import shutil
import socket
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from ..errors import Environment
from ..stages import Plan, Stopped

APP, VOLUME, PLACE, CACHE = "labtree", "labtree-cache", "/labtree", "/labtree-cache"
SPARE_S = 900  # beyond the limits of a run: image, upload, prepare; then nobody pays any more
PREFLIGHT_S = 3.0  # the client itself would try for a minute
ARTEFACT_BYTES = 2 << 30  # of what a run left; a larger model stays in the sandbox and is lost
CAPACITY_PAUSE_S = 30.0
LIGHT = (  # what `lab.inside` needs, from this package
    *("__init__.py", "inside.py", "stages.py", "manifest.py", "processes.py"),
    *("runner/__init__.py", "runner/local.py", "runner/memory.py", "runner/output.py"),
)


@dataclass(frozen=True)
class Order:
    """What is to be rented: a GPU (or "" for none), packages, and for how long at most."""

    gpu: str
    requires: tuple[str, ...]
    limit_s: float
    network: bool
    tags: dict[str, str]


class Gone(OSError):
    """The service or the sandbox failed, which says nothing about the idea."""


def client() -> Any:
    """Import the client, or say how to install it."""
    try:
        import modal
    except ImportError:
        raise Environment(
            "the Modal client is not installed.", "Install it: pip install 'labtree[modal]'"
        ) from None
    return modal


def check() -> None:
    """Refuse in seconds what the client would find out in a minute: no token, no server."""
    modal = client()
    from modal.config import config

    if not (config.get("token_id") and config.get("token_secret")):
        raise Environment(
            "Modal has no token.",
            "Type: modal token new; or export MODAL_TOKEN_ID=ak-... MODAL_TOKEN_SECRET=as-...",
        )
    server = urlparse(config.get("server_url"))
    try:
        port = server.port or (443 if server.scheme == "https" else 80)
        socket.create_connection((server.hostname or "", port), PREFLIGHT_S).close()
    except OSError as error:
        raise Environment(
            f"Modal's server {server.hostname} does not answer ({error}).",
            "Look at the network, then type the same again; or run here: --on local",
        ) from None
    with translated(modal):
        _app(modal)


@contextlib.contextmanager
def translated(modal: Any) -> Iterator[None]:
    """Turn the client's errors into ours: a refusal for who may not, Gone for what broke."""
    try:
        yield
    except Gone:
        raise
    except (modal.exception.AuthError, modal.exception.PermissionDeniedError) as error:
        raise Environment(
            f"Modal refuses this token ({str(error).splitlines()[0]}).",
            "Type: modal token new; or export MODAL_TOKEN_ID=ak-... MODAL_TOKEN_SECRET=as-...",
        ) from None
    except modal.exception.Error as error:
        first = next(iter(str(error).splitlines()), "")
        raise Gone(f"{type(error).__name__}: {first}") from None
    except (OSError, EOFError) as error:
        raise Gone(f"{type(error).__name__}: {error}") from None


def _app(modal: Any) -> Any:
    return modal.App.lookup(APP, create_if_missing=True)


class Sandbox:
    """One rented sandbox and the run in it."""

    def __init__(self, modal: Any, sandbox: Any) -> None:
        self.modal, self.sandbox = modal, sandbox

    @property
    def id(self) -> str:
        """The id by which it is found again."""
        return str(self.sandbox.object_id)

    @classmethod
    def rent(
        cls, order: Order, bundle: Path, stop: Callable[[], bool], say: Callable[[str], None]
    ) -> "Sandbox":
        """Make a sandbox with the bundle in it; wait, and say so, while there is no capacity."""
        modal = client()
        while True:
            try:
                with translated(modal):
                    return cls(modal, cls._create(modal, order, bundle))
            except Gone as error:
                if "ResourceExhausted" not in str(error):
                    raise
                say(f"waiting for capacity: {error}")
                _pause(CAPACITY_PAUSE_S, stop)

    @staticmethod
    def _create(modal: Any, order: Order, bundle: Path) -> Any:
        image = modal.Image.debian_slim(python_version="3.11")
        if order.requires:
            image = image.uv_pip_install(*order.requires, gpu=order.gpu or None)
        image = image.add_local_dir(str(bundle), PLACE)
        return modal.Sandbox.create(
            app=_app(modal),
            image=image,
            gpu=order.gpu or None,
            timeout=int(order.limit_s + SPARE_S),
            workdir=PLACE,
            block_network=not order.network,
            volumes={CACHE: modal.Volume.from_name(VOLUME, create_if_missing=True)},
        )

    @classmethod
    def found(cls, ident: str) -> "Sandbox":
        """Find a sandbox again by its id."""
        modal = client()
        with translated(modal):
            return cls(modal, modal.Sandbox.from_id(ident))

    def _exec(self, *words: str, **more: Any) -> Any:
        env = {"PYTHONPATH": "kit", "LAB_VOLUME": CACHE, "PYTHONUNBUFFERED": "1"}
        return self.sandbox.exec(*words, workdir=PLACE, env=env, **more)

    def start(self) -> None:
        """Begin the run, once; a second time changes nothing."""
        with translated(self.modal):
            process = self._exec("python", "-m", "lab.inside", "start")
            if process.wait() != 0:
                raise Gone(f"the run could not be started: {process.stderr.read()[-300:]}")

    def follow(self, run_dir: Path, stop: Callable[[], bool]) -> dict[str, Any]:
        """Write what the run prints into `run_dir` as it comes; return its result."""
        sizes = {path.name: path.stat().st_size for path in run_dir.iterdir() if path.is_file()}
        with translated(self.modal):
            words = ("python", "-m", "lab.inside", "follow", json.dumps(sizes))
            process = self._exec(*words, bufsize=1)
            with stopping(stop, self.end) as stopped:
                for line in process.stdout:
                    row = json.loads(line)
                    if "result" in row:
                        return dict(row["result"])
                    _append(run_dir / Path(row["file"]).name, row)
        if stopped():
            raise Stopped
        raise Gone("the sandbox ended before the run did")

    def fetch(self, run_dir: Path) -> None:
        """Bring what the run left back, up to a cap, extracted safely."""
        with translated(self.modal):
            process = self._exec("tar", "-c", "-f", "-", "-C", "run", ".", text=False)
            data = io.BytesIO()
            for piece in process.stdout:
                data.write(piece)
                if data.tell() > ARTEFACT_BYTES:
                    raise Gone(f"the run left more than {ARTEFACT_BYTES >> 20} MB")
        data.seek(0)
        with tarfile.open(fileobj=data) as archive:
            archive.extractall(run_dir, filter="data")  # no absolute path, no "..", no device

    def end(self) -> None:
        """End the sandbox; nothing that goes wrong here may hide what went before."""
        with contextlib.suppress(Exception):
            self.sandbox.terminate()


@contextlib.contextmanager
def stopping(stop: Callable[[], bool], end: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """End the sandbox as soon as `stop` says so, while the body reads its output."""
    over, asked = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            if stop():
                asked.set()
                end()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield asked.is_set
    except Gone:
        if asked.is_set():
            raise Stopped from None
        raise
    finally:
        over.set()
        thread.join()


def _append(path: Path, row: dict[str, Any]) -> None:
    """Write a piece where it belongs; a piece that is here already changes nothing."""
    data = base64.b64decode(row["data"])
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.seek(row["at"])
        file.write(data)


def _pause(seconds: float, stop: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if stop():
            raise Stopped
        time.sleep(0.2)


@contextlib.contextmanager
def bundle(plan: Plan, exports: tuple[Path, Path], key: str) -> Iterator[Path]:
    """Lay out everything that travels: the exports, the plan, and the modules that carry it out."""
    with tempfile.TemporaryDirectory(prefix="labtree-") as name:
        folder = Path(name)
        for export, inside in zip(exports, ("train", "evaluate"), strict=True):
            shutil.copytree(export, folder / inside, symlinks=True)
        (folder / "plan.json").write_text(plan.as_json())
        (folder / "cache-key").write_text(key)
        package = resources.files(__package__.partition(".")[0])
        for name in LIGHT:
            target = folder / "kit" / "lab" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(package.joinpath(name).read_text())
        yield folder


def orphans(known: set[str]) -> list[Any]:
    """Return the living sandboxes of our app that no open run owns."""
    modal = client()
    with translated(modal):
        app = _app(modal)
        alive = list(modal.Sandbox.list(app_id=app.app_id))
    return [one for one in alive if one.object_id not in known]
