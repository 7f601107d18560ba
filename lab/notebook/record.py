"""Inserts: everything that is ever written down, one function a fact."""

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import Refused, Usage
from . import TEXT_LIMIT, Notebook, search, state

LONGEST_NAME = 100  # characters of a metric's name: boards and tables have lines of 100


def text(what: str, value: str, command: str) -> str:
    """Return `value` trimmed, or refuse what is empty or longer than a page can hold."""
    clean = value.encode("utf-8", "replace").decode().strip()
    if not clean:
        raise Usage(f"the {what} is empty.", f"Type: {command}")
    if len(clean) > TEXT_LIMIT:
        raise Usage(
            f"the {what} has {len(clean):,} characters; at most {TEXT_LIMIT:,} are kept.",
            "Say it in a paragraph, and put the rest into notes.md.",
        )
    return clean


def claimed_metrics(words: str) -> dict[str, float]:
    """Return metrics typed as JSON; refuse what is no object of finite numbers.

    >>> claimed_metrics('{"val_bpb": 0.98}')
    {'val_bpb': 0.98}
    """
    hint = """Type: --metrics '{"val_bpb": 0.9932}'"""
    try:
        found = json.loads(words)
    except (ValueError, RecursionError) as error:
        raise Usage(f"--metrics is not JSON ({error}).", hint) from None
    if not isinstance(found, dict):
        raise Usage("--metrics is not a JSON object of names and numbers.", hint)
    for name, value in found.items():
        if len(name) > LONGEST_NAME:
            raise Usage(f"--metrics: a name has {len(name):,} characters; {LONGEST_NAME} do.", hint)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Usage(f"--metrics: {name!r} is not a number.", hint)
        if not math.isfinite(value := _float(value)):
            raise Usage(f"--metrics: {name!r} is not finite.", hint)
        found[name] = value
    return found


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def hypothesis(
    book: Notebook,
    *,
    leaf: str,
    claim: str,
    mechanism: str,
    observe: str | None = None,
    min_effect: float | None = None,
    expect: float | None = None,
    axis: str | None = None,
    campaign: str | None = None,
    source: str | None = None,
    uid: str | None = None,
    at: str | None = None,
) -> int:
    """Write down what is expected and why; the same open claim of a campaign keeps its id."""
    with book.write():
        old = book.one(
            "select h.id from hypotheses h join pending p on p.hypothesis = h.id "
            "where h.leaf = ? and h.campaign is ? and h.claim = ?",
            *(leaf, campaign, claim),
        )
        if old and uid is None:
            return int(old[0])
        made = book.insert(
            "hypotheses",
            **{"leaf": leaf, "claim": claim, "mechanism": mechanism, "observe": observe},
            **{"min_effect": min_effect, "axis": axis, "campaign": campaign, "source": source},
            **({"expect": expect} if expect is not None else {}),
            **({"uid": uid} if uid else {}),
            **({"at": at} if at else {}),
        )
        book.insert_plain("pending", hypothesis=made, leaf=leaf, campaign=campaign)
        search.put(book.db, made, claim=claim, mechanism=mechanism, leaf=leaf)
        book.event("hypothesis", f"h{made}")
        return made


def drop(book: Notebook, hypothesis: int, why: str | None = None) -> None:
    """Withdraw an idea that was never run: it is listed as open no longer."""
    with book.write() as db:
        db.execute("delete from pending where hypothesis = ?", (hypothesis,))
        book.event("drop", f"h{hypothesis}", why)


def experiment(book: Notebook, **row: Any) -> int:
    """Open an experiment. The row exists before its process does, so a crash leaves a trace."""
    with book.write() as db:
        made = book.insert("experiments", **row)
        db.execute("delete from pending where hypothesis = ?", (row.get("hypothesis"),))
        state.refresh(book, made)
        book.event("experiment", f"e{made}")
        return made


def supervisor(book: Notebook, job: int, who: str) -> None:
    """Note the process that owns the job from here on; a later one is noted as an event."""
    with book.write():
        if book.all("select keeper from jobs where id = ?", job)[0][0] is None:
            book.fill("jobs", job, keeper=who)
        else:
            book.event("keeper again", f"job {job}", who)


