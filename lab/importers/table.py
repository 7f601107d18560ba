"""Table importer: such as a tab-separated `results.tsv`, whatever its columns are called."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from ..errors import Usage
from . import cells, names, text
from .rows import ImportedRow, Problem, Said
from .values import (
    BLANK,
    OUTCOMES,
    VERDICTS,
    Direction,
    decimal_comma,
    direction,
    measured,
    number,
    verdict,
    when,
)

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
    "direction": ("metric_direction", "direction", "best_direction", "goal", "higher_is_better",
                  "lower_is_better"),
    "name": ("metric_name", "metric_key", "objective_name", "metric"),
    "value": ("metric_value", "value", "score", "metric_result", "metric"),
}  # fmt: skip
WORDED = ("status", "claim", "mechanism", "lesson", "direction", "name")  # never only numbers
OPTIONAL = ("claim", "mechanism", "lesson", "outcome", "leaf")  # an editor may cut them off empty
LONGEST_NAME = 60  # characters of a column's name; more is a sentence
Cells = list[str]


@dataclass
class Section:
    """Lines under one header: which column plays which role; the others may be metrics."""

    names: Cells
    rows: list[tuple[int, Cells]] = field(default_factory=list)
    guessed: bool = False
    raw: dict[int, str] = field(default_factory=dict)  # lines as they were, where cells are not

    def __post_init__(self) -> None:
        self.names = [name.strip() for name in self.names]
        self.key = sha256("\t".join(self.names).encode()).hexdigest()[:16]
        self.places: dict[str, int] = {}
        self.measured: list[int] = []

    def settle(self) -> None:
        """Give each role the first column of a fitting name whose cells fit too."""
        known = [plain(name) for name in self.names]
        for role, spellings in ROLES.items():
            for place in (known.index(s) for s in spellings if s in known):
                if place not in self.places.values() and self._suits(role, place):
                    self.places[role] = place
                    break
        if not {"name", "value"} <= self.places.keys():
            self.places = {k: v for k, v in self.places.items() if k not in ("name", "value")}
        if "claim" not in self.places and "mechanism" in self.places:
            self.places["claim"] = self.places.pop("mechanism")  # "hypothesis" is all there is
        taken = set(self.places.values())
        self.measured = [i for i in range(len(self.names)) if i not in taken and self.names[i]]
        self.commas = {i for i in range(len(self.names)) if decimal_comma(self.column(i))}

    def column(self, place: int) -> Cells:
        """Return the cells of a column that hold something."""
        found = (row[place].strip() for _, row in self.rows if place < len(row))
        return [cell for cell in found if cell.lower() not in BLANK]

    def _suits(self, role: str, place: int) -> bool:
        held = self.column(place)
        numbers = [cell for cell in held if number(cell) is not None]
        if role == "at":
            return any(when(cell) for cell in held) or len(numbers) < len(held) or not held
        if role == "value":
            return bool(numbers)
        return role not in WORDED or not held or len(numbers) < len(held)

    def cell(self, role: str, row: Cells) -> str:
        """Return the text that plays `role`, or nothing."""
        return row[self.places[role]].strip() if role in self.places else ""

    def number(self, place: int, row: Cells) -> float | None:
        """Return the number of a cell."""
        return number(row[place], comma=place in self.commas)

    def says(self, row: Cells) -> Direction | None:
        """Return which way the row says is better."""
        word = self.cell("direction", row).lower()
        asked = (
            direction(self.names[self.places["direction"]]) if "direction" in self.places else None
        )
        if asked and word in OUTCOMES:  # lower_is_better: false
            yes = OUTCOMES[word] == "confirmed"
            return asked if yes else "maximize" if asked == "minimize" else "minimize"
        return direction(word)


def plain(name: str) -> str:
    """Return a column's name as roles are spelled."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name.strip().strip("*`#").strip())
    return re.sub(r"[\s-]+", "_", apart.lower())


def read(path: Path, said: Said) -> Iterator[ImportedRow | Problem]:
    """Yield the rows of a table, and what is wrong with its lines; note what it says of itself."""
    sections: list[Section] = []
    problems = list(_gather(path, sections, said))
    if not sections:
        raise Usage(f"{path} has no header that says what its columns are.", HINT)
    yield from problems
    yield from rows_of(sections, "tsv")


def rows_of(sections: Sequence[Section], kind: str) -> Iterator[ImportedRow | Problem]:
    """Yield the rows of what was gathered, section by section."""
    seen: Counter[str] = Counter()
    for at, section in enumerate(sections):
        section.settle()
        for place, row in _merged(section):
            for found in _row(place, row, section, seen, kind):
                yield replace(found, section=at) if isinstance(found, ImportedRow) else found


