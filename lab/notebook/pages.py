"""Queries of `lab serve`: a page's rows by an index, whatever the size of the notebook."""

import sqlite3

from . import Notebook

LATELY = 5000  # verdicts, the newest: what was kept before them is no news


def kept_lately(book: Notebook, n: int) -> list[sqlite3.Row]:
    """Return what was kept last and still is, newest first; baselines and imports aside."""
    return book.all(
        "select s.experiment, s.leaf, s.campaign, s.gain, r.id as result, r.at, h.claim, "
        "(select se from judgements where experiment = s.experiment order by id desc limit 1) "
        "as se from results r join state s on s.experiment = r.experiment "
        "join experiments e on e.id = s.experiment "
        "left join hypotheses h on h.id = s.hypothesis "
        "where r.id > (select max(id) from results) - ?1 and r.verdict = 'keep' "
        "and s.verdict = 'keep' and e.kind = 'run' "
        "and r.id = (select max(id) from results where experiment = r.experiment) "
        "order by r.id desc limit ?2",
        *(LATELY, n),
    )
