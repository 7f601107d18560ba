"""The devices of this machine: GPUs by UUID, Apple's as one, and what a CPU is called."""

import contextlib
import functools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import errors
from ..system import processes
from ..system.locks import read_record
from ..text import shorten
from .folder import shared_folder

COMPLAINT_LENGTH = 200  # of what nvidia-smi says; its advice may go on for lines
NAME_LENGTH = 60  # a platform's name is read in tables
KEPT_S = 600  # a GPU that fell off the bus is noticed after ten minutes
SMI_TIMEOUT_S = 20  # without persistence mode the driver takes seconds to load
_GPU = re.compile(r"GPU (\d+): (.+) \(UUID: (GPU-[\w-]+)\)")
_MIG = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[\w/-]+)\)")


@dataclass(frozen=True)
class Device:
    """Something one run at a time may hold; `key` names its lock, `env` shows it to a child."""

    kind: str  # "gpu", "cpu" or "none"
    key: str
    name: str
    env: dict[str, str] = field(default_factory=dict)


WITHOUT_GPU = Device("cpu", "no slot", "cpu", {"CUDA_VISIBLE_DEVICES": ""})  # holds nothing


@dataclass(frozen=True)
class Gpu:
    """A line of `nvidia-smi -L`: a GPU, or a slice of one with the same `index`."""

    index: int
    uuid: str
    name: str


def accelerators(environ: Mapping[str, str]) -> list[Device]:
    """Return the GPUs a run may use: those within CUDA_VISIBLE_DEVICES, in its order.

    Environment where `nvidia-smi` is there and fails without listing any: a CPU is no answer.
    """
    if sys.platform == "darwin":
        own = [Device("gpu", "mps", tidy(_sysctl("machdep.cpu.brand_string") + " GPU"))]
        return own if platform.machine() == "arm64" else []
    if environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):  # none is wanted, whatever there is
        return []
    gpus = parse(_listed(environ))
    chosen = visible(gpus, environ.get("CUDA_VISIBLE_DEVICES"))
    return [Device("gpu", g.uuid, g.name, {"CUDA_VISIBLE_DEVICES": g.uuid}) for g in chosen]


def _listed(environ: Mapping[str, str]) -> str:
    """Return what `nvidia-smi -L` lists, "" where there is none; say what it complained of.

    Kept for a while in the shared folder: without persistence mode asking costs seconds.
    """
    program = shutil.which("nvidia-smi", path=environ.get("PATH", os.defpath))
    if not program:
        return ""
    kept = shared_folder(environ) / f"gpus-{os.getuid()}.json"
    key = [program, os.stat(program).st_mtime_ns, processes.boot()]
    record = _own_record(kept)
    if record.get("key") == key and 0 <= time.time() - record.get("at", 0) < KEPT_S:
        listing, complaint = str(record.get("listing", "")), str(record.get("complaint", ""))
    else:
        listing, complaint = _ask(program)
        if complaint and not parse(listing):
            raise errors.Environment(
                f"{program} -L failed ({complaint}), so that nobody knows of this machine's GPUs.",
                "Mend the driver (look with: nvidia-smi); or do without: --profile cpu",
            )
        if listing:
            record = {"key": key, "at": time.time(), "listing": listing, "complaint": complaint}
            _keep(kept, record)
    if complaint:
        _say_once(f"note: {program} -L failed in part ({complaint}); its other GPUs are used")
    return listing