# -- Lines -----------------------------------------------------------------------


def _gather(path: Path, sections: list[Section], said: Said) -> Iterator[Problem]:
    """Sort the lines under their headers; yield what is wrong with single ones."""
    waiting = list(text.lines(path))[::-1]
    mark = ""
    while waiting:
        place, line, broken = waiting.pop()
        here = sections[-1] if sections else None
        found = _header(line, here, mark)
        if found is not None:
            mark, header = found
            sections.append(Section(header))
            continue
        if _is_comment(line, here, mark):
            listen(line, said)
            continue
        if here is None:
            mark, header = _guessed(line)
            if not header:
                if not re.search("[\t;,|]", line):
                    continue  # a title above the table
                return
            here = Section(header, guessed=True)
            sections.append(here)
            yield Problem(place, "no header; the columns were guessed", skipped=False)
        if broken:
            yield Problem(place, "bytes that are not UTF-8 were replaced", skipped=False)
        if not cells.is_rule(line):
            yield from _line(place, _whole(line, mark, waiting, len(here.names)), here)


def _header(line: str, now: Section | None, mark: str) -> tuple[str, Cells] | None:
    """Return a header's mark and cells: the first one or, later on, a repeated or a new one."""
    for sign in (mark,) if mark else cells.MARKS:
        found = cells.split(line.lstrip("#").strip(" ") if now is None else line, sign)
        if len(found) > 1 and _fits(found, now, sign):
            while not found[-1].strip():
                found.pop()
            return sign, found
    return None


def _fits(found: Cells, now: Section | None, mark: str) -> bool:
    if now is not None and [cell.strip() for cell in found] == now.names:
        return True
    known = {plain(cell) for cell in found}
    told = known & {*ROLES["status"], *ROLES["claim"], *ROLES["mechanism"]}
    if any(number(cell) is not None for cell in found):
        return False
    if now is not None:
        return len(told) >= 2  # a lone "idea" further down is a row's status
    if any(len(cell) > LONGEST_NAME for cell in found) or len(known - {""}) < 2:
        return False
    score = any(names.rank(cell) in (0, 1) for cell in found)
    about = bool(known & {*ROLES["commit"], *ROLES["at"]})
    return (bool(told) and (mark == "\t" or score or about)) or (score and about)


def _is_comment(line: str, now: Section | None, mark: str) -> bool:
    if not line.lstrip().startswith(("#", "//")):
        return False
    return now is None or len(cells.split(line, mark)) != len(now.names)


def listen(line: str, said: Said) -> None:
    """Note what a comment says of the metric: its name, and which way is better."""
    about = re.search(
        r"\b(?:metric|objective)(?:[_ ]?name)?\s*[:=]\s*[\"'`]?([\w./@-]+)", line, re.I
    )
    if about and direction(about[1]) is None:
        said.metric = about[1]
    if re.search("direction|better|goal|objective|optimi|metric|minimi|maximi|[↓↑]", line, re.I):
        said.direction = direction(line) or said.direction


def _guessed(line: str) -> tuple[str, Cells]:
    """Name the columns of a log that has no header, by what its first line holds."""
    for mark in cells.MARKS:
        row = cells.split(line, mark)
        status = [i for i, cell in enumerate(row) if cell.strip().lower() in VERDICTS]
        if status and status[0] < len(row) - 1:
            header = [f"column{i + 1}" for i in range(len(row))]
            header[0], header[status[0]], header[-1] = "commit", "status", "description"
            numbers = [i for i, cell in enumerate(row) if i > 0 and number(cell) is not None]
            if numbers:
                header[numbers[0]] = "metric"
            return mark, header
    return "", []


def _whole(line: str, mark: str, waiting: list[text.Line], wanted: int) -> Cells:
    """Return a line's cells, with the lines below where a quoted cell goes on there."""
    row, joined, more = cells.split(line, mark), line, 0
    while len(row) <= wanted and cells.is_open(row) and more < min(cells.LONGEST, len(waiting)):
        more += 1
        joined += f"\n{waiting[-more][1]}"
        row = cells.split(joined, mark)
    if more and len(row) == wanted and not cells.is_open(row):
        del waiting[-more:]
        return row
    return cells.split(line, mark)


