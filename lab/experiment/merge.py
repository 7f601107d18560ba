"""Merge edits of a Python file statement by statement, so that neighbouring lines never conflict.

A file is read as constants, functions, imports, classes with their members, and the other
statements between those. Each is merged by itself; its bytes stay as one of the texts has them.
"""

import ast
import dataclasses
import itertools
import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

Lines = Callable[[str, str, str], str | None]  # merges (base, ours, theirs); None: they conflict
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")  # as Python counts: a form feed ends none


class Conflict(Exception):
    """Names that both sides changed, each in another way."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(dict.fromkeys(names))


class Unreadable(Exception):
    """A text that cannot be merged by statements: no Python, or in another order."""


@dataclass(frozen=True)
class Unit:
    """A statement by its name; of a class its head, and its members beside."""

    name: str
    lead: str  # the blank lines and comments above
    text: str
    plain: bool = False  # statements without a name: only their lines can be merged
    members: tuple["Unit", ...] = ()

    @property
    def whole(self) -> str:
        """The text with what is in it, without what is above."""
        return self.text + "".join(one.lead + one.whole for one in self.members)


Units = dict[str, Unit]


def python(base: str, ours: str, theirs: str, lines: Lines, whole: Collection[str] = ()) -> str:
    """Return `ours` with what `theirs` changed against `base`; raises Conflict or Unreadable.

    What both changed is merged by its lines, but for the names in `whole`.
    """
    old, mine, new = (
        units(text if text.endswith("\n") else f"{text}\n") for text in (base, ours, theirs)
    )
    found = _Merge(lines, whole).run(old, _aligned(old, mine), _aligned(old, new))
    merged = "".join(one.lead + one.whole for one in found)
    _compiled(merged)
    return merged if ours.endswith("\n") else merged.removesuffix("\n")


def changed(base: str, theirs: str) -> set[str]:
    """Return the names of what a text changed; raises Unreadable.

    >>> sorted(changed("LR = 1\\nSTEPS = 2\\n", "LR = 3\\nSTEPS = 2\\nWARM = 4\\n"))
    ['LR', 'WARM']
    """
    old = units(base)
    return set(_changed(old, _aligned(old, units(theirs))))


def _changed(old: Units, new: Units) -> Iterator[str]:
    yield from old.keys() ^ new.keys()
    for name in old.keys() & new.keys():
        one, other = old[name], new[name]
        if one.members and other.members:
            yield from _changed(_by_name(one.members), _by_name(other.members))
            one, other = (dataclasses.replace(unit, members=()) for unit in (one, other))
        if one.whole != other.whole:
            yield name
        if one.lead != other.lead:
            yield _above(name)


# -- Reading ----------------------------------------------------------------------


def units(text: str) -> Units:
    """Return a file's statements by name, in order, and last what follows them.

    >>> list(units("import os\\n\\nLR = 1\\nprint(LR)\\n\\ndef f(): ...\\n"))
    ['import os', 'LR', 'the lines after LR', 'f', 'the end']
    """
    lines = LINE.findall(text)
    found, end = _read(_compiled(text).body, lines, 0, "")
    return _by_name([*found, Unit("the end", "".join(lines[end:]), "")])


def _compiled(text: str) -> ast.Module:
    """Return the tree of a text that Python would run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "merged", "exec", dont_inherit=True)
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(str(error)) from None


def _by_name(found: Iterable[Unit]) -> Units:
    return {one.name: one for one in found}


def _read(
    body: list[ast.stmt], lines: list[str], start: int, inside: str
) -> tuple[list[Unit], int]:
    """Return the units of a body that begins below line `start`, and the line where it ends."""
    found: list[Unit] = []
    seen: Counter[str] = Counter()
    last = f"the lines at the top of {inside or 'the file'}"
    for name, statements in _named(body):
        plain = not name
        known = last if plain else f"{inside}{'.' * bool(inside)}{name}"
        seen[known] += 1
        known += f" (number {seen[known]})" if seen[known] > 1 else ""
        first, end = _begin(statements[0]), _end(statements[-1])
        lead = "".join(lines[start : first - 1])
        members, text = _members(known, statements, lines), "".join(lines[first - 1 : end])
        if members:
            text = "".join(lines[first - 1 : _head_end(statements[0])])
        found.append(Unit(known, lead, text, plain, members))
        start, last = end, last if plain else f"the lines after {known}"
    return found, start


def _members(name: str, statements: list[ast.stmt], lines: list[str]) -> tuple[Unit, ...]:
    """Return what is in a class; nothing for all else, and for a class on one line."""
    one = statements[0]
    if not isinstance(one, ast.ClassDef) or _head_end(one) >= _begin(one.body[0]):
        return ()
    return tuple(_read(one.body, lines, _head_end(one), name)[0])


def _head_end(one: ast.stmt) -> int:
    """Return the line where the head of a class ends, or its last base's."""
    inside = [*getattr(one, "bases", []), *(word.value for word in getattr(one, "keywords", []))]
    return max([one.lineno, *(_end(node) for node in inside)])


def _begin(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(one.lineno for one in decorators)])


def _end(node: ast.stmt | ast.expr) -> int:
    return int(node.end_lineno or node.lineno)


def _named(body: list[ast.stmt]) -> Iterator[tuple[str, list[ast.stmt]]]:
    """Yield (name, statements): each named one by itself, those without a name together."""
    for plain, group in itertools.groupby(_on_lines(body), key=lambda some: not _name(some)):
        if plain:
            yield "", [one for some in group for one in some]
        else:
            yield from ((_name(some), some) for some in group)