@functools.cache
def _say_once(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _own_record(path: Path) -> dict[str, Any]:
    """Return the record in `path` if this user wrote it, {} otherwise: the folder is anyone's."""
    with contextlib.suppress(OSError):
        return read_record(path) or {} if path.lstat().st_uid == os.getuid() else {}
    return {}


def _keep(path: Path, record: Mapping[str, Any]) -> None:
    """Replace the record in `path` as a whole; without the right to, nothing is kept."""
    own = path.with_name(f".{path.name}-{os.getpid()}")
    with contextlib.suppress(OSError):
        own.write_text(json.dumps(record))
        own.replace(path)


def _ask(program: str) -> tuple[str, str]:
    """Return the listing of GPUs, and in a line what went wrong, "" when nothing did."""
    try:
        asked = subprocess.run(
            [program, "-L"],
            capture_output=True,
            text=True,
            timeout=SMI_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        return "", error.strerror or str(error)
    except subprocess.TimeoutExpired:
        return "", f"no answer within {SMI_TIMEOUT_S} s"
    if asked.returncode == 0:
        return asked.stdout, ""
    return asked.stdout, tidy_words(asked.stdout, asked.stderr) or f"exit code {asked.returncode}"


def tidy_words(*texts: str) -> str:
    """Return in a line what was printed beside the list of GPUs."""
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    return shorten("; ".join(line for line in lines if not parse(line)), COMPLAINT_LENGTH)


def parse(listing: str) -> list[Gpu]:
    """Return the GPUs of a listing; one that is cut into slices counts as its slices.

    >>> parse("GPU 0: NVIDIA H200 (UUID: GPU-9e1c)")
    [Gpu(index=0, uuid='GPU-9e1c', name='NVIDIA H200')]
    """
    found: list[Gpu] = []
    for line in listing.splitlines():
        if whole := _GPU.match(line):
            index, name, uuid = whole.groups()
            found.append(Gpu(int(index), uuid, tidy(name)))
        elif (slice_ := _MIG.match(line)) and found:
            parent = found[-1]
            if parent.uuid.startswith("GPU-"):
                found.pop()
            name = parent.name.partition(" MIG ")[0]
            found.append(Gpu(parent.index, slice_[2], tidy(f"{name} MIG {slice_[1]}")))
    return found


def visible(gpus: list[Gpu], said: str | None) -> list[Gpu]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES shows; as in CUDA, nothing behind a wrong entry.

    >>> two = [Gpu(0, "GPU-aa", "A"), Gpu(1, "GPU-bb", "B")]
    >>> [g.name for g in visible(two, "1,GPU-a,7,0")], visible(two, ""), len(visible(two, None))
    (['B', 'A'], [], 2)
    """
    if said is None:
        return gpus
    chosen: list[Gpu] = []
    for entry in map(str.strip, said.split(",")):
        named = [g for g in gpus if str(g.index) == entry or (entry and g.uuid.startswith(entry))]
        if not named or named[0] in chosen:
            break
        chosen.append(named[0])
    return chosen


def choose(needs: str, environ: Mapping[str, str], optional: bool = False) -> str:
    """Return the kind of device a run takes: "gpu", "cpu" or "none".

    `optional`: the leaf never said that it needs a GPU, so a CPU will do. Environment otherwise.
    """
    if needs != "gpu" or accelerators(environ):
        return needs
    if optional:
        return "cpu"
    seen = environ.get("CUDA_VISIBLE_DEVICES")
    within = f" within CUDA_VISIBLE_DEVICES={seen!r}" if seen is not None else ""
    raise errors.Environment(
        f"this profile needs a GPU and there is none{within}", "Try: --profile cpu"
    )


def cpus(environ: Mapping[str, str]) -> list[Device]:
    """Return one device for each CPU slot of a notebook: LAB_CPU_SLOTS, 1 by default."""
    said = environ.get("LAB_CPU_SLOTS") or "1"
    if not said.isdecimal() or int(said) < 1:
        raise errors.Environment(
            f"LAB_CPU_SLOTS is {said!r}, not a whole number above 0", "export LAB_CPU_SLOTS=1"
        )
    hidden = {"CUDA_VISIBLE_DEVICES": ""}
    return [Device("cpu", f"cpu{i}", cpu_name(), hidden) for i in range(int(said))]


def settled(folder: Path, environ: Mapping[str, str], may_set: bool) -> Mapping[str, str]:
    """Return an environment with the CPU slots of the notebook whose slots lie in `folder`.

    They are the notebook's setting: a person's LAB_CPU_SLOTS is kept there, and counts for whoever
    runs something later, whatever their environment says.
    """
    kept, said = folder / "count", environ.get("LAB_CPU_SLOTS")
    if said and may_set:
        cpus(environ)  # refuses what is no number
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f".count-{os.getpid()}"
        new.write_text(said)
        new.replace(kept)
    known = kept.read_text() if kept.is_file() else ""
    return {**environ, "LAB_CPU_SLOTS": known}


def platform_name(needs: str, environ: Mapping[str, str]) -> str:
    """Return the name under which numbers of this machine are compared.

    The first GPU's, or the CPU's; "any" where a run takes no device, so that its numbers are
    comparable wherever they come from.
    """
    if needs == "none":
        return "any"
    gpus = accelerators(environ) if needs == "gpu" else []
    return gpus[0].name if gpus else cpu_name()


def driver(nvidia: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """Return the version of the GPU driver, where it is NVIDIA's and on Linux; nothing is started.

    >>> driver(Path("/nowhere"))
    """
    try:
        found = re.search(r"Kernel Module\s.*?(\d+(?:\.\d+)+)", nvidia.read_text(errors="replace"))
    except OSError:
        return None
    return found.group(1) if found else None


@functools.cache
def cpu_name() -> str:
    """Return what the CPU calls itself, else its architecture."""
    if sys.platform == "darwin":
        return tidy(_sysctl("machdep.cpu.brand_string")) or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2] for line in lines if line.startswith(("model name", "Model"))]
    return tidy(named[0] if named else "") or f"{platform.machine()} CPU"


def tidy(name: str) -> str:
    """Return a device's name as one short line of plain characters.

    >>> tidy("Intel(R) Xeon(R)  CPU @ 2.20GHz\\x1b[0m")
    'Intel Xeon CPU @ 2.20GHz'
    """
    plain = re.sub(r"\((?:R|TM)\)|\x1b\[[\d;]*m|[^\x20-\x7e]", "", name, flags=re.IGNORECASE)
    return " ".join(plain.split())[:NAME_LENGTH].strip()


def _sysctl(key: str) -> str:
    """Return one value of macOS's `sysctl`."""
    return subprocess.run(["sysctl", "-n", key], capture_output=True, text=True).stdout.strip()
