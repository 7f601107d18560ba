"""Queries of `lab context`, `failures`, `log`: each answered by an index at any size."""

import json
import sqlite3
from typing import Any, cast

from ..documents.experiments import (
    Entry,
    Event,
    Experiment,
    Hypothesis,
    JudgementRecord,
    ReportedRecord,
    ResultRecord,
    RunRecord,
)
from ..documents.leaves import Axis, Counts, Failure, Lesson
from ..judge import Group, Noise, Side, mean, pooled
from . import Notebook

Found = dict[str, Any]
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


def log(book: Notebook, leaf: str | None, n: int) -> list[Entry]:
    """Return the newest experiments, newest first."""
    where = "where s.leaf = ?" if leaf else "where ? is null"
    rows = book.all(f"{ENTRY} {where} order by s.experiment desc limit ?", leaf, n)
    return [entry(row) for row in rows]


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


def counts(book: Notebook, leaf: str) -> Counts:
    """Return how many experiments there were and what became of them."""
    row = book.one("select * from tallies where leaf = ?", leaf)
    return {
        "experiments": row["experiments"] if row else 0,
        "keep": row["keep"] if row else 0,
        "discard": row["discard"] if row else 0,
        "crash": row["crash"] if row else 0,
        "overruled": row["overruled"] if row else 0,
    }


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
    where = "where s.leaf = ? and e.kind {} 'import' order by s.experiment desc limit ?"
    ours = book.all(f"{ENTRY} {where.format('<>')}", leaf, n)
    others = book.all(f"{ENTRY} {where.format('=')}", leaf, n - len(ours)) if n > len(ours) else []
    return sorted([*ours, *others], key=lambda row: -int(row["experiment"]))


def is_imported(book: Notebook, leaf: str) -> bool:
    """Return whether a leaf has nothing but an imported log."""
    query = "select 1 from state s join experiments e on e.id = s.experiment where s.leaf = ?"
    return book.one(f"{query} and e.kind <> 'import' limit 1", leaf) is None


def newest(book: Notebook, leaf: str, campaign: str) -> sqlite3.Row | None:
    """Return a campaign's newest experiment on a leaf."""
    query = f"{ENTRY} where s.campaign = ? and s.leaf = ? order by s.experiment desc limit 1"
    return book.one(query, campaign, leaf)


def judged(book: Notebook, leaf: str, campaign: str) -> list[sqlite3.Row]:
    """Return a campaign's experiments that have a verdict, oldest first; baselines aside."""
    query = f"{ENTRY} where s.campaign = ? and s.leaf = ? and s.hypothesis is not null"
    return book.all(f"{query} and s.verdict is not null order by s.experiment", campaign, leaf)


def incumbents(book: Notebook, contents: list[str], *scope: str) -> list[sqlite3.Row]:
    """Return what was kept of these contents within (leaf, profile, platform, yardstick)."""
    query = ENTRY.replace("h.claim,", "h.claim, e.contents,")
    leaf, *rest = scope
    return book.all(
        f"{query} where e.leaf = ? and e.contents in ({', '.join('?' * len(contents))}) "
        "and s.verdict = 'keep' and not s.claimed and s.value is not null "
        "and e.profile = ? and e.platform = ? and e.yardstick = ?",
        *(leaf, *contents, *rest),
    )


def noise(book: Notebook, scope: int) -> Noise | None:
    """Return the pooled spread between replicates within a scope, or None when unknown."""
    return pooled(_groups(book, scope))[0]


def outside_noise(book: Notebook, scope: int) -> list[int]:
    """Return the experiments whose replicates spread unlike the others', and so stay out of it."""
    groups = _groups(book, scope)
    return [groups[place].experiment for place in pooled(groups)[1]]


def _groups(book: Notebook, scope: int) -> list[Group]:
    """Return the replicates of a scope's newest experiments that have any."""
    rows = book.all(
        "select experiment, spread, df from state where scope = ? and df > 0 "
        "order by experiment desc limit ?",
        *(scope, LOOK_BACK),
    )
    return [Group(*row) for row in rows]


