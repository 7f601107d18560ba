"""The experiment's own code in a process apart: the yardstick asks it, and never imports it.

`evaluate.py` owns what is held out, counts, and prints the block; `serve.py`, a frozen script of
the leaf, loads what training left by the code of the experiment and answers. A request and an
answer are a line of JSON each; tensors lie in memory that both see. `lab` says how the server is
started (`LAB_SERVE`, confined where this machine can); by hand it is a plain child.
"""

import contextlib
import json
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from . import device as devices
from . import gpu_memory

if TYPE_CHECKING:
    import torch

SERVE = "LAB_SERVE"  # the server's command, as a JSON list
APART = (SERVE, "LAB_HELD_OUT_DIR")  # what the server is not told
MOST = 16 << 20  # bytes of one answer: nobody fills the yardstick's memory
END_S = 10.0  # a server that is not asked any more has so long to end

Message = dict[str, Any]


class Server:
    """The yardstick's side: starts the server, asks it, ends it; a context manager."""

    def __init__(self, leaf: Path, *buffers: "Buffer") -> None:
        """Start the server of the leaf in `leaf`; `buffers` are shared with it, in this order."""
        argv = json.loads(os.environ.get(SERVE) or json.dumps([sys.executable, "serve.py"]))
        self.process = subprocess.Popen(
            argv,
            cwd=leaf,
            env={name: value for name, value in os.environ.items() if name not in APART},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[buffer.number for buffer in buffers],
        )
        self.buffers = [[buffer.number, buffer.size] for buffer in buffers]

    def __enter__(self) -> Self:
        return self

    def ask(self, **request: Any) -> Message:
        """Send a request; return the answer. Stops when the server ended or made no sense."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        words = json.dumps({**request, "buffers": self.buffers})
        try:
            self.process.stdin.write(f"{words}\n".encode())
            self.process.stdin.flush()
            line = self.process.stdout.readline(MOST)
            answer = json.loads(line) if line else None
        except (OSError, ValueError):
            answer = None
        if not isinstance(answer, dict):
            self.end()
            raise SystemExit("refused: the model's own process ended, or gave no answer")
        if "refused" in answer:
            raise SystemExit(str(answer["refused"])[:500])
        return answer

    def end(self) -> None:
        """Ask no more; end it if it does not end by itself."""
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __exit__(self, *_: object) -> None:
        self.end()


class Requests:
    """The server's side: requests as they come. Its own prints go to standard error meanwhile."""

    def __init__(self) -> None:
        """Take standard input and output for requests and answers, before any foreign import."""
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)

    def __iter__(self) -> Iterator[Message]:
        for line in self._in:
            yield json.loads(line)

    def answer(self, **found: Any) -> None:
        """Answer the last request."""
        self._out.write(f"{json.dumps(found)}\n".encode())
        self._out.flush()

    def ask(self, **request: Any) -> Message:
        """Ask the yardstick something before the last request is answered."""
        self.answer(**request)
        return dict(json.loads(self._in.readline() or "{}"))


class Buffer:
    """Memory that both processes see, as a file without a name."""

    def __init__(self, size: int, number: int | None = None) -> None:
        """Make one of `size` bytes, or open the one that a request names."""
        self.size = size
        if number is None:
            fast = "/dev/shm" if os.path.isdir("/dev/shm") else None
            self._file = tempfile.TemporaryFile(dir=fast)  # noqa: SIM115 (as long as the buffer)
            self._file.truncate(size)
            number = self._file.fileno()
        self.number = number
        self.memory = mmap.mmap(number, size)

    def tensor(self, dtype: "torch.dtype", *shape: int) -> "torch.Tensor":
        """Return its beginning as a tensor; what is written to it, both processes see."""
        import torch  # a server that answers in JSON needs none

        count = 1
        for length in shape:
            count *= length
        return torch.frombuffer(self.memory, dtype=dtype, count=count).view(shape)


class RemoteScore:
    """A model in the server: tokens (B, T) -> log-probabilities (B, T, V), float32."""

    def __init__(
        self, leaf: Path, device: "torch.device", batch: int, row: int, vocab: int
    ) -> None:
        """Start the server for batches of at most `batch` rows of `row` tokens."""
        self.device, self.vocab, size = device, vocab, 4 * batch * row * vocab
        self.tokens, self.found = Buffer(8 * batch * row), Buffer(size)
        self.on_device = gpu_memory.Memory(size) if device.type == "cuda" else None
        self.server = Server(leaf, self.tokens, self.found)

    def __call__(self, inputs: "torch.Tensor") -> "torch.Tensor":
        """Return a copy of what the model says; nobody can change it any more."""
        import torch

        shape = list(inputs.shape)
        self.tokens.tensor(torch.int64, *shape).copy_(inputs)
        shared = self.on_device
        told = {"on_device": [shared.size, shared.handle]} if shared else {}
        answer = self.server.ask(shape=shape, **told)
        said = answer.get("shape")
        if said != [*shape, self.vocab]:
            raise SystemExit(
                f"refused: log-probabilities of shape {said} where {(*shape, self.vocab)} is needed"
            )
        found = shared if shared and answer.get("on_device") else self.found
        copy = found.tensor(torch.float32, *said).to(self.device, copy=True)
        devices.synchronize(self.device)  # before the server may write again
        return copy


def answer_tokens(requests: Requests, score: Any, device: "torch.device") -> None:
    """Answer requests for log-probabilities with `score`, until there are no more."""
    import torch

    shared = None
    with torch.inference_mode():
        for request in requests:
            tokens, found = (Buffer(size, number) for number, size in request["buffers"])
            inputs = tokens.tensor(torch.int64, *request["shape"]).to(device, copy=True)
            if shared is None and "on_device" in request:
                shared = opened(*request["on_device"])
            said = score(inputs)
            shape = list(said.shape)
            if said[..., 0].numel() == inputs.numel() and 4 * said.numel() <= found.size:
                (shared or found).tensor(torch.float32, *shape).copy_(said)
                devices.synchronize(device)
            requests.answer(shape=shape, on_device=bool(shared))


def opened(size: int, handle: str) -> gpu_memory.Memory | None:
    """Return the yardstick's memory of the GPU, or None where this process cannot have it."""
    try:
        return gpu_memory.Memory(size, handle)
    except OSError as error:
        print(f"answers go through the host's memory: {error}", file=sys.stderr)
        return None


def failed(requests: Requests, why: str) -> NoReturn:
    """Answer the first request that nothing can be answered, and stop."""
    if next(iter(requests), None) is not None:
        requests.answer(refused=why)
    raise SystemExit(why)
