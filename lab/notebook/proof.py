"""Consistency: derived tables follow from the records, or are made anew."""

import math
from collections.abc import Iterator
from typing import Any

from . import Notebook, record
from .state import COLUMNS, facts_of, parts, refresh_all


def differences(book: Notebook) -> Iterator[str]:
    """Recompute what is derived and yield a sentence for each thing that disagrees."""
    numbers = (row[0] for row in book.db.execute("select experiment from state order by 1"))
    for part in parts(numbers):
        marks = ", ".join("?" * len(part))
        query = f"select * from state where experiment in ({marks}) order by experiment"
        for row, new in zip(book.all(query, *part), facts_of(book, part), strict=True):
            wrong = [name for name in COLUMNS if not _same(row[name], new[name])]
            if wrong:
                yield f"e{new['experiment']}: {', '.join(wrong)} is not what the records say"
    for what, query in DISAGREEMENTS.items():
        for (name,) in book.db.execute(query):
            yield f"{what} of {name} is not what the records say"


# An idea is open until it is run, or withdrawn.
SETTLED = (
    "exists (select 1 from experiments where hypothesis = h.id) "
    "or exists (select 1 from events where subject = 'h' || h.id and verb = 'drop')"
)
# The counts against what the states add up to.
_SUMS = "sum(verdict = 'keep') k, sum(verdict = 'discard') d, sum(verdict = 'crash') c"
DISAGREEMENTS = {
    "the state": "select 'e' || id from experiments e where not exists "
    "(select 1 from state where experiment = e.id)",
    "the tally": f"select leaf from (select leaf, count(*) n, {_SUMS}, sum(overruled) o from state "
    "group by leaf) left join tallies using (leaf) where (n, ifnull(k, 0), ifnull(d, 0), "
    "ifnull(c, 0), o) is not (experiments, keep, discard, crash, tallies.overruled)",
    "the count": "select leaf || '/' || profile from scopes left join (select scope, count(*) n "
    "from state group by scope) on scope = scopes.id where experiments <> ifnull(n, 0)",
    "the axis count": "select leaf || ' ' || axis from axes left join (select leaf, axis, "
    "count(*) n, sum(verdict is 'keep') k from state where axis is not null group by leaf, axis) "
    "using (leaf, axis) where tried <> ifnull(n, 0) or kept <> ifnull(k, 0)",
    "the axis": "select distinct leaf || ' ' || axis from state s where axis is not null "
    "and not exists (select 1 from axes a where a.leaf = s.leaf and a.axis = s.axis)",
    "the search index": "select 'h' || id from hypotheses where id not in (select rowid from "
    "ideas) union all select 'h' || rowid from ideas where rowid not in "
    "(select id from hypotheses)",
    "the list of open ideas": "select 'h' || id from hypotheses h where (id in "
    f"(select hypothesis from pending)) = ({SETTLED})",
}


def _same(left: Any, right: Any) -> bool:
    """Equal, or equal up to the rounding of sums taken in another order."""
    if isinstance(left, float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-12)
    return bool(left == right)


def rebuild(book: Notebook) -> None:
    """Make every derived table again from the records (`lab doctor --fix`)."""
    with book.write() as db:
        for table in ("state", "tallies", "axes", "pending"):
            db.execute(f"delete from {table}")
        db.execute("update scopes set experiments = 0")
        db.execute(
            f"insert into pending select id, leaf, campaign from hypotheses h where not ({SETTLED})"
        )
        numbers = [row[0] for row in db.execute("select id from experiments order by id")]
        for part in parts(numbers):
            refresh_all(book, part)
        _index(book)


def _index(book: Notebook) -> None:
    """Index all ideas anew, with what was learned of them."""
    book.db.execute("delete from ideas")
    numbers = [row[0] for row in book.db.execute("select id from hypotheses order by id")]
    for part in parts(numbers):
        record.index(book, *part)