def best(book: Notebook, scope: int) -> sqlite3.Row | None:
    """Return the best kept or baseline experiment of a scope, whichever campaign made it."""
    return book.one(
        f"{ENTRY} where s.scope = ? and s.verdict = 'keep' and not s.claimed "
        "and s.ordinal is not null order by s.ordinal limit 1",
        scope,
    )


def kept(book: Notebook, leaf: str, n: int) -> list[sqlite3.Row]:
    """Return kept changes, the largest gain first; those measured here, where there are any."""
    query = f"{ENTRY} where s.leaf = ? and s.verdict = 'keep' and s.gain is not null"
    ours = "and e.kind <> 'import' order by s.gain desc limit ?"
    return book.all(f"{query} {ours}", leaf, n) or book.all(
        f"{query} order by s.gain desc limit ?", leaf, n
    )


def near_misses(book: Notebook, leaf: str, n: int) -> list[sqlite3.Row]:
    """Return discarded changes that were better or inside the noise, newest first."""
    query = f"{ENTRY} where s.leaf = ? and s.kind = 'unsettled' and s.gain > 0"
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


def in_flight(book: Notebook) -> list[sqlite3.Row]:
    """Return the experiments that a supervisor owns now, with their newest run."""
    return book.all(
        "select j.experiment, j.id as job, j.at, s.leaf, s.campaign, s.status, h.claim, "
        "r.started, r.seed, r.id as run from jobs j join state s on s.experiment = j.experiment "
        "left join hypotheses h on h.id = s.hypothesis "
        "left join runs r on r.id = (select max(id) from runs "
        "where experiment = j.experiment and job = j.id) "
        "where j.ended is null order by +j.id"  # the plus: by the index of open jobs, then sorted
    )


def lessons(book: Notebook, leaf: str, n: int) -> list[Lesson]:
    """Return lessons for a leaf and those meant for everywhere, newest first, with evidence."""
    rows = book.all(
        "select * from (select * from (select * from lessons where leaf = ?1 order by id desc "
        "limit ?2) union select * from (select * from lessons where everywhere order by id desc "
        "limit ?2)) order by id desc limit ?2",
        *(leaf, n),
    )
    return [
        {
            "lesson": row["text"],
            "leaf": row["leaf"],
            "evidence": [
                f"e{found[0]}"
                for found in book.all(
                    "select experiment from evidence where lesson = ? order by id", row["id"]
                )
            ],
        }
        for row in rows
    ]


def axes(book: Notebook, leaf: str) -> list[Axis]:
    """Return the axes tried and how often each gave a change that was kept."""
    rows = book.all("select * from axes where leaf = ? and tried > 0 order by axis", leaf)
    return [{"axis": row["axis"], "tried": row["tried"], "kept": row["kept"]} for row in rows]


def since_keep(book: Notebook, leaf: str, campaign: str | None) -> int:
    """Return how many judged experiments there were since the last keep (at most LOOK_BACK).

    Within a campaign when there is one, over the whole leaf otherwise.
    """
    mine = "campaign = ? and leaf = ?" if campaign else "? is null and leaf = ?"
    rows = book.db.execute(
        f"select verdict, failure from state where {mine} and verdict is not null "
        "and (select kind from experiments where id = state.experiment) <> 'import' "
        "order by experiment desc limit ?",
        (campaign, leaf, LOOK_BACK),
    )
    count = 0
    for row in rows:
        if row["verdict"] == "keep":
            break
        count += row["failure"] not in ("infra", "interrupted", "lost")
    return count


def lesson_of(book: Notebook, experiment: int) -> str | None:
    """Return the latest theory revision, else the newest lesson that cites the experiment."""
    row = book.one(
        "select theory_revision from results where experiment = ? and theory_revision is not null "
        "order by id desc limit 1",
        experiment,
    ) or book.one(
        "select l.text from evidence v join lessons l on l.id = v.lesson "
        "where v.experiment = ? order by l.id desc limit 1",
        experiment,
    )
    return row[0] if row else None


