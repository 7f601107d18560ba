"""The schema's history. Append a step; never edit one that has shipped.

Two kinds of table live here. *Records* say what happened: a trigger forbids changing or deleting
them, except that a column which is still empty may be filled once (a run's end). *Derived* tables
hold what must be answered quickly; `lab doctor` recomputes them from the records and compares.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

FIRST = {
    "campaigns": """
        id integer primary key, uid text not null unique, name text not null unique,
        leaf text not null, branch text not null, worktree text not null, base text not null,
        agent text, by text not null, at text not null""",
    "hypotheses": """
        id integer primary key, uid text not null unique, leaf text not null,
        claim text not null check (claim <> ''), mechanism text not null,
        observe text, min_effect real, axis text, campaign text, source text, at text not null""",
    "experiments": """
        id integer primary key, uid text not null unique,
        hypothesis integer references hypotheses (id), leaf text not null,
        kind text not null check (kind in ('run', 'baseline', 'elsewhere', 'import')),
        profile text, platform text, yardstick text, metric text, direction text,
        "commit" text, parent text, contents text, incumbent integer references experiments (id),
        campaign text, worktree text, axis text, program text, lines_changed integer,
        attempt integer not null default 1, deterministic integer not null default 0,
        at text not null""",
    "jobs": """
        id integer primary key, uid text not null unique,
        experiment integer not null references experiments (id),
        seeds text not null check (json_valid(seeds)), runner text not null, asked text,
        restore text, at text not null,
        keeper text, ended text, how text""",
    "runs": """
        id integer primary key, uid text not null unique,
        experiment integer not null references experiments (id),
        job integer references jobs (id), seed integer not null, at text not null,
        started text, ended text, status text check (status in ('finished', 'failed')),
        failure text, value real, exit_code integer, seconds real, train_wall_s real,
        setup_s real, waited_s real, device text, versions text, detail text, flags text,
        broken text, log text, cost_usd real, remote_id text""",
    "metrics": """
        id integer primary key, run integer not null references runs (id), name text not null,
        source text not null check (source in ('train', 'evaluate', 'harness')),
        value real not null, unique (run, name, source)""",
    "judgements": """
        id integer primary key, uid text not null unique,
        experiment integer not null references experiments (id), runs integer not null,
        incumbent integer references experiments (id), incumbent_value real,
        gain real, se real, noise real, p_better real, suggest text not null,
        reason text not null, near_miss integer not null default 0, why text,
        mechanism text, at text not null""",
    "results": """
        id integer primary key, uid text not null unique,
        experiment integer not null references experiments (id),
        verdict text not null check (verdict in ('keep', 'discard', 'crash')),
        mechanism text check (mechanism in ('confirmed', 'refuted')),
        theory_revision text, because text, metrics text, value real, gain real, suggested text,
        job integer references jobs (id), by text not null, at text not null""",
    "lessons": """
        id integer primary key, uid text not null unique, leaf text not null,
        text text not null check (text <> ''), everywhere integer not null default 0,
        by text not null, at text not null""",
    "evidence": """
        id integer primary key, lesson integer not null references lessons (id),
        experiment integer not null references experiments (id), unique (lesson, experiment)""",
    "sessions": """
        id integer primary key, uid text not null unique,
        campaign integer not null references campaigns (id), at text not null,
        agent text not null, process text, log text,
        ended text, how text, exit_code integer, tokens integer, cost_usd real, detail text""",
    "events": """
        id integer primary key, uid text not null unique, at text not null, who text not null,
        verb text not null, subject text not null, detail text""",
}
# What an imported log reports of an experiment that it does not judge.
SECOND = {
    "reported": """
        id integer primary key, uid text not null unique,
        experiment integer not null references experiments (id), metrics text, value real,
        at text not null""",
}
RECORDS = FIRST | SECOND
FILLED_LATER = {
    "experiments": ("commit",),
    "jobs": ("keeper", "ended", "how"),
    "runs": (
        *("started", "ended", "status", "failure", "value", "exit_code", "seconds"),
        *("train_wall_s", "setup_s", "waited_s", "device", "versions", "detail", "flags"),
        *("broken", "log", "cost_usd", "remote_id"),
    ),
    "sessions": ("process", "log", "ended", "how", "exit_code", "tokens", "cost_usd", "detail"),
}
DERIVED = {
    "state": """
        experiment integer primary key references experiments (id), hypothesis integer,
        leaf text not null, scope integer not null, campaign text, status text not null,
        failure text, verdict text, kind text check (kind in ('dead_end', 'unsettled')),
        value real, claimed integer not null, runs integer not null, ss real not null,
        df integer not null, gain real, mechanism text, mechanism_source text, seconds real,
        telling integer not null, ordinal real, axis text, overruled integer not null""",
    "scopes": """
        id integer primary key, leaf text not null, profile text not null,
        platform text not null, yardstick text not null, experiments integer not null default 0,
        ss real not null default 0, df integer not null default 0,
        unique (leaf, profile, platform, yardstick)""",
    "tallies": """
        leaf text primary key, experiments integer not null default 0,
        keep integer not null default 0, discard integer not null default 0,
        crash integer not null default 0, overruled integer not null default 0""",
    "axes": """
        leaf text not null, axis text not null, tried integer not null default 0,
        kept integer not null default 0, primary key (leaf, axis)""",
    "pending": """
        hypothesis integer primary key references hypotheses (id), leaf text not null,
        campaign text""",
}
INDEXES = (
    "hypotheses_claim on hypotheses (leaf, campaign, claim)",
    "experiments_hypothesis on experiments (hypothesis)",
    "experiments_contents on experiments (leaf, contents)",
    'experiments_commit on experiments ("commit")',
    "experiments_campaign on experiments (campaign)",
    "jobs_experiment on jobs (experiment)",
    "jobs_open on jobs (experiment) where ended is null",
    "runs_experiment on runs (experiment)",
    "runs_open on runs (experiment) where ended is null",
    "runs_remote on runs (id) where remote_id is not null",
    "judgements_experiment on judgements (experiment)",
    "results_experiment on results (experiment)",
    "lessons_leaf on lessons (leaf)",
    "lessons_everywhere on lessons (id) where everywhere",
    "evidence_experiment on evidence (experiment)",
    "sessions_campaign on sessions (campaign)",
    "sessions_open on sessions (campaign) where ended is null",
    "campaigns_leaf on campaigns (leaf)",
    "events_subject on events (subject)",
    "state_leaf on state (leaf, experiment)",
    "state_campaign on state (campaign, leaf, experiment)",
    "state_hypothesis on state (hypothesis)",
    "state_kept on state (leaf, gain) where verdict = 'keep'",
    "state_keeps on state (leaf, experiment) where verdict = 'keep'",
    "state_best on state (scope, ordinal) where verdict = 'keep' and not claimed",
    "state_open on state (leaf, campaign) where verdict is null",
    "state_kind on state (leaf, kind, telling, experiment) where kind is not null",
    "state_telling on state (kind, telling, experiment) where kind is not null",
    "state_near on state (leaf, experiment) where kind = 'unsettled' and gain > 0",
    "pending_leaf on pending (leaf, campaign)",
)


def m001_notebook(db: "Database") -> None:
    """Records, what is derived from them, and the full-text index of ideas."""
    from . import search

    for name, columns in (FIRST | DERIVED).items():
        db.execute(f"create table {name} ({columns}) strict")
    for index in INDEXES:
        db.execute(f"create index {index}")
    for name in FIRST:
        _forbid_overwriting(db, name)
    db.execute(search.DDL)


def _forbid_overwriting(db: "Database", table: str) -> None:
    """Let an empty column be filled once; refuse every other change and every deletion."""
    kept = "recorded facts are never overwritten"
    later = FILLED_LATER.get(table, ())
    columns = [row[1] for row in db.execute(f"pragma table_info({table})")]
    changed = " or ".join(
        f'(old."{c}" is not null and old."{c}" is not new."{c}")'
        if c in later
        else f'old."{c}" is not new."{c}"'
        for c in columns
    )
    db.execute(
        f"create trigger {table}_kept before update on {table} when {changed} "
        f"begin select raise(abort, '{kept}'); end"
    )
    db.execute(
        f"create trigger {table}_stays before delete on {table} "
        f"begin select raise(abort, '{kept}'); end"
    )


def m002_reported(db: "Database") -> None:
    """Numbers without a verdict; the spread of replicates, which no square makes infinite."""
    for name, columns in SECOND.items():
        db.execute(f"create table {name} ({columns}) strict")
        db.execute(f"create index {name}_experiment on {name} (experiment)")
        _forbid_overwriting(db, name)
    db.conn.create_function("root", 1, lambda square: max(square, 0.0) ** 0.5)
    db.execute("alter table state rename column ss to spread")
    db.execute("update state set spread = root(spread)")
    db.execute("alter table scopes drop column ss")
    db.execute("alter table scopes drop column df")
    db.execute("create index state_repeated on state (scope, experiment) where df > 0")
    measured = "where value is not null and not claimed"
    db.execute(f"create index state_measured on state (leaf, experiment) {measured}")


STEPS: tuple[Callable[["Database"], None], ...] = (m001_notebook, m002_reported)
