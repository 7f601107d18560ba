"""Which device a leaf runs on, its seeds, threads, name and peak memory.

Torch is imported inside the functions that need it, so that importing this costs nothing.
"""

import os
import platform
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

GATE_LOOKS = 0.02  # seconds between two looks whether the gate is open
CPU_THREADS = 1  # two OpenMP threads are 1.4x faster alone and 15-60x slower beside a neighbour


def has_cuda() -> bool:
    """Return whether torch is installed and sees a CUDA device."""
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def pick(needs: str = "gpu") -> Any:
    """Return the torch device: cuda, then mps, then cpu; `needs` "cpu" or "none" means cpu.

    On a CPU the number of threads is set too: `LAB_THREADS`, 1 by default. A process that was
    started early waits here, its imports done, until the device is its own.
    """
    import torch

    wait_at_gate()
    if needs == "gpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if needs == "gpu" and torch.backends.mps.is_available():
        return torch.device("mps")
    torch.set_num_threads(threads())
    return torch.device("cpu")


def wait_at_gate() -> None:
    """Wait until the file that `LAB_GATE` names is there; without that name the way is free."""
    gate = os.environ.get("LAB_GATE")
    while gate and not os.path.exists(gate):
        time.sleep(GATE_LOOKS)


def threads() -> int:
    """Return how many CPU threads to compute with, or stop with a sentence."""
    text = os.environ.get("LAB_THREADS") or str(CPU_THREADS)
    if not text.isdecimal() or int(text) < 1:
        raise SystemExit(f"LAB_THREADS is {text!r}; give a whole number, 1 or more")
    return int(text)


def seed_everything(seed: int) -> None:
    """Seed Python, numpy where installed, and torch on every device."""
    import torch

    random.seed(seed)
    torch.manual_seed(seed)
    try:
        import numpy
    except ImportError:
        return
    numpy.random.seed(seed % 2**32)


def name(device: Any) -> str:
    """Return what a person calls the device: the GPU's or the processor's model name."""
    if device.type == "cuda":
        import torch

        return str(torch.cuda.get_device_name(device))
    if device.type == "mps":
        return f"Apple {platform.machine()} GPU"
    return processor()


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's model name, or the architecture where nothing tells it."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def peak_memory_mb(device: Any = None) -> float:
    """Return the peak in MB: allocated on a CUDA device, else resident in this process."""
    if device is not None and device.type == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated(device)) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KB here


def synchronize(device: Any) -> None:
    """Wait until the device has done what it was given, so that a clock tells the truth."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