def failures(
    book: Notebook, leaf: str | None, text: str | None, n: int, *, kind: str | None = None
) -> list[Failure]:
    """Return dead ends and unsettled experiments: nearest to `text`, else the most telling."""
    rows = _nearest(book, leaf, text, n) if text else _telling(book, leaf, n, kind)
    found: list[Failure] = []
    seen: set[tuple[str, str]] = set()
    for row, score in rows:
        key = (row["leaf"], row["claim"] or "")
        if key not in seen and (kind is None or row["kind"] == kind):
            seen.add(key)
            found.append(_failure(book, row, score))
    return found[:n]


def _nearest(
    book: Notebook, leaf: str | None, text: str | None, n: int
) -> list[tuple[sqlite3.Row, float | None]]:
    from . import search

    hits = search.search(book.db, text or "", leaf=leaf, failed=True, limit=3 * n)
    rows: list[tuple[sqlite3.Row, float | None]] = []
    for number, score in hits:
        query = f"{ENTRY} where s.hypothesis = ? and s.kind is not null"
        tried = book.all(f"{query} order by s.experiment desc limit 1", number)
        rows += [(row, score) for row in tried]
    return rows


def _telling(
    book: Notebook, leaf: str | None, n: int, kind: str | None
) -> list[tuple[sqlite3.Row, float | None]]:
    rows: list[sqlite3.Row] = []
    for one in ("dead_end", "unsettled") if kind is None else (kind,):
        where = f"s.kind = '{one}'" + (" and s.leaf = ?" if leaf else " and ? is null")
        order = "order by s.telling desc, s.experiment desc limit ?"
        rows += book.all(f"{ENTRY} where {where} {order}", leaf, 3 * n)
    rows.sort(key=lambda row: (row["telling"], row["experiment"]), reverse=True)
    return [(row, None) for row in rows]


def _failure(book: Notebook, row: sqlite3.Row, score: float | None) -> Failure:
    return {
        "experiment": f"e{row['experiment']}",
        "hypothesis": h(row["hypothesis"]),
        "claim": row["claim"],
        "mechanism": row["because"],
        "kind": row["kind"],
        "failure": row["failure"],
        "gain": row["gain"],
        "mechanism_outcome": row["mechanism"],
        "lesson": lesson_of(book, row["experiment"]),
        "leaf": row["leaf"],
        "parent": row["parent"],
        "score": None if score is None else round(score, 4),
        "imported": row["made"] == "import",
    }


def near_duplicates(book: Notebook, leaf: str, claim: str, but: int) -> list[Found]:
    """Return earlier ideas that say what `claim` says, with what came of each."""
    from . import search

    found = []
    for number, score in search.near_duplicates(book.db, claim, leaf=leaf, limit=6):
        if number == but:
            continue
        idea = book.all("select * from hypotheses where id = ?", number)[0]
        query = f"{ENTRY} where s.hypothesis = ? order by s.experiment desc limit 1"
        tried = book.one(query, number)
        found.append(
            {
                "hypothesis": h(number),
                "claim": idea["claim"],
                "campaign": idea["campaign"],
                "score": score,
                "experiment": e(tried["experiment"]) if tried else None,
                "status": tried["status"] if tried else "not run",
                "verdict": tried["verdict"] if tried else None,
                "failure": tried["failure"] if tried else None,
                "gain": tried["gain"] if tried else None,
                "parent": tried["parent"] if tried else None,
            }
        )
    return found[:3]


def side(book: Notebook, experiment: int) -> Side:
    """Return the runs that won an experiment its place, and those measured afterwards.

    Nothing selected a baseline, so all its runs are fresh.
    """
    from .state import values_by_seed

    runs = book.all("select * from runs where experiment = ? order by id", experiment)
    made = book.all("select kind from experiments where id = ?", experiment)[0][0]
    first = book.one(
        "select min(at) from results where experiment = ? and verdict = 'keep'", experiment
    )
    kept_at = first[0] if first else None
    if made == "baseline":
        return Side(selecting=(), fresh=tuple(values_by_seed(runs)))
    values = values_by_seed(runs)
    used = values_by_seed([run for run in runs if kept_at is None or run["at"] <= kept_at])
    return Side(selecting=tuple(used), fresh=tuple(values[len(used) :]))


