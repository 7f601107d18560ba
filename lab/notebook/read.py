"""Queries of `lab context`, `failures`, `log`: each answered by an index at any size."""

import itertools
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..documents.experiments import Entry, Event, Logged
from ..documents.leaves import Axis, Counts
from . import Notebook, tags
from .archive import SHOWN, SHOWN_LEAF
from .lookup import SCOPED, Key
from .replicates import MARKS, SAYS_NOTHING

Found = dict[str, Any]
TURNED = 200  # experiments asked which constants they turned: older ones the axes remember
LOOK_BACK = 1000  # experiments counted one by one before "1000 or more" is said
ENTRY = """
    select s.*, e.kind as made, e."commit", e.parent, e.at, e.profile, e.platform, e.yardstick,
           e.metric, e.direction, h.claim, h.mechanism as because
    from state s join experiments e on e.id = s.experiment
    left join hypotheses h on h.id = s.hypothesis"""


def h(number: int | None) -> str | None:
    """Return `h12` for 12."""
    return None if number is None else f"h{number}"


def e(number: int | None) -> str | None:
    """Return `e34` for 34."""
    return None if number is None else f"e{number}"


def entry(row: sqlite3.Row) -> Entry:
    """Return one line of `lab log --json`."""
    return {
        "experiment": f"e{row['experiment']}",
        "hypothesis": h(row["hypothesis"]),
        "claim": row["claim"],
        "status": row["status"],
        "verdict": row["verdict"],
        "failure": row["failure"],
        "value": row["value"],
        "gain": row["gain"],
        "commit": row["commit"],
        "parent": row["parent"],
        "seconds": row["seconds"],
        "at": row["at"],
        "leaf": row["leaf"],
        "imported": row["made"] == "import",
        "claimed": bool(row["claimed"]),
    }


@dataclass(frozen=True)
class Wanted:
    """Which experiments of a log are asked for, and in which order."""

    verdict: str | None = None  # keep, discard, crash of the idea's own fault, or open
    campaign: str | None = None
    since: str = ""  # UTC, ISO 8601
    sort: str = "newest"
    tag: str | None = None
    archived: bool = False  # those out of sight alone


ALL = Wanted()
ORDERS = {
    "newest": "s.experiment desc",
    "gain": "s.gain is null, s.gain desc",
    "value": "s.ordinal is null, s.ordinal",
}
VERDICTS = {
    "open": "s.verdict is null",
    "crash": f"s.verdict = 'crash' and ifnull(s.failure, '') not in ({MARKS})",
}


def log(book: Notebook, leaf: str | None, n: int, wanted: Wanted = ALL) -> list[Logged]:
    """Return at most `n` experiments, the newest first, or the best."""
    asked: dict[str, str | None] = {"s.leaf": leaf, "s.campaign": wanted.campaign}
    if wanted.verdict in VERDICTS:
        where = [VERDICTS[wanted.verdict]]
    else:
        where, asked = [], {**asked, "s.verdict": wanted.verdict}
    given = {name: value for name, value in asked.items() if value is not None}
    where += [f"{name} = ?" for name in given]
    where += ["e.at >= ?"] if wanted.since else []
    where += [f"s.experiment in ({tags.TAGGED})"] if wanted.tag else []
    where += [f"not ({SHOWN})" if wanted.archived else SHOWN]
    where += [] if leaf else [SHOWN_LEAF]
    more = [one for one in (wanted.since, wanted.tag) if one]
    query = f"{ENTRY} where {' and '.join(where)} order by {ORDERS[wanted.sort]} limit ?"
    rows = book.all(query, *given.values(), *more, n)
    named = tags.of_all(book, [row["experiment"] for row in rows])
    return [{**entry(row), "tags": named.get(row["experiment"], [])} for row in rows]


def events(book: Notebook, n: int) -> list[Event]:
    """Return who did what, when; newest first."""
    rows = book.all("select at, who, verb, subject, detail from events order by id desc limit ?", n)
    return [
        {
            "at": row["at"],
            "who": row["who"],
            "verb": row["verb"],
            "subject": row["subject"],
            "detail": row["detail"],
        }
        for row in rows
    ]


