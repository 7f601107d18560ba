"""Stand-in of three vendors' models on loopback: it plays a script of tool calls.

It speaks Anthropic's Messages API (https://docs.anthropic.com/en/api/messages-streaming), OpenAI's
Responses API (https://platform.openai.com/docs/api-reference/responses-streaming) and Gemini's
(https://ai.google.dev/api/generate-content), each as far as the vendor's own agent listens. A
script is a generator: it yields moves and is sent what each one's tool answered.
"""

import json
import re
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


@dataclass(frozen=True)
class Shell:
    """A command for the agent's shell."""

    command: str


@dataclass(frozen=True)
class Read:
    """A file for its reader, by its whole path."""

    path: str


@dataclass(frozen=True)
class Edit:
    """One piece of text in the place of another, by the agent's own editor."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Say:
    """Words, and the end of the session."""

    text: str


@dataclass(frozen=True)
class Limit:
    """The account's usage limit, which ends in so many seconds."""

    for_s: int


@dataclass(frozen=True)
class SignedOut:
    """A key that is nobody's."""


Move = Shell | Read | Edit | Say | Limit | SignedOut
Script = Generator[Move, str, None]
JSON = dict[str, Any]


class Talk:
    """One session: a script, and the moves that it made so far.

    An agent sends all of its talk each time, so what was asked twice is answered twice the same.
    """

    def __init__(self, script: Script) -> None:
        self.script, self.moves = script, [next(script)]
        self.answers: list[str] = []

    def move(self, answers: Sequence[str]) -> Move:
        """Return the move after so many answers."""
        if len(answers) == len(self.moves):
            self.answers.append(answers[-1])
            try:
                self.moves.append(self.script.send(answers[-1]))
            except StopIteration:
                self.moves.append(Say("That is all."))
        return self.moves[len(answers)]


