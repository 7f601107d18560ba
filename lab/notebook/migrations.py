"""Migrations of the schema. Append a step; never edit one that has shipped.

Two kinds of table live here. *Records* say what happened: a trigger forbids changing or deleting
them, except that a column which is still empty may be filled once (a run's end). *Derived* tables
hold what must be answered quickly; `lab doctor` recomputes them from the records and compares.

A step holds its SQL as text and imports nothing of ours, so that no later edit changes what it did.
What today's tables are, `schema` reads from the notebook itself. m002 is the pattern to copy: a new
column of a record is empty in what was recorded before, and brings the trigger that keeps it.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m001_notebook(db: "Database") -> None:
    """Records, what is derived from them, and the full-text index of ideas."""
    _execute(db, Path(__file__).with_name("m001_notebook.sql").read_text(encoding="utf-8"))


def m002_machine(db: "Database") -> None:
    """Which machine a run was on: JSON, empty where nobody knows."""
    db.execute("alter table runs add column machine text")
    db.execute(
        "create trigger runs_machine_kept before update of machine on runs "
        "when old.machine is not null and old.machine is not new.machine "
        "begin select raise(abort, 'recorded facts are never overwritten'); end"
    )


def m003_runs_of_a_job(db: "Database") -> None:
    """The runs of a job, which each start of a supervisor asks for, without reading every run."""
    db.execute("create index runs_job on runs (job)")


def m004_reported(db: "Database") -> None:
    """Numbers without a verdict; the spread of replicates, which no square makes infinite."""
    never = "begin select raise(abort, 'recorded facts are never overwritten'); end"
    db.execute(
        "create table reported (id integer primary key, uid text not null unique, experiment "
        "integer not null references experiments (id), metrics text, value real, at text not null) "
        "strict"
    )
    db.execute("create index reported_experiment on reported (experiment)")
    db.execute(f"create trigger reported_kept before update on reported {never}")
    db.execute(f"create trigger reported_stays before delete on reported {never}")
    db.conn.create_function("root", 1, lambda square: max(square, 0.0) ** 0.5)
    db.execute("alter table state rename column ss to spread")
    db.execute("update state set spread = root(spread)")
    db.execute("alter table scopes drop column ss")
    db.execute("alter table scopes drop column df")
    db.execute("create index state_repeated on state (scope, experiment) where df > 0")
    measured = "where value is not null and not claimed"
    db.execute(f"create index state_measured on state (leaf, experiment) {measured}")


def m005_baselines(db: "Database") -> None:
    """A leaf's baselines by themselves: the newest names the profile that is meant."""
    db.execute(
        "create index experiments_baseline on experiments (leaf, id) where kind = 'baseline'"
    )


def m006_combinations(db: "Database") -> None:
    """Which experiments' changes were put together into one edit, by what came of it."""
    never = "begin select raise(abort, 'recorded facts are never overwritten'); end"
    db.execute(
        "create table combinations (id integer primary key, uid text not null unique, leaf text "
        "not null, campaign text, parent text not null, contents text not null, parts text not "
        "null, at text not null) strict"
    )
    db.execute("create index combinations_contents on combinations (contents, parent)")
    db.execute(f"create trigger combinations_kept before update on combinations {never}")
    db.execute(f"create trigger combinations_stays before delete on combinations {never}")


def m007_audits(db: "Database") -> None:
    """Audits: tip and last confirmed commit run in turn; the level a change was judged by.

    What is derived of replicates counts other runs since, so it is made anew (`REDERIVED`).
    """
    _execute(db, Path(__file__).with_name("m007_audits.sql").read_text(encoding="utf-8"))


def m008_trust(db: "Database") -> None:
    """What an experiment's code is, comments aside; where the harness left each campaign's branch.

    A baseline of which more runs were aborted than finished stands no longer (`REDERIVED`).
    """
    _execute(db, Path(__file__).with_name("m008_trust.sql").read_text(encoding="utf-8"))


