"""Queries about one thing: an experiment, its state, jobs, verdict, by id or content."""

import json
import sqlite3

from ..errors import NotFound
from . import Notebook
from .replicates import MARKS, PRUNED, RUNS, SAYS_NOTHING

Key = tuple[str, str, str, str, str, str]  # leaf, contents, code, profile, platform, yardstick
# The same contents, or the same code with other comments; by one index each, never by a walk.
ALIKE = (
    "e.id in (select id from experiments where leaf = ?1 and contents = ?2 "
    "union select id from experiments where leaf = ?1 and code = ?3)"
)
# Or what does the same under other words, where the notebook knows that of both.
REWORDED = f"{ALIKE[:-1]} union select id from experiments where leaf = ?1 and behaviour = ?7)"
IN_SCOPE = "e.profile = ?4 and e.platform = ?5 and e.yardstick = ?6"
# The same where numbers may be compared.
SCOPED = f"{ALIKE} and {IN_SCOPE}"


def experiment(book: Notebook, number: int) -> sqlite3.Row:
    """Return an experiment's record."""
    return book.all("select * from experiments where id = ?", number)[0]


def state(book: Notebook, number: int) -> sqlite3.Row:
    """Return an experiment's derived state."""
    return book.all("select * from state where experiment = ?", number)[0]


def hypothesis(book: Notebook, number: int | None) -> sqlite3.Row | None:
    """Return a hypothesis, or None for a baseline's."""
    return book.one("select * from hypotheses where id = ?", number)


def newest(book: Notebook, campaign: str | None) -> sqlite3.Row | None:
    """Return a campaign's newest experiment."""
    query = "select * from experiments where campaign is ? order by id desc limit 1"
    return book.one(query, campaign)


def last_result(book: Notebook, number: int) -> sqlite3.Row | None:
    """Return an experiment's newest verdict."""
    query = "select * from results where experiment = ? order by id desc limit 1"
    return book.one(query, number)


def first_kept(book: Notebook, number: int) -> str | None:
    """Return when an experiment was first kept."""
    query = "select min(at) from results where experiment = ? and verdict = 'keep'"
    found: str | None = book.all(query, number)[0][0]
    return found


def last_judgement(book: Notebook, number: int) -> sqlite3.Row | None:
    """Return how an experiment was last judged."""
    query = "select * from judgements where experiment = ? order by id desc limit 1"
    return book.one(query, number)


def judged_alike(book: Notebook, experiment: sqlite3.Row, noise: float | None) -> bool:
    """Return whether its campaign judged another before it, beside the same and by this noise."""
    query = (
        "select 1 from experiments e join judgements j on j.experiment = e.id "
        "where e.incumbent = ? and e.campaign is ? and e.id < ? and j.noise = ? limit 1"
    )
    key = (experiment["incumbent"], experiment["campaign"], experiment["id"], noise)
    return book.one(query, *key) is not None


def at_commit(book: Notebook, commit: str | None) -> sqlite3.Row | None:
    """Return the newest experiment of a commit, with its verdict and status."""
    return book.one(
        "select e.*, s.verdict, s.status from experiments e join state s on s.experiment = e.id "
        'where e."commit" = ? order by e.id desc limit 1',
        commit,
    )


def with_verdict(book: Notebook, number: int) -> sqlite3.Row | None:
    """Return an experiment, with its verdict and status."""
    return book.one(
        "select e.*, s.verdict, s.status from experiments e join state s on s.experiment = e.id "
        "where e.id = ?",
        number,
    )


def made_in(book: Notebook, commit: str | None, campaign: str | None) -> sqlite3.Row | None:
    """Return the experiment that a campaign's commit was made for, with verdict and status."""
    return book.one(
        "select e.*, s.verdict, s.status from experiments e join state s on s.experiment = e.id "
        "where e.\"commit\" = ? and e.kind = 'run' and e.campaign = ? order by e.id desc limit 1",
        *(commit, campaign),
    )


def kept_at(book: Notebook, commit: str) -> sqlite3.Row | None:
    """Return the kept experiment whose change a commit is."""
    return book.one(
        'select e.* from experiments e join state s on s.experiment = e.id where e."commit" = ? '
        "and e.kind = 'run' and s.verdict = 'keep' order by e.id limit 1",
        commit,
    )


def same_contents(book: Notebook, key: Key, behaviour: str | None = None) -> list[sqlite3.Row]:
    """Return experiments of the same contents, code or behaviour, newest first."""
    return book.all(
        "select e.*, s.status, s.failure, s.verdict, s.runs, s.value from experiments e "
        f"join state s on s.experiment = e.id where {REWORDED} and {IN_SCOPE} order by e.id desc",
        *(*key, behaviour),
    )


def baseline(book: Notebook, key: Key) -> int | None:
    """Return the baseline of the same contents or code."""
    row = book.one(
        f"select e.id from experiments e where {SCOPED} and e.kind = 'baseline' "
        "order by e.id limit 1",
        *key,
    )
    return row["id"] if row else None


def is_known(book: Notebook, key: Key) -> bool:
    """Return whether contents or code were measured, as a baseline or kept, in any profile."""
    row = book.one(
        "select 1 from experiments e join state s on s.experiment = e.id where "
        f"{ALIKE} and (e.kind = 'baseline' or s.verdict = 'keep') limit 1",
        *key[:3],
    )
    return row is not None


def combination(book: Notebook, parent: str, contents: str) -> list[int]:
    """Return the experiments whose changes were put together into these contents, if any."""
    row = book.one(
        "select parts from combinations where contents = ? and parent = ? order by id desc limit 1",
        *(contents, parent),
    )
    return [int(part) for part in json.loads(row["parts"])] if row else []


