"""A stand-in for Modal's servers on loopback: sandboxes are folders, commands are local processes.

    python tests/modal_standin.py FOLDER        # prints its address, runs until it is ended

Written on the generated base classes that ship with the client. It answers what a run needs and
nothing else; any other call fails with UNIMPLEMENTED and its name. `FOLDER/faults.json` injects
faults, read at each call: `{"SandboxCreate": ["UNAVAILABLE", 2]}` fails the first two calls so;
`{"slow": 0.5}` delays each piece of output, `{"lives": 3}` shortens a sandbox's own limit.
`FOLDER/calls.log` has one line a call.
"""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import google.protobuf.empty_pb2
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server
from modal_proto import api_pb2 as api
from modal_proto import task_command_router_pb2 as router
from modal_proto.api_grpc import ModalClientBase
from modal_proto.task_command_router_grpc import TaskCommandRouterBase

PIECE = 1 << 15
LIVES_S = 300.0  # a sandbox whose creator named no limit


class World:
    """What the stand-in remembers: uploads, sandboxes, commands."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.address = folder, ""
        self.files: dict[str, bytes] = {}
        self.mounts: dict[str, list[tuple[str, str]]] = {}
        self.sandboxes: dict[str, Sandbox] = {}
        self.commands: dict[str, Command] = {}
        self.failed: dict[str, int] = {}

    def faults(self) -> dict[str, Any]:
        """Return the faults asked for at this moment."""
        path = self.folder / "faults.json"
        try:
            return dict(json.loads(path.read_text()))
        except (OSError, ValueError):
            return {}

    def called(self, name: str) -> None:
        """Note a call, and fail it when that was asked for."""
        with (self.folder / "calls.log").open("a") as log:
            log.write(f"{name}\n")
        fault = self.faults().get(name)
        if fault:
            status, times = fault
            if self.failed.get(name, 0) < times:
                self.failed[name] = self.failed.get(name, 0) + 1
                raise GRPCError(Status[status], f"injected: {status}")


class Sandbox:
    """A folder with what was uploaded, which lives until it is ended or its time is over."""

    def __init__(self, world: World, ident: str, spec: Any) -> None:
        self.world, self.id, self.task = world, ident, f"ta-{ident[3:]}"
        self.root = world.folder / "sandboxes" / ident
        self.root.mkdir(parents=True)
        for mount in spec.mount_ids:
            for name, digest in world.mounts[mount]:
                path = self.root / name.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(world.files[digest])
        self.workdir = self.root / (spec.workdir or "/").lstrip("/")
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.env = sent(spec)
        self.gpu = spec.resources.gpu_config.gpu_type
        self.ended = asyncio.Event()
        self.code: int | None = None
        limit = world.faults().get("lives") or spec.timeout_secs or LIVES_S
        self.clock = asyncio.get_running_loop().call_later(limit, self.end, 124)

    def end(self, code: int) -> None:
        """End the sandbox and every command in it."""
        if self.code is not None:
            return
        self.code = code
        self.clock.cancel()
        for command in self.world.commands.values():
            if command.sandbox is self:
                command.kill()
        self.ended.set()
        (self.root / "ended").write_text(str(code))

    def result(self) -> Any:
        """Return how it ended, as the API says it."""
        kinds = api.GenericResult
        status = {
            124: kinds.GENERIC_STATUS_TIMEOUT,
            137: kinds.GENERIC_STATUS_TERMINATED,
        }.get(self.code or 0, kinds.GENERIC_STATUS_SUCCESS)
        return api.GenericResult(status=status, exitcode=self.code or 0)


def clean() -> dict[str, str]:
    """Return what an image gives a process: nothing of the machine that the stand-in runs on."""
    return {"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8"}


def sent(request: Any) -> dict[str, str]:
    """Return the environment that came with a request, by the ways that clients send it.

    The pinned client (1.6.4) sends `env=` as a secret source; what it names by id, nobody made.
    """
    found = dict(getattr(request, "env", {}))
    for source in getattr(request, "secret_sources", ()):
        found |= dict(source.env.contents)
    return found


class Command:
    """A process in a sandbox, its output kept in memory for whoever reads it, from any offset."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.output = {0: bytearray(), 1: bytearray()}
        self.more = asyncio.Condition()
        self.done = False
        self.process: asyncio.subprocess.Process | None = None
        self.code = 0
        self.signal = 0

    async def start(self, request: Any) -> None:
        """Start the process in the sandbox's folder."""
        place = self.sandbox.workdir
        if request.workdir:
            place = self.sandbox.root / request.workdir.lstrip("/")
        self.process = await asyncio.create_subprocess_exec(
            *request.command_args,
            cwd=place,
            env=clean() | self.sandbox.env | sent(request),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self.tasks = [asyncio.create_task(self._watch(request.timeout_secs or 0))]

    async def _watch(self, limit: int) -> None:
        process = self.process
        assert process is not None
        if limit:
            asyncio.get_running_loop().call_later(limit, self.kill)
        await asyncio.gather(self._pump(0, process.stdout), self._pump(1, process.stderr))
        code = await process.wait()
        self.code, self.signal = max(code, 0), max(-code, 0)
        async with self.more:
            self.done = True
            self.more.notify_all()

    async def _pump(self, which: int, stream: Any) -> None:
        while piece := await stream.read(PIECE):
            async with self.more:
                self.output[which] += piece
                self.more.notify_all()

    async def read(self, which: int, offset: int) -> Any:
        """Yield the output from `offset` on, until the process has ended."""
        while True:
            async with self.more:
                while not self.done and len(self.output[which]) <= offset:
                    await self.more.wait()
                piece = bytes(self.output[which][offset : offset + PIECE])
            if not piece:
                return
            offset += len(piece)
            yield piece

    def kill(self) -> None:
        """End the process and its group."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def filled(base: type, world: World, own: dict[str, Any]) -> Any:
    """Return an instance of an abstract service: our methods, and a named refusal for the rest."""

    def method(name: str) -> Any:
        async def call(_: Any, stream: Any) -> None:
            world.called(name)
            if name not in own:
                raise GRPCError(Status.UNIMPLEMENTED, f"stand-in: {name}")
            await own[name](stream)

        return call

    names = base.__abstractmethods__  # type: ignore[attr-defined]
    return type(base.__name__, (base,), {name: method(name) for name in names})()


def token() -> str:
    """Return something shaped like a token that is good for an hour."""
    parts = [{"alg": "none"}, {"exp": int(time.time()) + 3600}, {}]
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts
    )


def control(world: World) -> dict[str, Any]:
    """Return the control plane's methods."""

    def answers(make: Any) -> Any:
        async def call(stream: Any) -> None:
            await stream.send_message(make(await stream.recv_message()))

        return call

    def put(request: Any) -> Any:
        world.files[request.sha256_hex] = request.data
        return api.MountPutFileResponse(exists=True)

    def mount(request: Any) -> Any:
        ident = f"mo-{uuid.uuid4().hex[:22]}"
        world.mounts[ident] = [(file.filename, file.sha256_hex) for file in request.files]
        return api.MountGetOrCreateResponse(
            mount_id=ident,
            handle_metadata=api.MountHandleMetadata(content_checksum_sha256_hex="0" * 64),
        )

    def missing(request: Any) -> Any:
        unknown = [one for one in request.sha256_hex_hashes if one not in world.files]
        return api.MountBatchedCheckExistenceResponse(missing_sha256_hex_hashes=unknown)

    def image(request: Any) -> Any:
        good = api.GenericResult(status=api.GenericResult.GENERIC_STATUS_SUCCESS)
        return api.ImageGetOrCreateResponse(image_id="im-standin", result=good)

    def made(spec: Any, prefix: str) -> Sandbox:
        ident = f"sb-{uuid.uuid4().hex[:22]}" if prefix == "1" else f"sb-01{uuid.uuid4().hex}"
        world.sandboxes[ident] = Sandbox(world, ident, spec)
        return world.sandboxes[ident]

    def create(request: Any) -> Any:
        return api.SandboxCreateResponse(sandbox_id=made(request.definition, "1").id)

    def create_2(request: Any) -> Any:
        sandbox = made(request.definition, "2")
        access = api.CommandRouterAccess(jwt=token(), url=world.address)
        return api.SandboxCreateV2Response(
            sandbox_id=sandbox.id, task_id=sandbox.task, command_router_access=access
        )

    def found(ident: str) -> Sandbox:
        if ident not in world.sandboxes:
            raise GRPCError(Status.NOT_FOUND, f"no sandbox {ident}")
        return world.sandboxes[ident]

    def end(answer: Any) -> Any:
        def ended(request: Any) -> Any:
            found(request.sandbox_id).end(137)
            return answer()

        return ended

    async def wait(stream: Any) -> None:
        request = await stream.recv_message()
        sandbox = found(request.sandbox_id)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sandbox.ended.wait(), request.timeout or 0.001)
        result = sandbox.result() if sandbox.ended.is_set() else None
        await stream.send_message(api.SandboxWaitResponse(result=result))

    def task(request: Any) -> Any:
        sandbox = found(request.sandbox_id)
        result = sandbox.result() if sandbox.ended.is_set() else None
        return api.SandboxGetTaskIdResponse(task_id=sandbox.task, task_result=result)

    def access(request: Any) -> Any:
        if all(s.task != request.task_id or s.ended.is_set() for s in world.sandboxes.values()):
            raise GRPCError(Status.NOT_FOUND, "the task is gone")
        return api.TaskGetCommandRouterAccessResponse(jwt=token(), url=world.address)

    def listing(request: Any) -> Any:
        alive = [one for one in world.sandboxes.values() if not one.ended.is_set()]
        rows = [
            api.SandboxInfo(id=one.id, created_at=time.time(), app_id="ap-standin")
            for one in alive
            if not request.before_timestamp  # the client asks for the next page until one is empty
        ]
        return api.SandboxListResponse(sandboxes=rows)

    plain = {
        "AppGetOrCreate": lambda _: api.AppGetOrCreateResponse(app_id="ap-standin"),
        "EnvironmentGetOrCreate": lambda _: api.EnvironmentGetOrCreateResponse(
            environment_id="en-standin",
            metadata=api.EnvironmentMetadata(
                name="main", settings=api.EnvironmentSettings(image_builder_version="2025.06")
            ),
        ),
        "ImageGetOrCreate": image,
        "MountBatchedCheckExistence": missing,
        "MountPutFile": put,
        "MountGetOrCreate": mount,
        "VolumeGetOrCreate": lambda _: api.VolumeGetOrCreateResponse(volume_id="vo-standin"),
        "SandboxCreate": create,
        "SandboxCreateV2": create_2,
        "SandboxGetTaskId": task,
        "SandboxTerminate": end(api.SandboxTerminateResponse),
        "SandboxTerminateV2": end(api.SandboxTerminateResponse),
        "SandboxList": listing,
        "SandboxListV2": listing,
        "TaskGetCommandRouterAccess": access,
        "SandboxGetCommandRouterAccess": lambda r: api.SandboxGetCommandRouterAccessResponse(
            jwt=token(), url=world.address
        ),
        "AuthTokenGet": lambda _: api.AuthTokenGetResponse(token=token()),
        "AppClientDisconnect": lambda _: google.protobuf.empty_pb2.Empty(),
    }
    return {name: answers(make) for name, make in plain.items()} | {
        "SandboxWait": wait,
        "SandboxWaitV2": wait,
    }


