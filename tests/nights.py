"""A small night as records: ideas with what came of each, imported as our own JSON Lines."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from toy import Toy

Row = dict[str, Any]
START = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
BASE = 4.0  # what the baseline scores; lower is better
SE = 0.01


@dataclass
class Idea:
    """One experiment of the night."""

    claim: str = "raise the slope"
    gain: float | None = 0.0
    verdict: str | None = "discard"
    axis: str | None = "slope"
    mechanism: str = "the truth is 3"
    near: bool = False
    outcome: str | None = None  # confirmed or refuted
    measured: bool = False
    lesson: str | None = None
    failure: str | None = None
    minutes: int = 5


def write(toy: Toy, ideas: list[Idea], leaf: str = "toy", baseline: bool = True) -> None:
    """Import a night into the toy's notebook; its baseline is the leaf's first experiment."""
    file = toy.root.parent / f"night-{leaf.replace('/', '-')}.jsonl"
    with file.open("w") as out:
        for row in sorted(
            records(ideas, leaf, baseline), key=lambda row: TABLES.index(row["table"])
        ):
            out.write(json.dumps(row) + "\n")
    assert '"skipped": 0' in toy.lab("import", str(file), "--json").out


TABLES = (
    *("campaigns", "hypotheses", "experiments", "runs", "judgements", "results"),
    *("lessons", "evidence", "events"),
)


def records(ideas: list[Idea], leaf: str, baseline: bool) -> Iterator[Row]:
    """Yield the night's records; each kept idea is what the next ones are built on."""
    now, base, name = START, f"{leaf}-base", f"{leaf}/ada"
    scope = {"leaf": leaf, "profile": "cpu", "platform": "box", "yardstick": "y1"}
    common = {**scope, "metric": "loss", "direction": "minimize"}
    known = {"branch": f"lab/{name}", "worktree": "gone", "base": "0" * 40, "by": "ada"}
    campaign = {"name": name, "leaf": leaf, "agent": "tuner", "at": stamp(now), **known}
    yield {"table": "campaigns", "uid": f"c-{leaf}", **campaign}
    if baseline:
        first = {"uid": base, "kind": "baseline", "commit": commit(leaf, 0), "contents": base}
        yield {"table": "experiments", **first, **common, "at": stamp(now)}
        for seed in range(3):
            yield run(base, seed, BASE + SE * (seed - 1), stamp(now))
    top, value, tip = (base if baseline else None), BASE, commit(leaf, 0)
    for place, idea in enumerate(ideas, start=1):
        now += timedelta(minutes=idea.minutes)
        uid, at = f"{leaf}-{place}", stamp(now)
        yield from one(idea, uid, at, common, name, (top, value, tip), commit(leaf, place))
        if idea.verdict == "keep" and idea.gain is not None:
            top, value, tip = uid, value - idea.gain, commit(leaf, place)
    ending = {"who": "ada", "verb": "loop ended", "subject": name, "detail": "limit: enough"}
    yield {"table": "events", "uid": f"ending-{leaf}", "at": stamp(now), **ending}


def one(
    idea: Idea,
    uid: str,
    at: str,
    common: Row,
    name: str,
    before: tuple[str | None, float, str],
    sha: str,
) -> Iterator[Row]:
    """Yield the records of one experiment, built on `before`: its uid, value and commit."""
    top, value, tip = before
    who = {"campaign": name, "at": at}
    words = {"claim": idea.claim, "mechanism": idea.mechanism, "axis": idea.axis}
    yield {"table": "hypotheses", "uid": f"h-{uid}", "leaf": common["leaf"], **words, **who}
    made = {"uid": uid, "kind": "run", "commit": sha, "parent": tip, "contents": uid}
    made |= {"hypothesis": f"h-{uid}", "incumbent": top} if top else {"hypothesis": f"h-{uid}"}
    yield {"table": "experiments", **made, **common, **who}
    if idea.failure:
        yield run(uid, 0, None, at, failure=idea.failure)
    else:
        yield run(uid, 0, value - (idea.gain or 0.0), at)
    if idea.gain is not None and not idea.failure and top:
        seen = json.dumps({"outcome": idea.outcome, "source": "measured"})
        judged = {"gain": idea.gain, "se": SE, "noise": SE, "suggest": "discard", "runs": 1}
        judged |= {"reason": "worse", "incumbent": top, "near_miss": int(idea.near)}
        judged |= {"p_better": 0.6, "mechanism": seen if idea.measured else None}
        yield {"table": "judgements", "uid": f"j-{uid}", "experiment": uid, "at": at, **judged}
    if idea.verdict:
        result = {"verdict": idea.verdict, "gain": idea.gain, "by": "ada", "at": at}
        told = {"mechanism": idea.outcome, "theory_revision": idea.lesson}
        yield {"table": "results", "uid": f"v-{uid}", "experiment": uid, **result, **told}
    if idea.lesson:
        lesson = {"text": idea.lesson, "leaf": common["leaf"], "by": "ada", "at": at}
        yield {"table": "lessons", "uid": f"l-{uid}", **lesson}
        yield {"table": "evidence", "lesson": f"l-{uid}", "experiment": uid}


def run(
    experiment: str, seed: int, value: float | None, at: str, failure: str | None = None
) -> Row:
    """Return a run's record."""
    ended = {"started": at, "ended": at, "seconds": 60.0, "value": value, "failure": failure}
    status = "failed" if failure else "finished"
    known = {"uid": f"r-{experiment}-{seed}", "experiment": experiment, "seed": seed, "at": at}
    return {"table": "runs", **known, **ended, "status": status}


def commit(leaf: str, place: int) -> str:
    """Return a commit's name that no repository has."""
    return f"{place:x}".rjust(8, "0") + leaf.encode().hex()[:32].ljust(32, "0")


def stamp(at: datetime) -> str:
    """Return a time as the notebook writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
