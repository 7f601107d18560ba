"""The worked questions of docs/report.md are asked of a real notebook, and answer what they say."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import nights
from nights import Idea
from toy import Quick

PAGE = Path(__file__).resolve().parents[1] / "docs" / "report.md"
NIGHT = [
    Idea("raise the slope", 0.5, "keep", outcome="refuted", measured=True),
    Idea("lower it", -0.4),
    Idea("less noise", -0.1, axis="noise", outcome="confirmed"),
]


def answers(quick: Quick) -> list[list[dict[str, object]]]:
    """Ask every question of the page, of a notebook opened to be read."""
    queries = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.S)
    assert len(queries) == 2
    address = (quick.root / ".lab" / "notebook.db").as_uri()
    with closing(sqlite3.connect(f"{address}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        return [[dict(row) for row in db.execute(query)] for query in queries]


def test_the_worked_questions_answer(quick: Quick) -> None:
    nights.write(quick, NIGHT)
    axes, mechanisms = answers(quick)
    slope, noise = axes
    assert (slope["axis"], slope["tried"], slope["kept"], slope["gained"]) == ("slope", 2, 1, 0.5)
    assert (slope["hours"], slope["gained_an_hour"]) == (0.03, 15.0)
    assert (noise["axis"], noise["kept"], noise["gained_an_hour"]) == ("noise", 0, None)
    told = [(row["verdict"], row["outcome"], row["source"], row["which"]) for row in mechanisms]
    assert told == [
        ("discard", "confirmed", "claimed", "e4"),
        ("keep", "refuted", "measured", "e2"),
    ]
