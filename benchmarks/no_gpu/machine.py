"""A machine with an H100 that is not there: what torch and triton ask of one, answered."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

WANTED = {"torch": "2.11.0", "triton": "3.6.0"}  # a GPU machine's; others write other code
H100 = SimpleNamespace(
    name="NVIDIA H100 80GB HBM3",
    major=9,
    minor=0,
    multi_processor_count=132,
    total_memory=80 * 2**30,
    warp_size=32,
    max_threads_per_block=1024,
    max_threads_per_multi_processor=2048,
    regs_per_multiprocessor=65536,
    shared_memory_per_block=48 * 2**10,
    shared_memory_per_block_optin=227 * 2**10,
    shared_memory_per_multiprocessor=228 * 2**10,
    L2_cache_size=50 * 2**20,
)


def preload() -> None:
    """Start this script again with a runtime that does nothing in front of CUDA's own."""
    if "libcuda.so.1" in os.environ.get("LD_PRELOAD", ""):
        return
    folder = Path(tempfile.mkdtemp(prefix="no-gpu-"))
    library, source = folder / "libcuda.so.1", Path(__file__).with_name("runtime.c")
    words = ["cc", "-shared", "-fPIC", "-w", f"-Wl,-soname,{library.name}", "-o", library, source]
    subprocess.run([*map(str, words)], check=True)
    told = {**os.environ, "LD_PRELOAD": str(library), "TORCHINDUCTOR_CACHE_DIR": str(folder)}
    os.execve(sys.executable, [sys.executable, *sys.argv], told)


def pretend() -> None:
    """Make torch and triton believe in an H100; raises ImportError where they are not installed."""
    import torch
    import triton

    if not torch.version.cuda:
        raise ImportError("this torch knows no CUDA")
    seen = {"torch": torch.__version__.split("+")[0], "triton": triton.__version__}
    if seen != WANTED:
        print(f"note: written by {seen}, not by {WANTED}", file=sys.stderr)
    answer_for_torch()
    answer_for_triton()
    quieten_compiler()


def answer_for_torch() -> None:
    """Answer what torch asks of a device in Python; what it asks in C++ is in `runtime.c`."""
    import torch
    from torch._dynamo import device_interface
    from torch._subclasses import fake_tensor

    answers: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_capability": lambda device=None: (9, 0),
        "get_device_properties": lambda device=None: H100,
        "get_device_name": lambda device=None: H100.name,
        "is_bf16_supported": lambda including_emulation=True: True,
        "get_rng_state": lambda device=0: torch.zeros(16, dtype=torch.uint8),
        "set_rng_state": lambda state, device=0: None,
        "_lazy_init": lambda: None,
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, answer)
        if hasattr(device_interface.CudaInterface, name):
            setattr(device_interface.CudaInterface, name, staticmethod(answer))
    device_interface.caching_worker_device_properties["cuda"] = [H100]
    device_interface.caching_worker_current_devices["cuda"] = 0
    fake_tensor.init_gpu_context = lambda device: None


def answer_for_triton() -> None:
    """Answer what triton asks of a driver."""
    import triton
    from triton.backends.compiler import GPUTarget

    shared = H100.shared_memory_per_block_optin
    driver = SimpleNamespace(
        get_current_target=lambda: GPUTarget("cuda", 90, 32),
        get_current_device=lambda: 0,
        utils=SimpleNamespace(get_device_properties=lambda _: {"max_shared_mem": shared}),
    )
    triton.runtime.driver.set_active(driver)


def quieten_compiler() -> None:
    """Switch off what would start workers, keep caches or time kernels."""
    from torch._inductor import config

    config.compile_threads = 1
    config.fx_graph_cache = False
    config.shape_padding = False  # decided by timing
