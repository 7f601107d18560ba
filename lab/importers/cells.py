"""A line of a table as its cells: by tabs, semicolons, commas or bars, quoted or not."""

import re

MARKS = ("\t", ";", ",", "|")  # the first that gives a header is the table's
LONGEST = 40  # lines that one quoted cell may hold; beyond, the quote was just a quote


def split(line: str, mark: str) -> list[str]:
    """Return the cells of a line; a quote that nothing closes before the next mark is a quote.

    >>> split('a\\t"b ""c"" d"\\t5" wide', "\\t")
    ['a', 'b "c" d', '5" wide']
    >>> split("| a | b |", "|")
    ['a', 'b']
    """
    if mark == "|":
        return [cell.strip() for cell in line.strip().strip("|").split("|")]
    cells, at = [], 0
    quoted = re.compile(rf' *"((?:[^"]|"")*)" *(?={re.escape(mark)}|$)', re.S)
    while True:
        found = quoted.match(line, at)
        if found:
            cells.append(found[1].replace('""', '"'))
            at = found.end()
        else:
            end = line.find(mark, at)
            cells.append(line[at:] if end < 0 else line[at:end])
            at = len(line) if end < 0 else end
        if at >= len(line):
            return cells
        at += 1


def is_open(cells: list[str]) -> bool:
    """Say whether the last cell begins with a quote that is not closed on its line."""
    return cells[-1].lstrip().startswith('"') and cells[-1].count('"') % 2 == 1


def is_rule(line: str) -> bool:
    """Say whether a line only draws the rule below a table's header."""
    return bool(re.fullmatch(r"[\s|:+=-]+", line)) and "-" in line