def _line(place: int, row: Cells, here: Section) -> Iterator[Problem]:
    """Put a line under its header, or say why it cannot be."""
    wanted = len(here.names)
    while len(row) > wanted and not row[-1].strip():
        row.pop()
    cut = {plain(name) for name in here.names[len(row) :]}
    if cut and len(row) > 1 and cut <= {s for role in OPTIONAL for s in ROLES[role]}:
        row += [""] * (wanted - len(row))  # an editor took the empty cells at the end away
    if len(row) != wanted:
        yield Problem(place, f"{len(row)} columns where the header has {wanted}; skipped")
    else:
        here.rows.append((place, row))


# -- Rows ------------------------------------------------------------------------


def _merged(section: Section) -> Iterator[tuple[int, Cells]]:
    """Yield rows; those that differ in metric and value alone are one, with a column for each."""
    if "name" not in section.places:
        yield from section.rows
        return
    name, value = section.places["name"], section.places["value"]
    called = list(dict.fromkeys(row[name].strip() for _, row in section.rows if row[name].strip()))
    width = len(section.names)
    section.names += called
    section.measured += range(width, width + len(called))
    section.commas |= set(range(width, len(section.names))) if value in section.commas else set()

    def rest(line: tuple[int, Cells]) -> tuple[str, ...]:
        return tuple(cell for i, cell in enumerate(line[1]) if i not in (name, value))

    for _, part in groupby(section.rows, key=rest):
        yield from _wide(list(part), name, value, called)


def _wide(
    part: Iterable[tuple[int, Cells]], name: int, value: int, called: Cells
) -> Iterator[tuple[int, Cells]]:
    """Yield a row for the lines of one experiment; a metric for the second time begins another."""
    now: tuple[int, Cells] | None = None
    held: set[str] = set()
    for place, row in part:
        if now is None or row[name].strip() in held:
            if now:
                yield now
            now, held = (place, row + [""] * len(called)), set()
        held.add(row[name].strip())
        if row[name].strip():
            now[1][len(row) + called.index(row[name].strip())] = row[value]
    if now:
        yield now


def _row(
    place: int, row: Cells, section: Section, seen: Counter[str], kind: str
) -> Iterator[ImportedRow | Problem]:
    """Yield what one line says: its problems, then its row."""
    claim = section.cell("claim", row)
    status, at = section.cell("status", row), section.cell("at", row)
    judged, known = verdict(status or _leading(claim, section))
    if not known:
        yield Problem(place, f"status {status!r} is not one we know; no verdict", skipped=False)
    if at and when(at) is None and at.lower() not in BLANK:
        yield Problem(place, f"time {at!r} is not one we can read", skipped=False)
    numbers = {section.names[i]: section.number(i, row) for i in section.measured}
    metrics = measured({n: v for n, v in numbers.items() if v is not None}, judged)
    if not (claim or metrics or status):
        yield Problem(place, "neither a description nor a number; skipped")
        return
    line = section.raw.get(place, "\t".join(row))
    seen[line] += 1
    commit = section.cell("commit", row)
    yield ImportedRow(
        line=place,
        commit=_commit(commit),
        metrics=metrics,
        verdict=judged,
        claim=claim or f"(not described: {commit or f'line {place}'})",
        mechanism=section.cell("mechanism", row),
        lesson=section.cell("lesson", row) or None,
        mechanism_outcome=OUTCOMES.get(section.cell("outcome", row).lower()),
        at=when(at),
        uid_seed=f"{kind}:{section.key}:{sha256(line.encode()).hexdigest()}:{seen[line]}",
        leaf=section.cell("leaf", row) or None,
        described=bool(claim),
        names=tuple(section.names[i] for i in section.measured),
        unread={
            section.names[i]: row[i].strip()
            for i in section.measured
            if numbers[section.names[i]] is None and _is_number_column(section, i)
        },
        says=section.says(row),
    )


def _is_number_column(section: Section, place: int) -> bool:
    """Say whether most of a column's cells are numbers, or its name is a score's."""
    held = section.column(place) if place < len(section.rows[0][1]) else []
    numbers = sum(number(cell) is not None for cell in held)
    return 2 * numbers >= len(held) > 0 or names.rank(section.names[place]) in (0, 1)


def _leading(claim: str, section: Section) -> str:
    """Return the verdict word that opens a description in a log without a status column."""
    opened = re.match(r"(keep|kept|discard|discarded|crash)\b\s*[:\u2013\u2014-]", claim, re.I)
    return opened[1] if opened and "status" not in section.places else ""


def _commit(written: str) -> str | None:
    """Return a commit's hash, or None for "na", "baseline" and other names."""
    return written if re.fullmatch(r"[0-9a-fA-F]{6,64}", written) else None
