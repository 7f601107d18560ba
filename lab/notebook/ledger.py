"""Ledger: what of a branch is claimed, by audits, and what is provisional."""

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..judge import SIGN, Noise, Policy, Record, finite, mean, total
from . import Notebook, history, lookup, measurements, read

LONGEST = 100  # keeps from a tip back: five nights of a lucky gambler, without one audit
FAR = 10.0  # noises above what was repeated: another program may have another noise
LINE = 8  # keeps back whose near misses still wait: what is older was tried on another program
TIPS = 8  # whose levels are compared for the best: luck moves none past more of them
NEWEST = 60  # experiments on a tip that are looked at: more hang on none between two audits
GainStatus = Literal["provisional", "confirmed", "not_confirmed", "bagged"]


@dataclass(frozen=True)
class Ledger:
    """A tip's chain of kept changes, and the two gains it has; None is unknown."""

    tip: int
    base: int  # what was last confirmed, or the start
    level: float | None  # what the next idea must beat
    confirmed_gain: float | None  # the sum of what audits confirmed; None where none did
    provisional_gain: float | None  # of the tip's level above what was last confirmed
    over_first: float | None  # of the tip's level above the leaf's first baseline
    since: tuple[int, ...]  # changes kept since, oldest first
    simpler: int  # how many of those for taking fewer lines


@dataclass(frozen=True)
class Best:
    """The best of a leaf in a scope, whichever campaign made it."""

    row: sqlite3.Row  # as of `lab log`
    level: float  # what it is known by, less what luck added
    value: float  # the mean over the runs that count
    runs: int


def best(book: Notebook, scope: int, policy: Policy) -> Best | None:
    """Return the tip with the best level: a single lucky run does not beat what was audited."""
    noise = measurements.noise(book, scope)
    sd, found = noise.sd if noise else 0.0, list[Best]()
    for row in read.tips(book, scope, TIPS):
        known = measurements.known_by(book, row["experiment"])
        level = known.level(policy, sd, row["direction"])
        if level is not None:
            value = mean(list(known.runs.values()))
            found.append(Best(row, level, value, len(known.runs)))
    return max(found, key=lambda one: SIGN[one.row["direction"]] * one.level, default=None)


def chain(book: Notebook, tip: int) -> list[int]:
    """Return a kept experiment and the incumbents it was built on, newest first."""
    rows = book.all(
        "with recursive line (id, place) as (select ?, 0 union all select e.incumbent, place + 1 "
        "from line join experiments e on e.id = line.id where e.incumbent is not null "
        "and place < ?) select id from line order by place",
        *(tip, LONGEST),
    )
    return [row["id"] for row in rows]


def audits(book: Notebook, experiments: list[int]) -> list[sqlite3.Row]:
    """Return the finished audits whose tip is one of these, newest first."""
    marks = ", ".join("?" * len(experiments))
    return book.all(
        f"select * from audits where tip in ({marks}) and conclusion <> 'cut' order by id desc",
        *experiments,
    )


def of(book: Notebook, tip: int, noise: Noise | None, policy: Policy, first: int = 0) -> Ledger:
    """Return how a tip stands: the chain back to where it was last confirmed, and both gains.

    `first` is the experiment with which the time in question begins.
    """
    line = chain(book, tip)
    line = [n for n in line if n >= first] + [n for n in line if n < first][:1]
    done = _confirmed(book, line)
    base = done[0]["tip"] if done else line[-1]
    since = line[: line.index(base)]
    sd = noise.sd if noise else 0.0
    direction = book.all("select direction from experiments where id = ?", tip)[0][0]
    known = {number: measurements.known_by(book, number) for number in (tip, base)}
    level = known[tip].level(policy, sd, direction)
    gains = [one["gain"] for one in done]
    begun = _over_first(book, line[-1], policy, sd, direction)
    late = min(0.0, begun or 0.0)  # what a start below the leaf's own takes away again
    confirmed = total([*gains, late]) if gains else None
    provisional = _between(known[tip], known[base], policy, sd, direction)
    if policy.rule == "strict":  # every keep was certified by itself
        start = measurements.known_by(book, line[-1])
        confirmed, provisional = _between(known[tip], start, policy, sd, direction), 0.0
        base, since = tip, []
    return Ledger(
        *(tip, base, level, confirmed, provisional),
        over_first=_over_first(book, tip, policy, sd, direction),
        since=tuple(since[::-1]),
        simpler=_simpler(book, since),
    )


