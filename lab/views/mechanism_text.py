"""Mechanism in words: the outcome, the figures behind it, and what was claimed instead."""

from ..documents.experiments import Mechanism, Observation
from ..text import error, num, plain


def mechanism_text(seen: Mechanism) -> str:
    """Return the outcome with the figures behind it, and what was claimed where that differs."""
    words = f"mechanism {seen['outcome']} ({seen['source']})"
    if seen["seen"]:
        words += ": " + "; ".join(_observed(one, len(seen["seen"]) > 1) for one in seen["seen"])
    elif seen["observable"]:
        words += f": {plain(seen['observable'])}"
    if seen["claimed"] not in (None, seen["outcome"]):
        words += f"; claimed {seen['claimed']}"
    return words


def _observed(one: Observation, several: bool) -> str:
    name, _, wanted = plain(one["condition"]).partition(" ")
    outcome = f" {one['outcome']}" if several else ""
    if one["value"] is None:
        return f"{name} was not reported (wanted {wanted}){outcome}"
    times = "x" if one["relative"] else ""
    told = " ± unknown" if one["error"] is None else f" ± {error(one['error'])}"
    return f"{name} {num(one['value'])}{times}{told} (wanted {wanted}){outcome}"
