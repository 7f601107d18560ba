"""Today's tables and columns, read from the notebook itself: its records, and what is derived."""

from . import Notebook


def records(book: Notebook) -> list[str]:
    """Return the tables whose rows stay, each after those that it points into."""
    names = [name for name, stays in _tables(book) if stays]
    points = {
        name: {row["table"] for row in book.all(f"pragma foreign_key_list({name})")}
        for name in names
    }
    found: list[str] = []
    while len(found) < len(names):
        found.append(next(n for n in names if n not in found and points[n] <= {*found, n}))
    return found


def derived(book: Notebook) -> list[str]:
    """Return the tables that can be made again from the records."""
    return [name for name, stays in _tables(book) if not stays]


def columns(book: Notebook, table: str) -> list[str]:
    """Return a table's columns."""
    return [row["name"] for row in book.all(f"pragma table_info({table})")]


def _tables(book: Notebook) -> list[tuple[str, bool]]:
    """Return our tables in the order they were made in, and whether a trigger keeps their rows."""
    return [
        (row["name"], bool(row["stays"]))
        for row in book.all(
            "select t.name, exists (select 1 from sqlite_master where type = 'trigger' "
            "and name = t.name || '_stays') as stays from sqlite_master t "
            "join pragma_table_list l on l.name = t.name and l.schema = 'main' "
            "where t.type = 'table' and l.type = 'table' order by t.rowid"
        )
    ]