class Anthropic:
    """What Claude Code listens to."""

    paths = re.compile(r"/v1/messages\b(?!/)")

    @staticmethod
    def is_talk(asked: JSON) -> bool:
        """Return whether this is the session, and no question beside it (a title, a quota)."""
        return bool(asked.get("tools"))

    @staticmethod
    def answers(asked: JSON) -> list[str]:
        """Return what the tools answered so far."""
        blocks = [
            block
            for message in asked["messages"]
            if isinstance(message["content"], list)
            for block in message["content"]
        ]
        return [plain(b.get("content")) for b in blocks if b["type"] == "tool_result"]

    @staticmethod
    def call(move: Shell | Read | Edit) -> tuple[str, JSON]:
        """Return the tool of a move, and what it takes."""
        if isinstance(move, Shell):
            return "Bash", {"command": move.command, "description": "as the script says"}
        if isinstance(move, Read):
            return "Read", {"file_path": move.path}
        return "Edit", {"file_path": move.path, "old_string": move.old, "new_string": move.new}

    @classmethod
    def events(cls, move: Move, turn: int, asked: JSON) -> Iterator[JSON]:
        """Yield the events of a streamed answer."""
        usage = {"input_tokens": 1000, "output_tokens": 1}
        message = {
            **{"id": f"msg_{turn}", "type": "message", "role": "assistant", "content": []},
            **{"model": asked["model"], "stop_reason": None, "stop_sequence": None},
        }
        yield {"type": "message_start", "message": {**message, "usage": usage}}
        if isinstance(move, Say):
            start, reason = {"type": "text", "text": ""}, "end_turn"
            delta = {"type": "text_delta", "text": move.text}
        else:
            name, words = cls.call(move)  # type: ignore[arg-type]
            start = {"type": "tool_use", "id": f"toolu_{turn}", "name": name, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(words)}
            reason = "tool_use"
        yield {"type": "content_block_start", "index": 0, "content_block": start}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}
        ended = {"stop_reason": reason, "stop_sequence": None}
        yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 50}}
        yield {"type": "message_stop"}

    @staticmethod
    def limit(move: Limit) -> tuple[dict[str, str], JSON]:
        """Return the headers and the words of a usage limit."""
        until = int(time.time()) + move.for_s
        headers = {
            "anthropic-ratelimit-unified-status": "rejected",
            "anthropic-ratelimit-unified-reset": str(until),
            "anthropic-ratelimit-unified-representative-claim": "five_hour",
            "x-should-retry": "false",
        }
        error = {"type": "rate_limit_error", "message": "You have reached your usage limit."}
        return headers, {"type": "error", "error": error}

    @staticmethod
    def signed_out() -> tuple[dict[str, str], JSON]:
        """Return the headers and the words about a key that is nobody's."""
        error = {"type": "authentication_error", "message": "invalid x-api-key"}
        return {"x-should-retry": "false"}, {"type": "error", "error": error}

    @staticmethod
    def aside(asked: JSON) -> JSON:
        """Return the answer to a question that is not streamed."""
        return {
            **{"id": "msg_aside", "type": "message", "role": "assistant", "model": asked["model"]},
            "content": [{"type": "text", "text": "{}"}],
            **{"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }


class OpenAI:
    """What Codex listens to."""

    paths = re.compile(r"/v1/responses\b")
    EDITOR: ClassVar = "apply_patch"

    @staticmethod
    def is_talk(asked: JSON) -> bool:
        """Return whether this is the session."""
        return bool(asked.get("tools"))

    @staticmethod
    def answers(asked: JSON) -> list[str]:
        """Return what the tools answered so far."""
        outputs = ("function_call_output", "custom_tool_call_output")
        return [plain(item["output"]) for item in asked["input"] if item.get("type") in outputs]

    @classmethod
    def item(cls, move: Shell | Read | Edit, turn: int) -> JSON:
        """Return a move as an item of the answer."""
        called = {"call_id": f"call_{turn}", "id": f"fc_{turn}"}
        if isinstance(move, Edit):
            lines = [f"*** Begin Patch\n*** Update File: {move.path}\n@@"]
            lines += [f"-{line}" for line in move.old.splitlines()]
            lines += [f"+{line}" for line in move.new.splitlines()]
            patch = "\n".join([*lines, "*** End Patch"])
            return {"type": "custom_tool_call", "name": cls.EDITOR, "input": patch, **called}
        command = move.command if isinstance(move, Shell) else f"cat {move.path}"
        words = {"cmd": command, "yield_time_ms": 30_000}
        call = {"name": "exec_command", "arguments": json.dumps(words)}
        return {"type": "function_call", **call, **called}

    @classmethod
    def events(cls, move: Move, turn: int, asked: JSON) -> Iterator[JSON]:
        """Yield the events of a streamed answer."""
        yield {"type": "response.created", "response": {"id": f"resp_{turn}"}}
        if isinstance(move, Say):
            text = {"type": "output_text", "text": move.text, "annotations": []}
            item = {"type": "message", "role": "assistant", "content": [text], "id": f"m_{turn}"}
        else:
            item = cls.item(move, turn)  # type: ignore[arg-type]
        yield {"type": "response.output_item.added", "output_index": 0, "item": item}
        yield {"type": "response.output_item.done", "output_index": 0, "item": item}
        usage = {
            **{"input_tokens": 1000, "output_tokens": 50, "total_tokens": 1050},
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        yield {
            "type": "response.completed",
            "response": {"id": f"resp_{turn}", "output": [item], "usage": usage},
        }

    @staticmethod
    def limit(move: Limit) -> tuple[dict[str, str], JSON]:
        """Return the headers and the words of a usage limit."""
        until = int(time.time()) + move.for_s
        error = {"type": "usage_limit_reached", "message": "limit", "resets_at": until}
        return {}, {"error": {**error, "plan_type": "plus", "resets_in_seconds": move.for_s}}

    @staticmethod
    def signed_out() -> tuple[dict[str, str], JSON]:
        """Return the headers and the words about a key that is nobody's."""
        error = {"type": "invalid_request_error", "code": "invalid_api_key", "param": None}
        return {}, {"error": {**error, "message": "Incorrect API key provided: none."}}

    @staticmethod
    def aside(asked: JSON) -> JSON:
        """Return the answer to a question that is not streamed."""
        return {"id": "resp_aside", "output": []}


class Gemini:
    """What Gemini CLI listens to."""

    paths = re.compile(r"/v1beta/models/[^:]+:(streamGenerateContent|generateContent)")

    @staticmethod
    def is_talk(asked: JSON) -> bool:
        """Return whether this is the session, and no question beside it (which model, a title)."""
        return bool(asked.get("tools"))

    @staticmethod
    def answers(asked: JSON) -> list[str]:
        """Return what the tools answered so far."""
        parts = [part for content in asked["contents"] for part in content.get("parts", ())]
        found = [part["functionResponse"] for part in parts if "functionResponse" in part]
        return [plain(one["response"]) for one in found]

    @staticmethod
    def call(move: Shell | Read | Edit) -> tuple[str, JSON]:
        """Return the tool of a move, and what it takes."""
        if isinstance(move, Shell):
            words = {"command": move.command, "description": "as the script says"}
            return "run_shell_command", words
        if isinstance(move, Read):
            return "read_file", {"file_path": move.path}
        why = {"file_path": move.path, "instruction": "as the script says"}
        return "replace", {**why, "old_string": move.old, "new_string": move.new}

    @classmethod
    def events(cls, move: Move, turn: int, asked: JSON) -> Iterator[JSON]:
        """Yield the events of a streamed answer."""
        if isinstance(move, Say):
            part: JSON = {"text": move.text}
        else:
            name, words = cls.call(move)  # type: ignore[arg-type]
            part = {"functionCall": {"name": name, "args": words, "id": f"call_{turn}"}}
        content = {"role": "model", "parts": [part]}
        counts = {"promptTokenCount": 1000, "candidatesTokenCount": 50, "totalTokenCount": 1050}
        yield {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": counts,
        }

    @staticmethod
    def limit(move: Limit) -> tuple[dict[str, str], JSON]:
        """Return the headers and the words of a usage limit."""
        quota = "GenerateRequestsPerDayPerProjectPerModel"
        details = [
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": quota, "quotaMetric": "requests"}],
            },
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{move.for_s}s"},
        ]
        error = {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}
        return {}, {"error": {**error, "message": "You exceeded your current quota."}}

    @staticmethod
    def signed_out() -> tuple[dict[str, str], JSON]:
        """Return the headers and the words about a key that is nobody's."""
        error = {"code": 401, "status": "UNAUTHENTICATED", "details": []}
        return {}, {"error": {**error, "message": "API key not valid. Please pass a valid key."}}

    @staticmethod
    def aside(asked: JSON) -> JSON:
        """Return the answer to a question that is not streamed."""
        said = {"complexity_reasoning": "a script", "complexity_score": 10}
        content = {"role": "model", "parts": [{"text": json.dumps(said)}]}
        return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}]}


