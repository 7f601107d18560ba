"""`lab reproduce`: run an experiment again, and say whether the number held."""

import json
import sqlite3
from typing import Any

from ..notebook import Notebook, lookup, measurements
from ..text import num, plain

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
        "versions": _differing(first["versions"], again["versions"]),
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


def _differing(then: str | None, now: str | None) -> dict[str, Any]:
    """Return the versions that are not what they were, of what both runs told."""
    old, new = json.loads(then or "{}"), json.loads(now or "{}")
    return {
        name: {"then": old.get(name), "now": new.get(name)}
        for name in sorted(old.keys() & new.keys())
        if old.get(name) != new.get(name)
    }


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
    for package, pair in found["versions"].items():
        lines.append(plain(f"another {package}: {pair['then']}, now {pair['now']}"))
    return "\n".join(lines)
