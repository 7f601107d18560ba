"""Listening: one process, few connections, an end that waits for nobody."""

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import Environment
from ..workspace import Workspace
from .app import Server
from .gate import Gate, token

CONNECTIONS = 200  # at once; a browser has six
SILENT_S = 10.0  # that a connection may stay without a request
WAITING = 64  # connections that were not looked at yet
BODY = 64 * 1024  # bytes of a request's head
END_S = 1  # for answers that are on their way


class Few(H11Protocol):  # type: ignore[misc]  # it is untyped where it is not installed
    """HTTP for a number of connections: one too many is closed, and so is one that asks nothing."""

    def connection_made(self, transport: Any) -> None:
        """Take a connection."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
            return
        self.loop.call_later(SILENT_S, self._end_silent, transport)

    def _end_silent(self, transport: Any) -> None:
        if self.cycle is None and not transport.is_closing():
            transport.abort()


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; say so where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(WAITING)  # from here on who knocks is waited for
    except (OSError, OverflowError) as error:
        made.close()
        raise Environment(
            f"{host}:{port} cannot be listened at ({getattr(error, 'strerror', None) or error}).",
            f"Type another: lab serve --port {port + 1 if 0 < port < 65535 else 7778}",
        ) from None
    return made


def serve(workspace: Workspace, host: str, port: int, ready: Callable[[Gate], None]) -> None:
    """Serve until somebody ends it; `ready` is told the gate once the address is ours."""
    with workspace.open(write=True):
        pass  # a notebook of an earlier version is brought up to date, and recovered
    with contextlib.closing(bind(host, port)) as made:
        _serve(workspace, made, host, ready)


def _serve(
    workspace: Workspace, made: socket.socket, host: str, ready: Callable[[Gate], None]
) -> None:
    gate = Gate(host, made.getsockname()[1], token(workspace.place.home.serve_token))
    app = Server(workspace, gate)
    config = uvicorn.Config(
        app.app(),
        **{"http": Few, "ws": "none", "loop": "asyncio", "lifespan": "on"},
        **{"log_level": "warning", "access_log": False, "server_header": False},
        **{"proxy_headers": False, "h11_max_incomplete_event_size": BODY},
        **{"timeout_keep_alive": 5, "timeout_graceful_shutdown": END_S, "backlog": WAITING},
    )
    server = uvicorn.Server(config)
    app.changes.is_over = lambda: bool(server.should_exit)
    ready(gate)
    server.run(sockets=[made])