def leaves(book: Notebook) -> list[str]:
    """Return the leaves that the notebook knows."""
    return [row[0] for row in book.all("select leaf from tallies order by leaf")]


def _hidden(book: Notebook, leaf: str) -> sqlite3.Row:
    """Return how many experiments of a leaf are out of sight, and what became of them."""
    return book.all(
        "select count(*) as experiments, ifnull(sum(s.verdict = 'keep'), 0) as keep, "
        "ifnull(sum(s.verdict = 'discard'), 0) as discard, "
        f"ifnull(sum(s.verdict = 'crash' and s.failure in ({MARKS})), 0) as interrupted, "
        "ifnull(sum(s.verdict = 'crash'), 0) as crash, ifnull(sum(s.overruled), 0) as overruled "
        "from hidden h cross join state s on s.experiment = h.experiment where s.leaf = ?",
        leaf,
    )[0]


def counts(book: Notebook, leaf: str) -> Counts:
    """Return how many experiments there were and what became of them."""
    row = book.one("select * from tallies where leaf = ?", leaf)
    silent, hidden = (_interrupted(book, leaf) if row else 0), _hidden(book, leaf)
    names = ("experiments", "keep", "discard", "crash", "overruled")
    known = {name: row[name] - hidden[name] if row else 0 for name in names}
    silent -= hidden["interrupted"]
    return {
        "experiments": known["experiments"],
        "keep": known["keep"],
        "baselines": _baselines(book, leaf) if row else 0,
        "discard": known["discard"],
        "crash": known["crash"] - silent,
        "interrupted": silent,
        "archived": hidden["experiments"],
        "overruled": known["overruled"],
        "attempts": _attempts(book, leaf),
    }


def _attempts(book: Notebook, leaf: str) -> int:
    return int(book.all("select count(*) from attempts where leaf = ?", leaf)[0][0])


def _interrupted(book: Notebook, leaf: str) -> int:
    """Return how many of a leaf's crashes say nothing about their ideas."""
    query = "select count(*) from state indexed by state_interrupted where leaf = ? and "
    return int(book.all(f"{query} verdict = 'crash' and failure in ({MARKS})", leaf)[0][0])


def _baselines(book: Notebook, leaf: str) -> int:
    """Return how many of a leaf's baselines are kept."""
    rows = book.all(
        "select count(*) from experiments e indexed by experiments_baseline join state s "
        "on s.experiment = e.id where e.leaf = ? and e.kind = 'baseline' and s.verdict = 'keep'",
        leaf,
    )
    return int(rows[0][0])


def incomparable(book: Notebook, leaf: str, profile: str, platform: str, yardstick: str) -> int:
    """Return how many results of this profile and platform were measured by another yardstick."""
    row = book.one(
        "select sum(experiments) from scopes where leaf = ? and profile = ? and platform = ? "
        "and yardstick <> ?",
        *(leaf, profile, platform, yardstick),
    )
    return int(row[0] or 0) if row else 0


def experiments(book: Notebook, leaf: str, n: int) -> list[sqlite3.Row]:
    """Return a leaf's newest experiments, newest first; imported ones only where there is room."""
    where = f"where s.leaf = ? and {SHOWN} and e.kind {{}} 'import'"
    where += " order by s.experiment desc limit ?"
    ours = book.all(f"{ENTRY} {where.format('<>')}", leaf, n)
    others = book.all(f"{ENTRY} {where.format('=')}", leaf, n - len(ours)) if n > len(ours) else []
    return sorted([*ours, *others], key=lambda row: -int(row["experiment"]))


def is_measured(book: Notebook, leaf: str) -> bool:
    """Return whether anything of a leaf was measured here; else an imported log speaks for it."""
    query = "select 1 from state where leaf = ? and value is not null and not claimed limit 1"
    return book.one(query, leaf) is not None


def newest(book: Notebook, leaf: str, campaign: str) -> sqlite3.Row | None:
    """Return a campaign's newest experiment on a leaf."""
    query = f"{ENTRY} where s.campaign = ? and s.leaf = ? order by s.experiment desc limit 1"
    return book.one(query, campaign, leaf)