def metrics(book: Notebook, experiment: int) -> dict[str, float]:
    """Return the mean of each metric over the experiment's runs; evaluate's numbers win."""
    rows = book.all(
        "select m.name, m.value, r.id from metrics m join runs r on r.id = m.run "
        "where r.experiment = ? and r.status = 'finished' "
        "order by r.id, case m.source when 'train' then 0 when 'harness' then 1 else 2 end",
        experiment,
    )
    by_run: dict[tuple[str, int], float] = {(row[0], row[2]): row[1] for row in rows}
    sums: dict[str, list[float]] = {}
    for (name, _), value in by_run.items():
        sums.setdefault(name, []).append(value)
    return {name: mean(values) for name, values in sums.items()}


def run_metrics(book: Notebook, run: int) -> dict[str, float]:
    """Return one run's metrics; evaluate's numbers win over train's."""
    rows = book.all(
        "select name, value from metrics where run = ? "
        "order by case source when 'train' then 0 when 'harness' then 1 else 2 end",
        run,
    )
    return {row["name"]: row["value"] for row in rows}


def known_metrics(book: Notebook, leaf: str) -> list[str]:
    """Return the metrics that a leaf has reported, from its newest runs."""
    rows = book.all(
        "select distinct m.name from metrics m where m.run in (select r.id from runs r "
        "where r.experiment in (select experiment from state where leaf = ? "
        "order by experiment desc limit 20)) order by m.name",
        leaf,
    )
    return [row[0] for row in rows]


def whole(book: Notebook, experiment: sqlite3.Row) -> Experiment:
    """Return everything that is known of one experiment, for `lab show`."""
    number = experiment["id"]
    row = book.all(f"{ENTRY} where s.experiment = ?", number)[0]
    return {
        **entry(row),
        "mechanism": row["because"],
        "mechanism_outcome": row["mechanism"],
        "mechanism_source": row["mechanism_source"],
        "kind": experiment["kind"],
        "profile": experiment["profile"],
        "platform": experiment["platform"],
        "yardstick": experiment["yardstick"],
        "metric": experiment["metric"],
        "direction": experiment["direction"],
        "incumbent": e(experiment["incumbent"]),
        "campaign": experiment["campaign"],
        "axis": row["axis"],
        "attempt": experiment["attempt"],
        "lines_changed": experiment["lines_changed"],
        "lesson": lesson_of(book, number),
        "measured": metrics(book, number),
        "runs": [
            cast(RunRecord, {**dict(run), "metrics": run_metrics(book, run["id"])})
            for run in _records(book, "runs", number)
        ],
        "judgements": [
            cast(JudgementRecord, _unpacked(row)) for row in _records(book, "judgements", number)
        ],
        "results": [
            cast(ResultRecord, _unpacked(row)) for row in _records(book, "results", number)
        ],
        "reported": [
            cast(ReportedRecord, _unpacked(row)) for row in _records(book, "reported", number)
        ],
        "outside_noise": number in outside_noise(book, row["scope"]),
    }


def _records(book: Notebook, table: str, experiment: int) -> list[sqlite3.Row]:
    return book.all(f"select * from {table} where experiment = ? order by id", experiment)


def idea(book: Notebook, hypothesis: sqlite3.Row) -> Hypothesis:
    """Return a hypothesis with every experiment made for it."""
    query = f"{ENTRY} where s.hypothesis = ? order by s.experiment"
    tried = [entry(row) for row in book.all(query, hypothesis["id"])]
    return {
        "hypothesis": f"h{hypothesis['id']}",
        "leaf": hypothesis["leaf"],
        "claim": hypothesis["claim"],
        "mechanism": hypothesis["mechanism"],
        "observe": hypothesis["observe"],
        "min_effect": hypothesis["min_effect"],
        "axis": hypothesis["axis"],
        "campaign": hypothesis["campaign"],
        "source": hypothesis["source"],
        "at": hypothesis["at"],
        "experiments": tried,
    }


def _unpacked(record: sqlite3.Row) -> dict[str, Any]:
    """Return a record with what it has as JSON read."""
    row = dict(record)
    for name in ("metrics", "mechanism"):
        if isinstance(row.get(name), str) and row[name].startswith("{"):
            row[name] = json.loads(row[name])
    return row
