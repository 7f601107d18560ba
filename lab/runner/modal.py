"""Modal runner: one sandbox a run, found again by its id, ended whatever happens.

The two exports, the plan and the few modules that carry it out (`lab.run.in_sandbox`) are uploaded
together; everything in the sandbox is relative to its working directory. Only this module imports
the client, and only the calls a run needs are made. See docs/modal.md.
"""

import base64
import contextlib
import io
import json
import os
import shutil
import socket
import ssl
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
from ..system import source
from ..text import plain
from . import Plan, Stopped

APP, VOLUME, PLACE, CACHE = "labtree", "labtree-cache", "/labtree", "/labtree-cache"
SPARE_S = 900  # beyond the limits of a run: image, upload, prepare; then nobody pays any more
PREFLIGHT_S = 2.0  # to connect, and again for a first word
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # RFC 9113, 3.4
ARTEFACT_BYTES = 2 << 30  # of what a run left; a larger model stays in the sandbox and is lost
CAPACITY_PAUSE_S = float(os.environ.get("LAB_CAPACITY_PAUSE_S") or 30.0)
SCHEDULED_S = 20.0  # a sandbox that has not begun by then waits for a device
PINS = "/labtree-constraints.txt"  # in the image; only its build reads it
LIGHT = (  # what `lab.run.in_sandbox` needs, from this package
    *("__init__.py", "system/__init__.py", "system/processes.py", "system/tree_time.py"),
    "system/source.py",
    *("run/__init__.py", "run/in_sandbox.py", "run/stages.py", "run/manifest.py"),
    "run/packages.py",
    *("run/prepared.py", "confine/__init__.py", "confine/environment.py"),
    *("runner/__init__.py", "runner/local.py", "runner/memory.py", "runner/output.py"),
    "runner/pruning.py",
)


@dataclass(frozen=True)
class SandboxSpec:
    """What is to be rented: a GPU (or "" for none), packages, and for how long at most."""

    gpu: str
    requires: tuple[str, ...]
    pins: Path  # constraints.txt, if there is one
    limit_s: float
    network: bool


class Gone(OSError):
    """The service or the sandbox failed, which says nothing about the idea."""


def client() -> Any:
    """Import the client, or say how to install it."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where it complains of its settings
            import modal
    except ImportError:
        raise Environment(
            "the Modal client is not installed.", f"Install it: {source.to_install('modal')}"
        ) from None
    except Exception as error:  # the client reads its settings as it is imported
        where = os.environ.get("MODAL_CONFIG_PATH") or "~/.modal.toml"
        raise Environment(
            f"the Modal client cannot use its settings ({plain(str(error).strip())}).",
            f"Mend {where} or move it away; then type: modal token new",
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
    _preflight(str(config.get("server_url")))
    with translated(modal):
        _app(modal)


def _preflight(url: str) -> None:
    """Refuse a server that cannot be reached or is silent; the client would try for a minute."""
    server = urlparse(url)
    secure, host = server.scheme == "https", server.hostname or ""
    try:
        with socket.create_connection(
            (host, server.port or (443 if secure else 80)), PREFLIGHT_S
        ) as line:
            if secure:
                ssl.create_default_context().wrap_socket(line, server_hostname=host).close()
                return
            line.sendall(HTTP2)
            if not line.recv(1):
                raise ConnectionResetError("it hung up")
    except OSError as error:
        raise Environment(
            f"Modal's server {host} does not answer ({error}).",
            "Look at https://status.modal.com, then type the same again; or run here: --on local",
        ) from None


@contextlib.contextmanager
def translated(modal: Any) -> Iterator[None]:
    """Turn the client's errors into ours: a refusal for who may not, Gone for what broke."""
    try:
        yield
    except Gone:
        raise
    except (modal.exception.AuthError, modal.exception.PermissionDeniedError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise Environment(
            f"Modal refuses this token ({first}).",
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
        cls, order: SandboxSpec, bundle: Path, stop: Callable[[], bool], say: Callable[[str], None]
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
    def _create(modal: Any, order: SandboxSpec, bundle: Path) -> Any:
        image = modal.Image.debian_slim(python_version="3.11")
        if order.requires:
            pinned = order.pins.is_file()
            if pinned:
                image = image.add_local_file(str(order.pins), PINS, copy=True)
            options = f"--constraint {PINS}" if pinned else ""
            image = image.uv_pip_install(
                *order.requires, gpu=order.gpu or None, extra_options=options
            )
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

    def start(self, say: Callable[[str], None]) -> None:
        """Begin the run, once; a second time changes nothing. Says so when it has to wait."""
        with translated(self.modal), telling(SCHEDULED_S, say, "waiting for a device on Modal"):
            process = self._exec("python", "-m", "lab.run.in_sandbox", "start")
            if process.wait() != 0:
                raise Gone(f"the run could not be started: {process.stderr.read()[-300:]}")

    def follow(self, run_dir: Path, stop: Callable[[], bool]) -> dict[str, Any]:
        """Write what the run prints into `run_dir` as it comes; return its result."""
        sizes = {path.name: path.stat().st_size for path in run_dir.iterdir() if path.is_file()}
        with translated(self.modal):
            words = ("python", "-m", "lab.run.in_sandbox", "follow", json.dumps(sizes))
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


@contextlib.contextmanager
def telling(after_s: float, say: Callable[[str], None], words: str) -> Iterator[None]:
    """Say something if the body takes longer than that."""
    timer = threading.Timer(after_s, say, [words])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


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