def m009_chain(db: "Database") -> None:
    """A hash chain over the records; what is here already is hung on it right after."""
    db.execute(
        "create table chain (id integer primary key, line integer not null, part text not null, "
        "row integer not null, names text not null, hash text not null) strict"
    )
    db.execute("create index chain_line on chain (line, id)")


def m010_repeats(db: "Database") -> None:
    """Experiments that were run more than once by themselves: few, and asked for at each look."""
    db.execute("create index state_again on state (scope, experiment) where runs > 1")


def m011_sealed(db: "Database") -> None:
    """What a run's artefact scores by the sealed set; null where the yardstick gave no number."""
    never = "begin select raise(abort, 'recorded facts are never overwritten'); end"
    db.execute(
        "create table sealed (id integer primary key, uid text not null unique, run integer not "
        "null references runs (id), value real, at text not null) strict"
    )
    db.execute("create index sealed_run on sealed (run)")
    db.execute(f"create trigger sealed_kept before update on sealed {never}")
    db.execute(f"create trigger sealed_stays before delete on sealed {never}")


def m012_changes(db: "Database") -> None:
    """What an experiment changed: constants with both values as JSON, and words for the index."""
    never = "begin select raise(abort, 'recorded facts are never overwritten'); end"
    db.execute(
        "create table changes (id integer primary key, uid text not null unique, experiment "
        "integer not null references experiments (id), constants text not null check "
        "(json_valid(constants)), words text not null, at text not null) strict"
    )
    db.execute("create index changes_experiment on changes (experiment)")
    db.execute(f"create trigger changes_kept before update on changes {never}")
    db.execute(f"create trigger changes_stays before delete on changes {never}")


def m013_hopeless(db: "Database") -> None:
    """At which rung a run was worse than its incumbent's curve: JSON, empty where at none."""
    db.execute("alter table runs add column hopeless text")
    db.execute(
        "create trigger runs_hopeless_kept before update of hopeless on runs "
        "when old.hopeless is not null and old.hopeless is not new.hopeless "
        "begin select raise(abort, 'recorded facts are never overwritten'); end"
    )
    db.execute("create index runs_hopeless on runs (experiment) where hopeless is not null")


def m014_behaviour(db: "Database") -> None:
    """What an experiment's code does, whatever its words; empty in what was recorded before."""
    db.execute("alter table experiments add column behaviour text")
    db.execute(
        "create trigger experiments_behaviour_kept before update of behaviour on experiments "
        "when old.behaviour is not new.behaviour "
        "begin select raise(abort, 'recorded facts are never overwritten'); end"
    )
    db.execute(
        "create index experiments_behaviour on experiments (leaf, behaviour) "
        "where behaviour is not null"
    )


def m015_attempts(db: "Database") -> None:
    """Edits that failed in their dry run: no experiment was made of them, and no device held."""
    never = "begin select raise(abort, 'recorded facts are never overwritten'); end"
    db.execute(
        "create table attempts (id integer primary key, uid text not null unique, hypothesis "
        "integer not null references hypotheses (id), leaf text not null, campaign text, parent "
        "text, contents text not null, behaviour text not null, profile text not null, failure "
        "text not null, place text not null, last text not null, log text not null, seconds real, "
        "at text not null) strict"
    )
    db.execute("create index attempts_hypothesis on attempts (hypothesis)")
    db.execute("create index attempts_leaf on attempts (leaf, id)")
    db.execute("create index attempts_contents on attempts (contents)")
    db.execute(f"create trigger attempts_kept before update on attempts {never}")
    db.execute(f"create trigger attempts_stays before delete on attempts {never}")


def m016_dead_ends(db: "Database") -> None:
    """What the agent alone discarded is no dead end: kinds are made anew (`REDERIVED`)."""


def m017_waves(db: "Database") -> None:
    """Changes of one parent that were run at once: a name that they share, empty for one alone."""
    db.execute("alter table experiments add column wave text")
    db.execute(
        "create trigger experiments_wave_kept before update of wave on experiments "
        "when old.wave is not new.wave "
        "begin select raise(abort, 'recorded facts are never overwritten'); end"
    )
    db.execute("create index experiments_wave on experiments (wave) where wave is not null")