def judged(book: Notebook, leaf: str, campaign: str) -> list[sqlite3.Row]:
    """Return a campaign's experiments that have a verdict, oldest first; baselines aside."""
    query = f"{ENTRY} where s.campaign = ? and s.leaf = ? and s.hypothesis is not null"
    return book.all(f"{query} and s.verdict is not null order by s.experiment", campaign, leaf)


def incumbents(book: Notebook, key: Key) -> list[sqlite3.Row]:
    """Return what was kept of the same contents or code."""
    kept = "s.verdict = 'keep' and not s.claimed and s.value is not null"
    return book.all(f"{ENTRY} where {SCOPED} and {kept}", *key)


def tips(book: Notebook, scope: int, n: int) -> list[sqlite3.Row]:
    """Return kept or baseline experiments on which nothing kept was built, whosever, best first.

    What something kept was built on is not better than that, whatever its first number was.
    """
    return book.all(
        f"{ENTRY} where s.scope = ? and s.verdict = 'keep' and not s.claimed and {SHOWN} "
        "and s.ordinal is not null and not exists (select 1 from experiments e2 "
        "join state s2 on s2.experiment = e2.id where e2.incumbent = s.experiment "
        "and e2.id > s.experiment and s2.verdict = 'keep') order by s.ordinal limit ?",
        *(scope, n),
    )


def kept(book: Notebook, leaf: str, n: int, least: bool = False) -> list[sqlite3.Row]:
    """Return kept changes, the largest gain first, or the `least`; imported where none is ours."""
    query = f"{ENTRY} where s.leaf = ? and s.verdict = 'keep' and s.gain is not null and {SHOWN}"
    ours = "and e.kind <> 'import'" if is_measured(book, leaf) else ""
    return book.all(f"{query} {ours} order by s.gain {'asc' if least else 'desc'} limit ?", leaf, n)


def near_misses(book: Notebook, leaf: str, n: int) -> list[sqlite3.Row]:
    """Return discarded changes that were better or inside the noise, newest first."""
    query = f"{ENTRY} where s.leaf = ? and s.kind = 'unsettled' and s.gain > 0 and {SHOWN}"
    return book.all(f"{query} order by s.experiment desc limit ?", leaf, n)


def undecided(book: Notebook, leaf: str, campaign: str | None, n: int = 5) -> list[sqlite3.Row]:
    """Return what this campaign still has in flight or without a verdict, newest first."""
    query = f"{ENTRY} where s.leaf = ? and s.campaign is ? and s.verdict is null"
    return book.all(f"{query} order by s.experiment desc limit ?", leaf, campaign, n)


def open_ideas(book: Notebook, leaf: str, campaign: str | None, n: int = 5) -> list[sqlite3.Row]:
    """Return this campaign's hypotheses that were never run, newest first."""
    return book.all(
        "select h.* from pending p join hypotheses h on h.id = p.hypothesis "
        "where p.leaf = ? and p.campaign is ? order by p.hypothesis desc limit ?",
        *(leaf, campaign, n),
    )


def newest_of(book: Notebook, hypothesis: int) -> Entry | None:
    """Return the newest experiment of a hypothesis; None where it was never run."""
    query = f"{ENTRY} where s.hypothesis = ? order by s.experiment desc limit 1"
    row = book.one(query, hypothesis)
    return None if row is None else entry(row)


def ideas_of_others(book: Notebook, leaf: str, campaign: str | None, n: int) -> list[sqlite3.Row]:
    """Return what other campaigns wrote down lately and have not run, newest first."""
    return book.all(
        "select h.id, h.campaign, h.claim from (select hypothesis from pending "
        "order by hypothesis desc limit 50) p join hypotheses h on h.id = p.hypothesis "
        "where h.leaf = ? and h.campaign is not null and h.campaign is not ? limit ?",
        *(leaf, campaign, n),
    )