def attempts(book: Notebook, hypothesis: int, campaign: str | None) -> int:
    """Return how many experiments a campaign has made for a hypothesis."""
    query = "select count(*) from experiments where hypothesis = ? and campaign is ?"
    return int(book.all(query, hypothesis, campaign)[0][0])


def failed_attempts(book: Notebook, hypothesis: int | None, campaign: str | None) -> int:
    """Return how many of a campaign's experiments for a hypothesis failed by their own fault."""
    return int(
        book.all(
            "select count(*) from state s join experiments e on e.id = s.experiment where "
            "e.hypothesis = ? and e.campaign is ? and s.status = 'failed' "
            f"and s.failure not in ({MARKS})",
            *(hypothesis, campaign),
        )[0][0]
    )


def judged_for(book: Notebook, hypothesis: int) -> sqlite3.Row | None:
    """Return the newest experiment that was kept or discarded for a hypothesis."""
    return book.one(
        "select experiment, verdict from state where hypothesis = ? "
        "and verdict in ('keep', 'discard') order by experiment desc limit 1",
        hypothesis,
    )


def lost_ones(book: Notebook) -> list[int]:
    """Return the experiments that were discarded or crashed."""
    query = "select experiment from state where verdict in ('discard', 'crash')"
    return [row[0] for row in book.all(query)]


# -- Jobs -----------------------------------------------------------------------


def job(book: Notebook, number: int) -> sqlite3.Row:
    """Return a job's record."""
    return book.all("select * from jobs where id = ?", number)[0]


def first_job(book: Notebook, experiment: int) -> sqlite3.Row | None:
    """Return the job that an experiment was begun with."""
    return book.one("select * from jobs where experiment = ? order by id limit 1", experiment)


def open_job(book: Notebook, experiment: int) -> sqlite3.Row | None:
    """Return the job that is at work on an experiment."""
    return book.one("select * from jobs where experiment = ? and ended is null", experiment)


def open_jobs(book: Notebook) -> list[sqlite3.Row]:
    """Return every job that has no end yet, oldest first."""
    return book.all("select * from jobs where ended is null order by +id")  # by its index


def is_open(book: Notebook, job: int) -> bool:
    """Return whether a job has no end yet."""
    return book.one("select 1 from jobs where id = ? and ended is null", job) is not None


# -- Runs -----------------------------------------------------------------------


def runs(book: Notebook, experiment: int) -> list[sqlite3.Row]:
    """Return an experiment's runs, oldest first."""
    return book.all(f"{RUNS} where r.experiment = ? order by r.id", experiment)


def has_number(book: Notebook, experiment: int) -> bool:
    """Return whether any run of an experiment gave its metric."""
    query = "select 1 from runs where experiment = ? and status = 'finished'"
    return book.one(query, experiment) is not None


def used_seeds(book: Notebook, experiment: int) -> set[int]:
    """Return the seeds of an experiment's runs that came to an end which tells of the idea."""
    rows = runs(book, experiment)
    return {row["seed"] for row in rows if row["failure"] not in (*SAYS_NOTHING, PRUNED)}


# -- Campaigns ------------------------------------------------------------------


def campaign(book: Notebook, name: str | None) -> sqlite3.Row | None:
    """Return a campaign by its name."""
    return book.one("select * from campaigns where name = ?", name)


def tip(book: Notebook, campaign: str) -> str | None:
    """Return where the harness last left a campaign's branch; None where nobody noted it."""
    query = 'select "commit" from tips where campaign = ? order by id desc limit 1'
    row = book.one(query, campaign)
    return row["commit"] if row else None


def is_ours(book: Notebook, campaign: str, commit: str | None) -> bool:
    """Return whether the harness made a commit for a campaign, or began an experiment on it."""
    row = book.one(
        'select 1 from tips where campaign = ?1 and "commit" = ?2 union all '
        "select 1 from campaigns where name = ?1 and base = ?2 union all "
        "select 1 from experiments where campaign = ?1 and kind = 'run' "
        'and ("commit" = ?2 or parent = ?2) limit 1',
        *(campaign, commit),
    )
    return row is not None


def campaign_profile(book: Notebook, campaign: str | None) -> str | None:
    """Return the profile that a campaign works in: that of its first experiment."""
    row = book.one(
        "select profile from experiments where campaign = ? and kind = 'run' order by id limit 1",
        campaign,
    )
    return row["profile"] if row else None


def named(book: Notebook, what: str, hint: str) -> list[str]:
    """Return the campaigns called `LEAF/NAME` or `NAME`, newest first; NotFound without any."""
    names = [row["name"] for row in campaigns(book)]
    meant = [name for name in names if what in (name, name.rpartition("/")[2])]
    if not meant:
        raise NotFound(f"there is no campaign {what}.", hint)
    return meant


def branch(book: Notebook, campaign_name: str) -> str:
    """Return a campaign's branch; the usual one for a campaign that nobody noted."""
    row = campaign(book, campaign_name)
    return str(row["branch"]) if row else f"lab/{campaign_name}"


def campaigns(book: Notebook, most: int = -1) -> list[sqlite3.Row]:
    """Return the campaigns, newest first."""
    return book.all("select * from campaigns order by id desc limit ?", most)


def done_by(book: Notebook, campaign: str, leaf: str) -> tuple[int, int]:
    """Return how many ideas a campaign tried on a leaf, and how many were kept."""
    row = book.all(
        "select count(*), coalesce(sum(verdict is 'keep'), 0) from state "
        "where campaign = ? and leaf = ? and hypothesis is not null",
        *(campaign, leaf),
    )[0]
    return int(row[0]), int(row[1])