def _over_first(
    book: Notebook, number: int, policy: Policy, sd: float, direction: str
) -> float | None:
    """Return how far an experiment's level is above the leaf's first baseline."""
    state = lookup.state(book, number)
    first = history.first_baseline(book, state["leaf"], state["scope"])
    if first is None:
        return None
    mine, theirs = (measurements.known_by(book, one) for one in (number, first))
    return _between(mine, theirs, policy, sd, direction)


def _confirmed(book: Notebook, line: list[int]) -> list[sqlite3.Row]:
    """Return the audits that confirm a line, newest first, no stretch of it twice."""
    place = {number: at for at, number in enumerate(line)}
    known = [
        one
        for one in audits(book, line)
        if one["conclusion"] == "confirmed" and one["base"] in place
    ]
    found: list[sqlite3.Row] = []
    reached = 0
    for one in sorted(known, key=lambda one: (place[one["tip"]], -one["id"])):
        if place[one["tip"]] >= reached:
            found.append(one)
            reached = place[one["base"]]
    return found


def _between(tip: Record, base: Record, policy: Policy, sd: float, direction: str) -> float | None:
    """Return how far one level is above another."""
    high, low = (one.level(policy, sd, direction) for one in (tip, base))
    return None if high is None or low is None else finite(SIGN[direction] * (high - low))


def _simpler(book: Notebook, experiments: list[int]) -> int:
    if not experiments:
        return 0
    marks = ", ".join("?" * len(experiments))
    row = book.all(
        "select count(*) from judgements j where reason = 'simpler' and id = (select max(id) from "
        f"judgements where experiment = j.experiment) and experiment in ({marks})",
        *experiments,
    )
    return int(row[0][0])


def gain_status(
    book: Notebook, state: Mapping[str, Any] | sqlite3.Row, policy: Policy
) -> GainStatus | None:
    """Return which ledger an experiment's gain is on, None where it is on neither."""
    number = state["experiment"]
    if state["verdict"] == "discard":
        return "bagged" if is_bagged(book, number) else _taken_back(book, number)
    if state["verdict"] != "keep" or state["hypothesis"] is None or state["claimed"]:
        return None
    if policy.rule == "strict":
        return "confirmed"
    return _audited(book, number) or "provisional"


def is_confirmed(book: Notebook, number: int) -> bool:
    """Return whether an audit has confirmed the chain that a kept change is part of."""
    return _audited(book, number) == "confirmed"


def kept_on(book: Notebook, number: int) -> int | None:
    """Return a change that was kept on top of a kept one, if there is any."""
    row = book.one(
        "select e.id from experiments e join state s on s.experiment = e.id "
        "join state own on own.experiment = ?1 where e.incumbent = ?1 and e.kind = 'run' "
        "and s.verdict = 'keep' and own.verdict = 'keep' limit 1",
        number,
    )
    return None if row is None else int(row["id"])


def is_audited(book: Notebook, number: int) -> bool:
    """Return whether an audit measured a kept change in turn, whatever it said."""
    return _audited(book, number) is not None


def audited_gain(book: Notebook, number: int) -> tuple[float, float] | None:
    """Return what an audit measured of this change alone, with its error; None where none did."""
    for audit in _audits_beyond(book, number):
        if covered(book, audit) == [number] and audit["gain"] is not None:
            return audit["gain"], audit["se"]
    return None


def _audited(book: Notebook, number: int) -> GainStatus | None:
    audit = _deciding(book, number)
    if audit is None:
        return None
    return "confirmed" if audit["conclusion"] == "confirmed" else "not_confirmed"


def _deciding(book: Notebook, number: int) -> sqlite3.Row | None:
    """Return the audit by which a kept change is confirmed or not."""
    beyond = sorted(_audits_beyond(book, number), key=lambda one: one["tip"] != number)
    return next((audit for audit in beyond if number in covered(book, audit)), None)