def m018_forecasts(db: "Database") -> None:
    """What gain an idea was expected to bring: whoever expects learns how often that came true."""
    db.execute("alter table hypotheses add column expect real")
    db.execute(
        "create index hypotheses_expect on hypotheses (leaf, campaign) where expect is not null"
    )
    db.execute(
        "create trigger hypotheses_expect_kept before update of expect on hypotheses "
        "when old.expect is not new.expect "
        "begin select raise(abort, 'recorded facts are never overwritten'); end"
    )


def m019_tags(db: "Database") -> None:
    """Tags and notes of experiments; what tables of a leaf's experiments are sorted by."""
    never = "begin select raise(abort, 'recorded facts are never overwritten'); end"
    common = (
        "id integer primary key, uid text not null unique, experiment integer not null "
        "references experiments (id)"
    )
    said = '"by" text not null, at text not null'
    db.execute(
        f"create table tags ({common}, tag text not null, gone integer not null, {said}) strict"
    )
    db.execute(f"create table notes ({common}, text text not null, {said}) strict")
    db.execute("create index tags_tag on tags (tag, experiment)")
    for table in ("tags", "notes"):
        db.execute(f"create index {table}_experiment on {table} (experiment)")
        db.execute(f"create trigger {table}_kept before update on {table} {never}")
        db.execute(f"create trigger {table}_stays before delete on {table} {never}")
    for column in ("value", "gain", "seconds"):
        # By an expression, so that no other question takes these for what it looks for.
        db.execute(f"create index state_by_{column} on state (leaf, {column} + 0)")


def m020_interrupted(db: "Database") -> None:
    """Crashes that say nothing about their ideas: counted apart from those that do."""
    db.execute(
        "create index state_interrupted on state (leaf) where verdict = 'crash' "
        "and failure in ('infra', 'interrupted', 'lost')"
    )


def m021_environments(db: "Database") -> None:
    """The packages that runs had, each lock once by its hash; empty in what was recorded before."""
    never = "begin select raise(abort, 'recorded facts are never overwritten'); end"
    db.execute(
        "create table environments (id integer primary key, uid text not null unique, python text "
        "not null, cuda text, driver text, packages text not null check (json_valid(packages)), "
        "at text not null) strict"
    )
    db.execute(f"create trigger environments_kept before update on environments {never}")
    db.execute(f"create trigger environments_stays before delete on environments {never}")
    db.execute("alter table runs add column environment text references environments (uid)")
    db.execute(
        "create trigger runs_environment_kept before update of environment on runs "
        "when old.environment is not null and old.environment is not new.environment "
        "begin select raise(abort, 'recorded facts are never overwritten'); end"
    )


def m022_archive(db: "Database") -> None:
    """What is out of sight, by the newest event on it: experiments, and leaves (`leaf NAME`)."""
    verbs = "verb in ('archive', 'unarchive')"
    db.execute(f"create index events_archive on events (subject, id, verb) where {verbs}")
    db.execute(
        "create view archived as select subject, event from (select subject, verb, max(id) as "
        f"event from events where {verbs} group by subject) where verb = 'archive'"
    )
    db.execute(
        "create view hidden as select cast(substr(subject, 2) as integer) as experiment "
        "from archived where subject glob 'e[0-9]*'"
    )


def _execute(db: "Database", script: str) -> None:
    """Execute statements inside the open transaction, which `executescript` would commit."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""


STEPS: tuple[Callable[["Database"], None], ...] = (
    m001_notebook,
    m002_machine,
    m003_runs_of_a_job,
    m004_reported,
    m005_baselines,
    m006_combinations,
    m007_audits,
    m008_trust,
    m009_chain,
    m010_repeats,
    m011_sealed,
    m012_changes,
    m013_hopeless,
    m014_behaviour,
    m015_attempts,
    m016_dead_ends,
    m017_waves,
    m018_forecasts,
    m019_tags,
    m020_interrupted,
    m021_environments,
    m022_archive,
)
REDERIVED = 16  # notebooks older than this step hold derived tables of another rule