def lost(book: Notebook, leaf: str, campaign: str | None, n: int = 5) -> list[sqlite3.Row]:
    """Return a campaign's newest experiments that say nothing of their idea and were not repeated.

    Among its last fifty: what was lost before that nobody waits for.
    """
    return book.all(
        f"{ENTRY} where s.experiment in (select experiment from state where campaign is ?1 "
        "and leaf = ?2 order by experiment desc limit 50) and s.verdict = 'crash' "
        f"and s.failure in ({MARKS}) and s.hypothesis is not null and not exists ("
        "select 1 from experiments e2 where e2.hypothesis = s.hypothesis and e2.id > s.experiment) "
        "order by s.experiment desc limit ?3",
        *(campaign, leaf, n),
    )


def waiting_on(book: Notebook, incumbent: int, who: str) -> int | None:
    """Return a campaign's newest experiment against this incumbent that has no verdict yet."""
    row = book.one(
        "select e.id from experiments e join state s on s.experiment = e.id where e.campaign = ? "
        "and e.kind = 'run' and e.incumbent = ? and s.verdict is null order by e.id desc limit 1",
        *(who, incumbent),
    )
    return row["id"] if row else None


def in_flight(book: Notebook) -> list[sqlite3.Row]:
    """Return the experiments that a supervisor owns now, with their newest run.

    One with `seal` makes no run: it measures by the sealed set what an earlier one left.
    """
    seal = "json_extract(j.asked, '$.seal')"
    return book.all(
        "select j.experiment, j.id as job, j.at, s.leaf, s.campaign, h.claim, "
        f"iif({seal} is null, s.status, 'running') as status, {seal} as seal, "
        "r.started, r.seed, r.id as run from jobs j join state s on s.experiment = j.experiment "
        "left join hypotheses h on h.id = s.hypothesis "
        "left join runs r on r.id = (select max(id) from runs "
        "where experiment = j.experiment and job = j.id) "
        "where j.ended is null order by +j.id"  # the plus: by the index of open jobs, then sorted
    )


def axes(book: Notebook, leaf: str) -> list[Axis]:
    """Return the axes tried and how often each gave a change that was kept."""
    rows = book.all("select * from axes where leaf = ? and tried > 0 order by axis", leaf)
    return [{"axis": row["axis"], "tried": row["tried"], "kept": row["kept"]} for row in rows]


def turned(book: Notebook, leaf: str) -> set[str]:
    """Return the constants that the newest judged experiments of a leaf turned, by their edits."""
    rows = book.all(
        "select c.constants from (select experiment from state where leaf = ? and verdict is not "
        "null order by experiment desc limit ?) s join changes c on c.experiment = s.experiment",
        *(leaf, TURNED),
    )
    return {name for row in rows for name, _, _ in json.loads(row["constants"])}


def same_in_a_row(book: Notebook, leaf: str, campaign: str | None) -> int:
    """Return how many of the newest judged experiments, one after the other, changed nothing."""
    rows = book.all(
        "select (select reason from judgements where experiment = s.experiment order by id desc "
        "limit 1) as reason from state s where s.leaf = ? and s.campaign is ? "
        "and s.verdict is not null and s.hypothesis is not null "
        "order by s.experiment desc limit ?",
        *(leaf, campaign, TURNED),
    )
    return sum(1 for _ in itertools.takewhile(lambda row: row["reason"] == "same", rows))


def since_keep(
    book: Notebook, leaf: str, campaign: str | None, silent: Sequence[str] = SAYS_NOTHING
) -> int:
    """Return how many judged experiments there were since the last keep (at most LOOK_BACK).

    Within a campaign when there is one, over the whole leaf otherwise. What failed for one of
    the `silent` reasons is not counted.
    """
    mine = "campaign = ? and leaf = ?" if campaign else "? is null and leaf = ?"
    rows = book.db.execute(
        f"select verdict, failure, claimed from state where {mine} and verdict is not null "
        "and (select kind from experiments where id = state.experiment) <> 'import' "
        "order by experiment desc limit ?",
        (campaign, leaf, LOOK_BACK),
    )
    count = 0
    for row in rows:
        if row["verdict"] == "keep" and not row["claimed"]:
            break
        count += row["failure"] not in silent
    return count