def run(book: Notebook, experiment: int, job: int, seed: int) -> int:
    """Open one run: it waits in the queue from here on."""
    with book.write():
        made = book.insert("runs", experiment=experiment, job=job, seed=seed)
        state.refresh(book, experiment)
        return made


def run_started(book: Notebook, experiment: int, run: int, **known: Any) -> None:
    """Note that the run has its device and its child is about to start."""
    with book.write():
        book.fill("runs", run, started=book.stamp(), **known)
        state.refresh(book, experiment)
        book.event("run started", f"e{experiment}", f"run {run}")


def run_ended(
    book: Notebook,
    experiment: int,
    run: int,
    *,
    metrics: Iterable[tuple[str, str, float]] = (),
    **facts: Any,
) -> None:
    """Close one run with what was measured: metrics are (name, source, value)."""
    with book.write():
        for name, source, value in metrics:
            book.insert_plain("metrics", run=run, name=name, source=source, value=value)
        book.fill("runs", run, ended=book.stamp(), **facts)
        refresh(book, experiment)
        book.event("run ended", f"e{experiment}", facts.get("failure") or "finished")


def job_ended(book: Notebook, job: int, how: str) -> None:
    """Close a job; `how` is done, or the failure that ended it early."""
    with book.write():
        row = book.all("select experiment, ended from jobs where id = ?", job)[0]
        if row["ended"] is None:
            book.fill("jobs", job, ended=book.stamp(), how=how)
        refresh(book, row["experiment"])


def judgement(book: Notebook, experiment: int, **row: Any) -> None:
    """Record how an experiment stood against its incumbent at this moment."""
    with book.write():
        book.insert("judgements", experiment=experiment, **row)
        refresh(book, experiment)


def audit(
    book: Notebook, campaign: str, *, tip: sqlite3.Row, base: int, seeds: Sequence[int]
) -> int:
    """Begin an audit: which two experiments are run in turn, and with which new seeds."""
    with book.write():
        made = book.insert(
            "audits",
            **{"leaf": tip["leaf"], "campaign": campaign, "tip": tip["id"], "base": base},
            **{"seeds": json.dumps(list(seeds)), "by": book.who},
        )
        book.event("audit", f"e{tip['id']}", f"against e{base}")
        return made


def audit_ended(book: Notebook, audit: sqlite3.Row, conclusion: str, **figures: Any) -> None:
    """Close an audit: confirmed, open, back, or cut where it says nothing."""
    with book.write():
        row = {"ended": book.stamp(), "conclusion": conclusion, **figures}
        book.fill("audits", audit["id"], **row)
        for number in (audit["tip"], audit["base"]):
            refresh(book, number)
        book.event("audit ended", f"e{audit['tip']}", conclusion)


def result(
    book: Notebook,
    experiment: sqlite3.Row,
    verdict: str,
    *,
    mechanism: str | None = None,
    theory_revision: str | None = None,
    because: str | None = None,
    metrics: Mapping[str, float] | None = None,
    suggested: str | None = None,
    gain: float | None = None,
    job: int | None = None,
    uid: str | None = None,
    at: str | None = None,
) -> int:
    """Add a verdict. Verdicts are appended, never rewritten; the newest one counts."""
    name = experiment["metric"]
    with book.write():
        made = book.insert(
            "results",
            experiment=experiment["id"],
            **{"verdict": verdict, "mechanism": mechanism, "theory_revision": theory_revision},
            **{"because": because, "suggested": suggested, "gain": gain, "job": job},
            metrics=json.dumps(metrics) if metrics else None,
            value=metrics.get(name) if metrics and name else None,
            by=book.who,
            **({"uid": uid} if uid else {}),
            **({"at": at} if at else {}),
        )
        refresh(book, experiment["id"], words=bool(theory_revision))
        book.event("result", f"e{experiment['id']}", verdict)
        return made


def lesson(
    book: Notebook, *, leaf: str, words: str, evidence: Sequence[int], everywhere: bool = False
) -> int:
    """Keep a finding with the experiments that show it."""
    with book.write():
        made = book.insert(
            "lessons", leaf=leaf, text=words, everywhere=int(everywhere), by=book.who
        )
        for number in dict.fromkeys(evidence):
            book.insert_plain("evidence", lesson=made, experiment=number)
            refresh(book, number, words=True)
        book.event("lesson", leaf, words[:200])
        return made