def commands(world: World) -> dict[str, Any]:
    """Return the command router's methods."""

    async def start(stream: Any) -> None:
        request = await stream.recv_message()
        owners = [s for s in world.sandboxes.values() if s.task == request.task_id]
        if not owners or owners[0].ended.is_set():
            raise GRPCError(Status.NOT_FOUND, "the sandbox is gone")
        if request.exec_id not in world.commands:  # a repeated start is the same command
            world.commands[request.exec_id] = command = Command(owners[0])
            await command.start(request)
        await stream.send_message(router.TaskExecStartResponse())

    async def read(stream: Any) -> None:
        request = await stream.recv_message()
        command = world.commands[request.exec_id]
        async for piece in command.read(request.file_descriptor, request.offset):
            await asyncio.sleep(world.faults().get("slow", 0))
            await stream.send_message(router.TaskExecStdioReadResponse(data=piece))

    async def wait(stream: Any) -> None:
        request = await stream.recv_message()
        command = world.commands[request.exec_id]
        async with command.more:
            await command.more.wait_for(lambda: command.done)
        known = {"signal": command.signal} if command.signal else {"code": command.code}
        await stream.send_message(router.TaskExecWaitResponse(**known))

    return {"TaskExecStart": start, "TaskExecStdioRead": read, "TaskExecWait": wait}


async def serve(folder: Path) -> None:
    """Serve until somebody ends this process; then end every sandbox."""
    world = World(folder)
    server = Server(
        [
            filled(ModalClientBase, world, control(world)),
            filled(TaskCommandRouterBase, world, commands(world)),
        ]
    )
    await server.start("127.0.0.1", 0)
    port = server._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    world.address = f"http://127.0.0.1:{port}"
    print(world.address, flush=True)
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    await done.wait()
    for sandbox in world.sandboxes.values():
        sandbox.end(137)
    server.close()
    shutil.rmtree(folder / "sandboxes", ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
