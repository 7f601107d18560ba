"""The application: each address a page, an act, or the stream of what moved."""

import contextlib
import gzip
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import parse_qsl

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from ..errors import LabError, NotFound, Usage
from ..notebook import explain
from ..workspace import Workspace
from . import shell
from .acts import Acts, Doer
from .changes import Changes
from .compare import ComparePage
from .experiment import ExperimentPage
from .gate import COOKIE_S, HEADERS, Asked, Gate
from .leaf import LeafPage
from .now import Now
from .parts import Page, Shelf, etag

THREADS = 4  # that make pages and act: more would only take turns
YEAR_S = 365 * 86400
FORM = 256 * 1024  # bytes: ten times the longest text that is kept
SMALL = 1000  # bytes below which nothing is won by packing
Handler = Callable[[Request], Awaitable[Response]]


class Server:
    """One repository's pages."""

    def __init__(self, workspace: Workspace, gate: Gate) -> None:
        self.workspace, self.gate = workspace, gate
        self.changes = Changes(workspace.place.home)
        self.shelf = Shelf(workspace.place.home)
        self.doer = Doer(workspace)
        self.title = workspace.place.main.name.removesuffix(".git")

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/", self._guarded(self.now)),
                Route("/leaf/{name:path}", self._guarded(self.leaf)),
                Route("/e/{number:int}", self._guarded(self.experiment)),
                Route("/compare", self._guarded(self.compare)),
                Route("/act/{act}", self._guarded(self.act), methods=["POST"]),
                Route("/in", self.enter),
                Route("/events", self._guarded(self.events)),
                Route("/static/{name}", self.static),
            ],
            lifespan=self._lifespan,
            exception_handlers={HTTPException: self.missing},
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await anyio.to_thread.run_sync(self._warm)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.changes.watch)
            yield
            tasks.cancel_scope.cancel()

    def _warm(self) -> None:
        """Make the first page once, so that nobody waits for what is loaded with it."""
        now = Now(self.workspace, Acts(False)).page()
        self.shelf.body("/", now.parts, self.changes.look())

    # -- The gate -----------------------------------------------------------------

    def _guarded(self, handler: Handler) -> Handler:
        """Return a handler that answers whom the gate lets in; what is refused is two lines."""

        async def guarded(request: Request) -> Response:
            why = self.gate.refuses(self._asked(request))
            if why is not None:
                return self._told(403, why, f"Open it again: {self._where()}")
            try:
                return await handler(request)
            except LabError as error:
                status = 404 if isinstance(error, NotFound) else 409
                return self._told(status, error.message, error.hint)
            except sqlite3.Error as error:
                told = explain(error, self.workspace.place.notebook)
                return self._told(503, str(told), "Load the page again in a moment.")

        return guarded

    def _asked(self, request: Request) -> Asked:
        header = request.headers.get
        return Asked(
            request.method,
            header("host", ""),
            header("origin"),
            request.cookies.get(self.gate.cookie),
        )

    def _where(self) -> str:
        return "the link that lab serve printed where it was started."

    def _told(self, status: int, message: str, hint: str) -> Response:
        return PlainTextResponse(f"{message}\n{hint}\n", status, HEADERS)

    async def enter(self, request: Request) -> Response:
        """Take the token of a link, and give the cookie for it."""
        asked = Asked("GET", "", None, request.query_params.get("token"))
        if not self.gate.knows(asked):
            return self._told(403, "This link has another token.", f"Type: {self._where()}")
        answer = RedirectResponse("/", 303, HEADERS)
        answer.set_cookie(
            *(self.gate.cookie, self.gate.token, COOKIE_S), httponly=True, samesite="strict"
        )
        return answer

    async def missing(self, _request: Request, error: Exception) -> Response:
        """There is no such page, or it is asked for in another way."""
        status = int(getattr(error, "status_code", 404))
        return self._told(status, "There is no such page here.", "Go back to the first page: /")

    # -- Pages --------------------------------------------------------------------

    def acts(self, request: Request) -> Acts:
        """Return what this reader may do."""
        return Acts(self.gate.knows(self._asked(request)))

    async def now(self, request: Request) -> Response:
        """The first page."""
        return await self._page(request, Now(self.workspace, self.acts(request)).page())

    async def leaf(self, request: Request) -> Response:
        """The page of one leaf."""
        name = request.path_params["name"]
        return await self._page(request, LeafPage(self.workspace, name, words(request)).page())

    async def experiment(self, request: Request) -> Response:
        """The page of one experiment."""
        number = request.path_params["number"]
        return await self._page(
            request, ExperimentPage(self.workspace, number, self.acts(request)).page()
        )

    async def compare(self, request: Request) -> Response:
        """Experiments side by side."""
        asked = request.query_params.getlist("e")
        return await self._page(request, ComparePage(self.workspace, asked).page())

    async def _page(self, request: Request, page: Page) -> Response:
        return await anyio.to_thread.run_sync(self._made, request, page)

    def _made(self, request: Request, page: Page) -> Response:
        """Return a page, or the parts of it that were asked for; nothing where it is as it was."""
        began = time.thread_time()
        wanted = request.query_params.get("parts")
        parts = [one for one in page.parts if wanted is None or one.name in wanted.split(",")]
        versions = self.changes.look()
        body = self.shelf.body(request.url.path, parts, versions)
        text = shell.whole(page, body, self.title)
        spent = f"cpu;dur={1000 * (time.thread_time() - began):.1f}"
        headers = {"Cache-Control": "private, no-cache", "Server-Timing": spent}
        return packed(request, text, "text/html", headers)

    # -- Acts ---------------------------------------------------------------------

    async def act(self, request: Request) -> Response:
        """Do what a form asks for, and go on where it shows."""
        fields = await _form(request)
        goes_on = await anyio.to_thread.run_sync(self.doer.do, request.path_params["act"], fields)
        return RedirectResponse(goes_on, 303, HEADERS)

    # -- What does not move -----------------------------------------------------------

    async def static(self, request: Request) -> Response:
        """A script or the style sheet: kept for good, since its address names its contents."""
        name = request.path_params["name"]
        text = shell.static(name)
        if text is None:
            return self._told(404, "There is no such file.", "Go back to the first page: /")
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        kept = {"Cache-Control": f"public, max-age={YEAR_S}, immutable"}
        return packed(request, text, kind, kept)

    async def events(self, request: Request) -> Response:
        """Tell what moved, for as long as somebody listens."""
        headers = {**HEADERS, "Cache-Control": "no-store"}
        return StreamingResponse(
            self.changes.events(), media_type="text/event-stream", headers=headers
        )


def packed(request: Request, text: str, kind: str, headers: dict[str, str]) -> Response:
    """Return a text: not at all where the reader has it, and small where it takes gzip."""
    name = etag(text)
    headers = {**HEADERS, **headers, "ETag": name}
    if name in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = text.encode("utf-8", "backslashreplace")
    if len(body) > SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        headers |= {"Content-Encoding": "gzip", "Vary": "Cookie, Accept-Encoding"}
        body = gzip.compress(body, 5, mtime=0)
    return Response(body, headers=headers, media_type=f"{kind}; charset=utf-8")


def words(request: Request) -> dict[str, str]:
    """Return what an address says behind its question mark."""
    return dict(request.query_params)


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form as browsers send it."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM:
            raise Usage(f"a form has at most {FORM:,} bytes.", "Say it in a paragraph.")
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
