"""Table importer: a tab-separated `results.tsv`, whatever its columns are called."""

import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from ..errors import Usage
from .rows import ImportedRow, Problem
from .values import OUTCOMES, VERDICTS, deciding, measured, number, verdict, when

HINT = "A results.tsv begins with: commit<TAB>val_bpb<TAB>status<TAB>description"

ROLES: dict[str, tuple[str, ...]] = {
    "commit": ("commit", "hash", "sha", "git_commit", "commit_hash", "id", "run", "run_id", "exp"),
    "status": ("status", "verdict", "decision", "outcome", "result"),
    "claim": ("description", "desc", "change", "idea", "title", "summary", "experiment", "notes"),
    "mechanism": ("hypothesis", "mechanism", "rationale", "reason", "reasoning", "why"),
    "lesson": ("interpretation", "lesson", "insight", "conclusion", "finding", "learned"),
    "outcome": ("agrees_with_hypothesis", "mechanism_confirmed"),
    "at": ("timestamp", "datetime", "created_at", "date", "time", "at"),
    "leaf": ("leaf", "task", "task_id", "repo"),
}


class _Header:
    """Which column plays which role; the columns without one are metrics."""

    def __init__(self, cells: list[str]) -> None:
        self.names = [cell.strip() for cell in cells]
        known = [name.lower().replace(" ", "_") for name in self.names]
        self.places: dict[str, int] = {}
        for role, spellings in ROLES.items():
            found = [known.index(s) for s in spellings if s in known]
            if found:
                self.places[role] = found[0]
        if "claim" not in self.places and "mechanism" in self.places:
            self.places["claim"] = self.places.pop("mechanism")  # "hypothesis" is all there is
        taken = set(self.places.values())
        self.measured = [i for i in range(len(self.names)) if i not in taken and self.names[i]]
        self.key = sha256("\t".join(self.names).encode()).hexdigest()[:16]
        self.deciding = deciding([self.names[i] for i in self.measured])

    @staticmethod
    def fits(cells: list[str], now: "_Header | None") -> bool:
        """Say whether a line is a header, the first one or, later on, a repeated or a new one."""
        if now is not None and [cell.strip() for cell in cells] == now.names:
            return True
        known = {cell.strip().lower().replace(" ", "_") for cell in cells}
        told = known & {*ROLES["status"], *ROLES["claim"], *ROLES["mechanism"]}
        enough = 1 if now is None else 2  # a lone "idea" further down is a row's status
        return len(told) >= enough and len(cells) > 1 and all(number(c) is None for c in cells)

    @classmethod
    def guess(cls, cells: list[str]) -> "_Header | None":
        """Name the columns of a log that has no header, by what its first line holds."""
        status = [i for i, cell in enumerate(cells) if cell.strip().lower() in VERDICTS]
        if not status or status[0] == len(cells) - 1:
            return None
        names = [f"column{i + 1}" for i in range(len(cells))]
        names[0], names[status[0]], names[-1] = "commit", "status", "description"
        numbers = [i for i, cell in enumerate(cells) if i > 0 and number(cell) is not None]
        if numbers:
            names[numbers[0]] = "metric"
        return cls(names)

    def cell(self, role: str, cells: list[str]) -> str:
        """Return the text that plays `role`, or nothing."""
        return cells[self.places[role]].strip() if role in self.places else ""


def read(path: Path) -> Iterator[ImportedRow | Problem]:
    """Yield the rows of a tab-separated log, one line after the other."""
    header: _Header | None = None
    seen: Counter[str] = Counter()
    with path.open("rb") as file:
        for place, raw in enumerate(file, 1):
            line, broken = _decoded(raw, first=place == 1)
            if not line.strip():
                continue
            cells = line.split("\t")
            if _Header.fits(cells, header):
                header = _Header(cells)
                continue
            if header is None:
                header = _Header.guess(cells)
                if header is None:
                    raise Usage(f"{path} has no header that says what its columns are.", HINT)
                yield Problem(place, "no header; the columns were guessed", skipped=False)
            if broken:
                yield Problem(place, "bytes that are not UTF-8 were replaced", skipped=False)
            yield from _row(place, cells, header, seen)


def _decoded(raw: bytes, first: bool) -> tuple[str, bool]:
    """Return a line as text without its ending, and whether bytes had to be replaced."""
    raw = raw.rstrip(b"\r\n")
    if first:
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return raw.decode(), False
    except UnicodeDecodeError:
        return raw.decode(errors="replace"), True


def _row(
    place: int, cells: list[str], header: _Header, seen: Counter[str]
) -> Iterator[ImportedRow | Problem]:
    """Yield what one line says: its problems, then its row unless it had to be skipped."""
    wanted = len(header.names)
    while len(cells) > wanted and not cells[-1].strip():
        cells.pop()
    if len(cells) != wanted:
        yield Problem(place, f"{len(cells)} columns where the header has {wanted}; skipped")
        return
    claim = header.cell("claim", cells)
    if not claim:
        yield Problem(place, "no description; skipped")
        return
    judged, known = verdict(header.cell("status", cells) or _leading(claim, header))
    if not known:
        status = header.cell("status", cells)
        yield Problem(place, f"status {status!r} is not one we know; no verdict", skipped=False)
    numbers = {header.names[i]: number(cells[i]) for i in header.measured}
    metrics = measured({n: v for n, v in numbers.items() if v is not None}, judged)
    text = cells[header.names.index(header.deciding)].strip() if header.deciding else ""
    if header.deciding and numbers[header.deciding] is None and judged != "crash":
        yield Problem(place, f"{header.deciding} {text!r} is not a number", skipped=False)
    line = "\t".join(cells)
    seen[line] += 1
    yield ImportedRow(
        line=place,
        commit=_commit(header.cell("commit", cells)),
        metric=header.deciding,
        value=metrics.get(header.deciding or ""),
        metrics=metrics,
        verdict=judged,
        claim=claim,
        mechanism=header.cell("mechanism", cells),
        lesson=header.cell("lesson", cells) or None,
        mechanism_outcome=OUTCOMES.get(header.cell("outcome", cells).lower()),
        at=when(header.cell("at", cells)),
        uid_seed=f"tsv:{header.key}:{sha256(line.encode()).hexdigest()}:{seen[line]}",
        leaf=header.cell("leaf", cells) or None,
    )


def _leading(claim: str, header: _Header) -> str:
    """Return the verdict word that opens a description in a log without a status column."""
    opened = re.match(r"(keep|kept|discard|discarded|crash)\b\s*[:\u2013\u2014-]", claim, re.I)
    return opened[1] if opened and "status" not in header.places else ""


def _commit(text: str) -> str | None:
    """Return a commit's hash, or None for "na", "baseline" and other names."""
    return text if re.fullmatch(r"[0-9a-fA-F]{6,64}", text) else None