def audited_with(book: Notebook, number: int) -> list[int]:
    """Return the other changes that the same audit measured in one with a kept one."""
    audit = _deciding(book, number)
    return [other for other in covered(book, audit) if other != number] if audit else []


def unlike(book: Notebook, stands: Ledger, noise: Noise | None) -> float | None:
    """Return how many noises a tip is above the program whose repeats tell the noise, if far.

    None where something has been repeated since.
    """
    above = stands.provisional_gain
    if noise is None or noise.sd == 0 or above is None or above < FAR * noise.sd:
        return None
    repeated = any(lookup.state(book, number)["df"] for number in stands.since)
    return None if repeated else above / noise.sd


def _audits_beyond(book: Notebook, number: int) -> list[sqlite3.Row]:
    """Return finished audits of later tips on this experiment's leaf, those that confirm first."""
    return book.all(
        "select a.* from audits a where a.tip >= ? and a.conclusion <> 'cut' and a.leaf = (select "
        "leaf from experiments where id = ?) order by a.conclusion <> 'confirmed', a.id desc",
        *(number, number),
    )


def covered(book: Notebook, audit: sqlite3.Row) -> list[int]:
    """Return the changes between an audit's two sides."""
    line = chain(book, audit["tip"])
    return line[: line.index(audit["base"])] if audit["base"] in line else line


def is_bagged(book: Notebook, number: int, line: Collection[int] = ()) -> bool:
    """Return whether a change was a little above its incumbent's level, one of a `line` if any."""
    row = book.one(
        "select reason, incumbent from judgements where experiment = ? order by id desc limit 1",
        number,
    )
    of_it = row is not None and (not line or row["incumbent"] in line)
    return of_it and row is not None and row["reason"] == "bagged"


def _taken_back(book: Notebook, number: int) -> GainStatus | None:
    kept = book.one("select 1 from results where experiment = ? and verdict = 'keep'", number)
    return "not_confirmed" if kept else None


def bag(book: Notebook, tip: int) -> list[sqlite3.Row]:
    """Return the near misses among the newest tried on a tip's line, the best first.

    What was tried together once is in no bag any more, nor is what turns something that the line
    has kept another value of since.
    """
    line = chain(book, tip)[:LINE]
    done, since, found = tried(book, line), set[str](), list[sqlite3.Row]()
    for incumbent in line:
        found += [
            row
            for row in _bagged_on(book, incumbent)
            if row["experiment"] not in done and not places(row["axis"]) & since
        ]
        since |= places(book.all("select axis from experiments where id = ?", incumbent)[0][0])
    return sorted(found, key=lambda row: -(row["gain"] or 0.0))


def _bagged_on(book: Notebook, incumbent: int) -> list[sqlite3.Row]:
    """Return the near misses among the newest tried on one incumbent."""
    return book.all(
        'select s.experiment, s.gain, e.incumbent, e.parent, e."commit", e.axis, h.claim '
        "from experiments e "
        "join state s on s.experiment = e.id left join hypotheses h on h.id = e.hypothesis "
        "where e.id in (select id from experiments where incumbent = ? order by id desc limit ?) "
        "and s.verdict = 'discard' and (select reason from judgements where experiment = e.id "
        "order by id desc limit 1) = 'bagged' and not exists (select 1 from results r where "
        "r.experiment = e.id and r.because like 'audit: %')",
        *(incumbent, NEWEST),
    )


def places(axis: str | None) -> set[str]:
    """Return what an axis names: constants, or one word for a structure.

    >>> sorted(places("lr+depth")), places(None)
    (['depth', 'lr'], set())
    """
    return set(axis.split("+")) if axis else set()


def tried(book: Notebook, line: Collection[int], but: str = "") -> set[int]:
    """Return what was tried together on a line of incumbents, in other contents than `but`."""
    marks = ", ".join("?" * len(line))
    rows = book.all(
        "select c.parts from combinations c where c.contents <> ? and exists (select 1 from "
        "experiments where contents = c.contents and parent = c.parent and leaf = c.leaf "
        f"and incumbent in ({marks})) order by c.id desc limit ?",
        *(but, *line, LONGEST),
    )
    return {int(part) for row in rows for part in json.loads(row["parts"])}
