"""Parse a coding agent's output: tokens, cost, the errors it reports, its last words."""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

LOG_LIMIT = 20_000_000  # bytes of one session's log: a chatty night; the end is kept as well
TAIL = 65_536  # bytes of the end: where an agent says why it stopped
LONGEST_LINE = 4_000_000  # a JSON line may hold a whole answer; longer ones are nobody's summary

LAST_LINES = 8  # of its plain words, in which an agent that failed says why
LONGEST_BLOCK = 400  # lines of JSON printed for people; more is no error message
ERRORS_KEPT = 20
ERROR_TYPES = {"error", "fatal", "turn.failed", "session.failed", "api_error", "stream_error"}
FAILED = {"error", "failed", "failure", "rejected"}
ENDINGS = {"result", "turn.completed", "session.completed"}
# What a tool said on the agent's behalf, or a person: an error in it is not the vendor's.
NOT_ITS_OWN = {
    *("user", "tool", "tool_result", "tool_use", "tool_call", "tool_response", "function_call"),
    *("function_call_output", "command_execution", "mcp_tool_call", "file_change", "web_search"),
    *("custom_tool_call", "custom_tool_call_output", "local_shell_call", "todo_list"),
}
PROSE = {"response", "usage", "modelUsage", "permission_denials", "stack"}
_FRAME = re.compile(
    r"\s*at .*[(:]\d+:\d+\)?$|\s*(?:File \".*\", line \d+|[\^~]+$)|\s*node:internal"
)


class OutputParser:
    """Reads an agent's output as it comes: into the log, capped, and into what it tells."""

    def __init__(self, log: Path, rules: Sequence[Mapping[str, Any]]) -> None:
        self.rules = rules
        self.tokens: int | None = None
        self.cost_usd: float | None = None
        self.last_output_at = time.monotonic()
        self._file: BinaryIO = log.open("wb", buffering=0)
        self._written = self._dropped = 0
        self._tail = b""
        self._line: dict[str, bytes] = {}
        self._errors: list[str] = []
        self._plain: list[str] = []
        self._block: dict[str, list[str]] = {}  # JSON of several lines, as far as it came

    def feed(self, stream: str, data: bytes) -> None:
        """Take in what came on one of the streams."""
        if self._file.closed:  # whoever still writes outlived the agent
            return
        self.last_output_at = time.monotonic()
        room = max(0, LOG_LIMIT - self._written)
        self._file.write(data[:room])
        self._written += min(room, len(data))
        self._dropped += max(0, len(data) - room)
        self._tail = (self._tail + data)[-TAIL:]
        *lines, rest = (self._line.get(stream, b"") + data).split(b"\n")
        self._line[stream] = rest if len(rest) <= LONGEST_LINE else b""
        for line in lines:
            self._parse_line(stream, line)

    def close(self) -> None:
        """Finish the log; when it was cut, its end follows."""
        if self._file.closed:
            return
        for stream, rest in self._line.items():
            self._parse_line(stream, rest)
        if self._dropped:
            note = f"\n... {self._dropped} bytes left out; the end:\n"
            self._file.write(note.encode() + self._tail)
        self._file.close()

    def _parse_line(self, stream: str, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if not text.strip():
            return
        found = _objects(self._whole(stream, text))
        if not found:
            self._plain = [*self._plain, text.strip()[:2000]][-ERRORS_KEPT:]
        for one in found:
            self._count(one)
            errors = [error[:2000] for error in _errors(one)]
            if not errors and (one.get("type") or one.get("event")) in ENDINGS:
                self._errors = []  # what went wrong before, it got over
            self._errors = [*self._errors, *errors][-ERRORS_KEPT:]

    def _whole(self, stream: str, text: str) -> str:
        """Return a line, or the whole of a JSON text of several lines once its last one came."""
        block = self._block.setdefault(stream, [])
        if block or text in ("{", "["):
            block.append(text)
        if text in ("}", "]") or len(block) > LONGEST_BLOCK:
            text = "\n".join(block) or text
            block.clear()
        return text

    def _count(self, found: Mapping[str, Any]) -> None:
        for rule in self.rules:
            if rule.get("type") not in (None, found.get("type")):
                continue
            numbers = [_at(found, path) for path in rule.get("tokens", ())]
            known = [number for number in numbers if number is not None]
            if known:
                self.tokens = (self.tokens or 0) + int(sum(known))
            cost = _at(found, rule["cost"]) if "cost" in rule else None
            if cost is not None:
                self.cost_usd = (self.cost_usd or 0.0) + cost
            if known or cost is not None:
                return

    def error_lines(self, failed: bool = True) -> list[str]:
        """Return what may say why it ended: errors in its JSON; its last words where it failed."""
        words = [line for line in self._plain if not _FRAME.match(line)][-LAST_LINES:]
        return [*words, *self._errors] if failed else self._errors

    def last(self) -> str:
        """Return the last thing it said that a person could read."""
        return next(reversed([*self._plain, *self._errors]), "it said nothing")


def _objects(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects that a line is: one, a list of them, or none."""
    text = text.strip().removeprefix("data: ")  # as a server sends events
    if not text.startswith(("{", "[")):
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found = found if isinstance(found, list) else [found]
    return [one for one in found if isinstance(one, dict)]


def _at(found: Mapping[str, Any], path: str) -> float | None:
    """Return the number at a dotted path."""
    value: Any = found
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good else None


def _errors(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the error messages of one JSON line, however deep they lie."""
    if NOT_ITS_OWN & {found.get("type"), found.get("role")}:
        return
    if _is_error(found):
        yield _message(found)
        return
    for value in found.values():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from _errors(inner)


def _is_error(found: Mapping[str, Any]) -> bool:
    """Return whether an object says of itself that it is an error."""
    return bool(
        found.get("is_error")
        or (found.get("error") and found["error"] is not True)
        or found.get("type") in ERROR_TYPES
        or str(found.get("status")).lower() in FAILED
    )


def _message(found: Mapping[str, Any]) -> str:
    """Return an error's own words, or all that it holds but for what is nobody's message."""
    plain = [found.get(name) for name in ("result", "error", "message")]
    words = [text for text in plain if text]
    if len(words) == 1 and isinstance(words[0], str):
        return words[0]
    kept = {name: value for name, value in found.items() if name not in PROSE}
    return json.dumps(kept, ensure_ascii=False)
