"""One row an experiment, a column for each metric: `lab export --csv` and `--parquet`."""

from collections.abc import Iterator
from typing import Any

from . import Notebook, measurements
from .read import ENTRY, entry

MORE = ("profile", "platform", "yardstick", "metric", "direction", "campaign", "axis", "runs")
MEASURED = "measured."  # begins the name of a metric's column


def columns(book: Notebook) -> list[str]:
    """Return the names of the columns, those of metrics last."""
    row = book.one(f"{ENTRY} limit 1")
    metrics = book.all("select distinct name from metrics order by name")
    known = [*entry(row), "kind", *MORE] if row is not None else []
    return [*known, *(f"{MEASURED}{one['name']}" for one in metrics)]


def rows(book: Notebook) -> Iterator[dict[str, Any]]:
    """Yield every experiment, oldest first; a metric is the mean over the runs that count."""
    for row in book.db.execute(f"{ENTRY} order by s.experiment"):
        found = measurements.metrics(book, row["experiment"])
        metrics = {f"{MEASURED}{name}": value for name, value in found.items()}
        yield {**entry(row), "kind": row["made"], **{name: row[name] for name in MORE}, **metrics}
