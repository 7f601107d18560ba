"""Memory of an NVIDIA GPU that two processes see, by CUDA's driver (its interprocess handles).

What a model says of a vocabulary is gigabytes: through the host's memory it would take longer than
to compute it.
"""

import ctypes
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PEERS = 1  # CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS, the only flag there is


class _Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_ubyte * 64)]


class Memory:
    """So many bytes of a GPU, an allocation of their own: whoever opens it sees nothing else."""

    def __init__(self, size: int, handle: str | None = None) -> None:
        """Allocate, or open what another process allocated. Raises OSError where that fails."""
        self.size, self.handle = size, handle or ""
        self._address = ctypes.c_uint64()
        if handle is None:
            made = _Handle()
            _call("cuMemAlloc_v2", ctypes.byref(self._address), ctypes.c_size_t(size))
            _call("cuIpcGetMemHandle", ctypes.byref(made), self._address)
            self.handle = bytes(made.bytes).hex()
        else:
            theirs = _Handle.from_buffer_copy(bytes.fromhex(handle))
            _call("cuIpcOpenMemHandle_v2", ctypes.byref(self._address), theirs, PEERS)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """What other libraries read: the bytes as an array of one axis."""
        return {
            "shape": (self.size,),
            "typestr": "|u1",
            "data": (self._address.value, False),
            "version": 3,
        }

    def tensor(self, dtype: "torch.dtype", *shape: int) -> "torch.Tensor":
        """Return its beginning as a tensor; what is written to it, both processes see."""
        import torch

        count = dtype.itemsize
        for length in shape:
            count *= length
        return torch.as_tensor(self, device="cuda")[:count].view(dtype).view(shape)


def _call(name: str, *arguments: Any) -> None:
    """Call the driver in the context that torch computes in."""
    import torch

    torch.zeros(1, device="cuda")
    code = getattr(ctypes.CDLL("libcuda.so.1"), name)(*arguments)
    if code:
        raise OSError(f"{name}: CUDA error {code}")