def combination(
    book: Notebook,
    *,
    leaf: str,
    campaign: str | None,
    parent: str,
    contents: str,
    parts: Sequence[int],
) -> int:
    """Note which experiments' changes, on top of `parent`, make up the contents of an edit."""
    with book.write():
        return book.insert(
            "combinations",
            **{"leaf": leaf, "campaign": campaign, "parent": parent, "contents": contents},
            parts=json.dumps(list(parts)),
        )


def change(
    book: Notebook, experiment: int, constants: Sequence[tuple[str, Any, Any]], words: str
) -> None:
    """Note what an experiment changed, so that it is found by what was done, not only said."""
    with book.write():
        told = json.dumps([list(one) for one in constants], default=repr)
        book.insert("changes", experiment=experiment, constants=told, words=words)
        refresh(book, experiment, words=True)


def refresh(book: Notebook, experiment: int, *, words: bool = False) -> None:
    """Bring the derived state and the full-text index up to date with an experiment's records."""
    old = book.one("select kind from state where experiment = ?", experiment)
    new = state.refresh(book, experiment)
    if new["hypothesis"] and (words or new["kind"] != (old["kind"] if old else None)):
        index(book, new["hypothesis"])


def index(book: Notebook, *hypotheses: int) -> None:
    """Put hypotheses (at most state.CHUNK) into the full-text index, with what came of them.

    That is what was learned and what was changed: the index has one column for both.
    """
    marks = ", ".join("?" * len(hypotheses))
    learned = book.db.execute(
        "select e.hypothesis, r.theory_revision from experiments e join results r "
        "on r.experiment = e.id and r.theory_revision is not null "
        f"where e.hypothesis in ({marks}) union all select e.hypothesis, l.text "
        "from experiments e join evidence v on v.experiment = e.id join lessons l "
        f"on l.id = v.lesson where e.hypothesis in ({marks}) union all "
        "select e.hypothesis, c.words from experiments e join changes c on c.experiment = e.id "
        f"where e.hypothesis in ({marks})",
        (*hypotheses, *hypotheses, *hypotheses),
    )
    lessons: dict[int, list[str]] = {}
    for number, words in learned:
        lessons.setdefault(number, []).append(words)
    query = f"select hypothesis from state where hypothesis in ({marks}) and kind is not null"
    failed = {row[0] for row in book.db.execute(query, hypotheses)}
    for row in book.all(f"select * from hypotheses where id in ({marks})", *hypotheses):
        search.put(
            book.db,
            row["id"],
            claim=row["claim"],
            mechanism=row["mechanism"],
            lesson="\n".join(lessons.get(row["id"], [])),
            leaf=row["leaf"],
            failed=row["id"] in failed,
        )


def campaign(book: Notebook, **row: Any) -> int:
    """Note a campaign: one agent at work on one leaf in one worktree."""
    with book.write():
        taken = book.one("select id from campaigns where name = ?", row["name"])
        if taken:
            raise Refused(
                f"the name {row['name']} was used by an earlier campaign.",
                "Choose another: lab worktree LEAF NAME",
            )
        made = book.insert("campaigns", by=book.who, **row)
        book.event("campaign", row["name"])
        return made


def tip(book: Notebook, campaign: str | None, commit: str | None) -> None:
    """Note where the harness left a campaign's branch, so that a foreign commit shows."""
    if campaign is not None and commit is not None:
        with book.write():
            book.insert("tips", campaign=campaign, commit=commit, by=book.who)


def session(book: Notebook, campaign: int, *, agent: str) -> int:
    """Open one session of a campaign's agent."""
    with book.write():
        made = book.insert("sessions", campaign=campaign, agent=agent)
        book.event("session", f"session {made}", agent)
        return made


def session_fills(book: Notebook, session: int, **facts: Any) -> None:
    """Note what becomes known of a session: its process, its log, how it ended."""
    with book.write():
        book.fill("sessions", session, **facts)