def _on_lines(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """Yield statements; those that share a line together."""
    shared: list[ast.stmt] = []
    for statement in body:
        if shared and _begin(statement) > _end(shared[-1]):
            yield shared
            shared = []
        shared.append(statement)
    if shared:
        yield shared


def _name(statements: list[ast.stmt]) -> str:
    """Return what statements are known by; nothing where one of them defines no name."""
    names = [_name_of(one) for one in statements]
    return "; ".join(names) if all(names) else ""


def _name_of(one: ast.stmt) -> str:
    match one:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return one.name
        case ast.Assign():
            return " = ".join(ast.unparse(target) for target in one.targets)
        case ast.AnnAssign():
            return ast.unparse(one.target)
        case ast.AugAssign():
            return f"{ast.unparse(one.target)} (added to)"
        case ast.Import():
            return ast.unparse(one)
        case ast.ImportFrom():
            return f"from {'.' * one.level}{one.module or ''} import"
    return ""


def _aligned(old: Units, new: Units) -> Units:
    """Let lines without a name that only got another neighbour keep the name they had."""
    there = {one.whole: name for name, one in old.items() if one.plain}
    found: Units = {}
    for name, one in new.items():
        known = there.get(one.whole, name) if one.plain else name
        if known in new or known in found or (name in old and old[name].whole == one.whole):
            known = name
        found[known] = dataclasses.replace(one, name=known)
    return found


# -- Merging ----------------------------------------------------------------------


class _Merge:
    """A merge of three texts; what conflicts is gathered before it is told."""

    def __init__(self, lines: Lines, whole: Collection[str]) -> None:
        self.lines, self.whole = lines, whole
        self.torn: list[str] = []

    def run(self, old: Units, ours: Units, theirs: Units) -> list[Unit]:
        """Return the merged units; raises Conflict with the names of all that is torn."""
        merged = self.level(old, ours, theirs)
        if self.torn:
            raise Conflict(self.torn)
        return merged

    def level(self, old: Units, ours: Units, theirs: Units) -> list[Unit]:
        """Merge one body: what both have, what is gone, what is new."""
        if not (_same_order(old, ours) and _same_order(old, theirs)):
            raise Unreadable("another order")
        merged = [self._kept(old, one, theirs) for one in ours.values()]
        found = [one for one in merged if one is not None]
        gone = [name for name in old if name not in ours and name in theirs]
        self.torn += [name for name in gone if theirs[name].whole != old[name].whole]
        self._add(found, old, ours, theirs)
        return found

    def _kept(self, old: Units, mine: Unit, theirs: Units) -> Unit | None:
        """Return one of our units as it is to be, or None where they took it away."""
        before, after = old.get(mine.name), theirs.get(mine.name)
        if before is None or after is None:
            return self._one_sided(before, mine, after)
        lead = self._lead(before, mine, after)
        if before.members and mine.members and after.members:
            return dataclasses.replace(self._class(before, mine, after), lead=lead)
        if mine.whole == before.whole:
            return dataclasses.replace(after, lead=lead)
        text = self._text(mine.name, before.whole, mine.whole, after.whole, mine.plain)
        return dataclasses.replace(mine, lead=lead, text=text, members=())

    def _one_sided(self, before: Unit | None, mine: Unit, after: Unit | None) -> Unit | None:
        """Return what is new on our side, or gone on theirs."""
        one = before or after
        if one is None or one.whole == mine.whole:
            return None if before else mine
        self.torn.append(mine.name)
        return mine

    def _class(self, before: Unit, mine: Unit, after: Unit) -> Unit:
        """Return a class with its head and each of its members merged."""
        text = self._text(mine.name, before.text, mine.text, after.text, plain=False)
        old, ours, theirs = (_by_name(one.members) for one in (before, mine, after))
        members = self.level(old, _aligned(old, ours), _aligned(old, theirs))
        return dataclasses.replace(mine, text=text, members=tuple(members))

    def _text(self, name: str, before: str, mine: str, after: str, plain: bool) -> str:
        found = _three_way(before, mine, after)
        if found is None and (plain or name not in self.whole):
            found = self.lines(before, mine, after)
        if found is None:
            self.torn.append(name)
        return mine if found is None else found

    def _lead(self, before: Unit, mine: Unit, after: Unit) -> str:
        found = _three_way(before.lead, mine.lead, after.lead)
        if found is None and mine.lead.split() != after.lead.split():
            found = self.lines(before.lead, mine.lead, after.lead)
            if found is None:
                self.torn.append(_above(mine.name))
        return mine.lead if found is None else found

    def _add(self, found: list[Unit], old: Units, ours: Units, theirs: Units) -> None:
        """Put what is new with them behind what stands before it there, and behind our new ones."""
        before: list[str] = []
        for name, one in theirs.items():
            if name not in old and name not in ours:
                names = [unit.name for unit in found]
                place = next((names.index(n) + 1 for n in before[::-1] if n in names), 0)
                while place < len(found) and names[place] not in old:
                    place += 1
                found.insert(place, one)
            before.append(name)


def _three_way(before: str, mine: str, after: str) -> str | None:
    """Return the side that changed; None where both did, in different ways."""
    if mine in (before, after):
        return after
    return mine if after == before else None


def _same_order(old: Units, new: Units) -> bool:
    both = old.keys() & new.keys()
    return [name for name in old if name in both] == [name for name in new if name in both]


def _above(name: str) -> str:
    return f"the comment above {name}"
