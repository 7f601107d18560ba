"""`lab reproduce`: run an experiment again, and say whether the number held."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from ..notebook import Notebook, environments, lookup, measurements
from ..text import num, plain, plural

Versions = Mapping[str, str | None]
MOST = 8  # versions told in lines; the rest is in --json
HELD_WITHIN = 3.0  # noises; a repeat of the same seed differs by less than another seed would


def compare(book: Notebook, experiment: sqlite3.Row, first: sqlite3.Row) -> dict[str, Any]:
    """Compare a run with its newest repetition."""
    number = experiment["id"]
    again = [run for run in lookup.runs(book, number) if run["seed"] == first["seed"]][-1]
    noise = _noise(book, number)
    found: dict[str, Any] = {
        "experiment": f"e{number}",
        "seed": first["seed"],
        "metric": experiment["metric"],
        "value": first["value"],
        "again": again["value"],
        "difference": None,
        "noises": None,
        "noise": noise,
        "held": None,
        "failure": again["failure"],
        "device": {"then": first["device"], "now": again["device"]},
        "environment": {"then": first["environment"], "now": again["environment"]},
        "versions": {
            **_differing(_versions(first), _versions(again)),
            **_packages(book, first["environment"], again["environment"]),
        },
    }
    if again["value"] is None:
        return found | {"held": False}
    found["difference"] = again["value"] - first["value"]
    if found["difference"] == 0:
        return found | {"held": True, "noises": 0.0}
    if noise:
        found["noises"] = abs(found["difference"]) / noise
        found["held"] = found["noises"] <= HELD_WITHIN
    return found


def _noise(book: Notebook, number: int) -> float | None:
    noise = measurements.noise(book, lookup.state(book, number)["scope"])
    return noise.sd if noise else None


def _versions(run: sqlite3.Row) -> dict[str, str]:
    return dict(json.loads(run["versions"] or "{}"))


def _differing(old: Versions, new: Versions) -> dict[str, Any]:
    """Return the versions that are not what they were, of what both runs told."""
    return {
        name: {"then": old.get(name), "now": new.get(name)}
        for name in sorted(old.keys() & new.keys())
        if old.get(name) != new.get(name)
    }


def _packages(book: Notebook, then: str | None, now: str | None) -> dict[str, Any]:
    """Return the packages that were added, removed or changed; none where either is unknown."""
    old, new = environments.packages(book, then), environments.packages(book, now)
    if old is None or new is None:
        return {}
    every = dict.fromkeys([*old, *new])
    return _differing({name: old.get(name) for name in every}, {n: new.get(n) for n in every})


def as_text(found: dict[str, Any]) -> str:
    """Return the same as two or three lines."""
    name = f"{found['experiment']} seed {found['seed']}"
    if found["again"] is None:
        return f"{name}: the repetition failed ({found['failure']})"
    words = f"{name}: {found['metric']} {num(found['value'])}, now {num(found['again'])}"
    if found["noises"] is None:
        words += (
            f", {num(found['difference'], sign=True)}; noise unknown: lab run --baseline --seeds 3"
        )
    else:
        verdict = "held" if found["held"] else "did not hold"
        words += f": {verdict} ({num(found['noises'])} noises apart)"
    lines = [words]
    if found["device"]["then"] != found["device"]["now"]:
        lines.append(f"another device: {found['device']['then']}, now {found['device']['now']}")
    lines += _told(found["versions"], found["environment"])
    return "\n".join(lines)


def _told(differing: Mapping[str, Any], environment: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line on each version that differs, or that none does, or that none is known."""
    first = sorted(differing, key=lambda name: (name not in environments.FIRST, name))
    for package in first[:MOST]:
        then, now = (differing[package][when] or "none" for when in ("then", "now"))
        yield plain(f"another {package}: {then}, now {now}")
    if len(differing) > MOST:
        yield f"and {plural(len(differing) - MOST, 'more version')}: --json"
    if not environment["then"] or not environment["now"]:
        which = "then" if not environment["then"] else "now"
        yield f"the packages {which} were not recorded"
    elif not differing:
        yield f"the same packages, environment {environment['now']}"
