"""`lab mcp`: the commands as tools of the Model Context Protocol, over standard input and output.

Each tool is the command of its name, typed with `--json` in the folder that is named: what comes
back is the document of docs/json.md, and a refusal is its two lines.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from ..system import source

WORDS = (
    "Measured research on one number: lab (Labtree). Begin with `brief`, in a worktree's folder."
)
Where = Annotated[str, Field(description="The folder to type it in; a worktree's leaf to work in.")]
Leaf = Annotated[str, Field(description="The leaf, where the folder is none.")]
What = Annotated[
    str, Field(description="An experiment, e34; of run and show a hypothesis too, h12.")
]
Idea = Annotated[str, Field(description="An idea in your words: what is known near it.")]
Wait = Annotated[float, Field(description="Seconds to wait at most; the run goes on by itself.")]
Tool = Callable[..., Awaitable[str]]
LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)


def serve(folder: Path) -> None:
    """Serve the tools until standard input is closed."""
    server(folder).run("stdio")


def server(folder: Path) -> MCPServer:
    """Return a server whose tools work in `folder` unless they are told another."""
    made = MCPServer("labtree", instructions=WORDS)
    here = _Desk(folder)
    looks: list[Tool] = [here.context, here.failures, here.show, here.board, here.log, here.brief]
    writes: list[Tool] = [here.hypothesis, here.run, here.wait, here.result, here.lesson]
    for tool in looks:
        made.tool(annotations=LOOKS)(tool)
    for tool in writes:
        made.tool(annotations=WRITES)(tool)
    return made


class _Desk:
    """The tools, each a command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def context(self, folder: Where = "", leaf: Leaf = "", about: Idea = "") -> str:
        """Where the leaf stands: what is open, the next step, noise, lessons, dead ends."""
        return await self._typed(folder, "context", *_of(leaf), *_option("--about", about))

    async def failures(self, text: Idea = "", folder: Where = "", leaf: Leaf = "") -> str:
        """What did not work and why, nearest to an idea first."""
        return await self._typed(folder, "failures", *_of(leaf), *_free(text))

    async def show(self, what: What, folder: Where = "") -> str:
        """Everything about an experiment (e34) or a hypothesis (h12)."""
        return await self._typed(folder, "show", what)

    async def board(self, leaf: str, folder: Where = "") -> str:
        """What was kept: confirmed and provisional gains."""
        return await self._typed(folder, "board", leaf)

    async def log(self, leaf: str, n: int = 20, folder: Where = "") -> str:
        """The newest experiments, newest first."""
        return await self._typed(folder, "log", leaf, "-n", str(n))

    async def brief(self, folder: Where = "", leaf: Leaf = "") -> str:
        """All an agent should read before it begins: protocol, facts, what is known."""
        words = ("brief", leaf) if leaf else ("brief",)
        return await self._typed(folder, *words, json=False)

    async def hypothesis(
        self,
        claim: str,
        mechanism: str,
        observe: Sequence[str] = (),
        expect: float = 0.0,
        folder: Where = "",
    ) -> str:
        """Write down what you change and why that should help, before you run it."""
        seen = [word for condition in observe for word in ("--observe", condition)]
        seen += ["--expect", str(expect)] if expect else []
        return await self._typed(folder, "hypothesis", "-m", mechanism, *seen, *_free(claim))

    async def run(self, what: What, seeds: int = 0, folder: Where = "", wait_s: Wait = 0.0) -> str:
        """Run the edit in the folder for a hypothesis (h12), more seeds (e34), or `baseline`."""
        words = ["run", "--baseline"] if what == "baseline" else ["run", what]
        words += ["--seeds", str(seeds)] if seeds else []
        waits = ["--wait", str(wait_s)] if wait_s else ["--detach"]
        return await self._typed(folder, *words, *waits)

    async def wait(self, experiment: What, wait_s: Wait = 45.0, folder: Where = "") -> str:
        """Wait for a run, and say how it stands; ask again while it is not over."""
        return await self._typed(folder, "wait", experiment, "--wait", str(wait_s))

    async def result(
        self, experiment: What, verdict: str, theory_revision: str = "", folder: Where = ""
    ) -> str:
        """Give the verdict that was suggested (keep, discard, crash), and what you now believe."""
        more = _option("--theory-revision", theory_revision)
        return await self._typed(folder, "result", experiment, "-v", verdict, *more)

    async def lesson(self, text: str, evidence: str, folder: Where = "") -> str:
        """Keep what two or more experiments (e31,e34) show together."""
        return await self._typed(folder, "lesson", "--evidence", evidence, *_free(text))

    async def _typed(self, folder: str, *words: str, json: bool = True) -> str:
        """Type a command; return what it prints, or raise what it refuses."""
        options = ["--json"] if json else []
        begins = source.argv(words[0], *options, *words[1:])
        process = await asyncio.create_subprocess_exec(
            *begins,
            cwd=folder or self.folder,
            env=source.environ(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await process.communicate()
        except asyncio.CancelledError:  # the run that it waits for goes on by itself
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            raise
        said = out.decode(errors="replace")
        if said.strip():  # exit 5, not yet, has a document too
            return said
        raise ToolError(err.decode(errors="replace").strip() or f"lab {words[0]} said nothing")


def _of(leaf: str) -> list[str]:
    return ["--leaf", leaf] if leaf else []


def _option(name: str, value: str) -> list[str]:
    return [name, value] if value else []


def _free(text: str) -> list[str]:
    """Return words that may begin with a dash."""
    return ["--", text] if text else []