VENDORS = (Anthropic, OpenAI, Gemini)


def plain(content: Any) -> str:
    """Return a tool's answer as text, however a vendor wraps it."""
    if isinstance(content, list):
        return "\n".join(plain(one) for one in content)
    if isinstance(content, Mapping):
        known = [content[key] for key in ("text", "output", "error", "content") if key in content]
        return plain(known[0]) if known else json.dumps(content)
    return str(content)


class Server(ThreadingHTTPServer):
    """Plays one script a session, in their order; the last one again when there are no more."""

    daemon_threads = True

    def __init__(self, scripts: Sequence[Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scripts = list(scripts)
        self.talks: list[Talk] = []
        self.asked: list[JSON] = []
        self.beside: list[str] = []  # paths that were asked for beside the vendors' own
        self.broken: Exception | None = None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def move(self, answers: Sequence[str]) -> Move:
        """Return the next move of the present session; without answers a new one begins."""
        with self.lock:
            fresh = not self.talks or (not answers and len(self.talks[-1].moves) > 1)
            if fresh:
                script = self.scripts[min(len(self.talks), len(self.scripts) - 1)]
                self.talks.append(Talk(script()))
            try:
                return self.talks[-1].move(answers)
            except Exception as error:  # of the script: the test is told when the serving ends
                self.broken = error
                return Say("The script is broken.")


class Handler(BaseHTTPRequestHandler):
    """One connection of an agent."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        """Answer with the script's next move, as the vendor would."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        vendor: Any = next((one for one in VENDORS if one.paths.match(self.path)), None)
        if vendor is None:
            return self._send(404, {}, b"{}")
        asked = json.loads(body)
        streamed = bool(asked.get("stream")) or ":stream" in self.path
        if not vendor.is_talk(asked):
            return self._aside(vendor, asked, streamed)
        self.server.asked.append(asked)
        answers = vendor.answers(asked)
        move = self.server.move(answers)
        if isinstance(move, Limit | SignedOut):
            status, (headers, error) = (
                (429, vendor.limit(move)) if isinstance(move, Limit) else (401, vendor.signed_out())
            )
            return self._send(status, headers, json.dumps(error).encode())
        return self._stream(vendor.events(move, len(answers), asked))

    def _aside(self, vendor: Any, asked: JSON, streamed: bool) -> None:
        if streamed:
            return self._stream(vendor.events(Say("{}"), 0, asked))
        return self._send(200, {}, json.dumps(vendor.aside(asked)).encode())

    def _stream(self, events: Iterator[JSON]) -> None:
        lines = []
        for event in events:
            named = f"event: {event['type']}\n" if "type" in event else ""
            lines.append(f"{named}data: {json.dumps(event)}\n\n")
        kind = {"content-type": "text/event-stream"}
        self._send(200, kind, "".join(lines).encode())

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in ({"content-type": "application/json"} | dict(headers)).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        """Answer what is asked beside: whether somebody is here, which models there are."""
        self.server.beside.append(self.path)
        self._send(200, {}, b"{}")

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(*scripts: Any) -> Iterator[Server]:
    """Serve the scripts, one a session, until the block ends; raise what one of them raised."""
    server = Server(scripts)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
    if server.broken is not None:
        raise server.broken
