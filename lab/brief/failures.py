"""`lab failures`: what did not work, as text and as JSON, each within its budget."""

from collections.abc import Sequence

from ..documents.leaves import DryFailure, Failure, Loss
from ..text import CHARACTERS_A_TOKEN, num, shorten
from .budget import SENTENCES, SHORTEST, dump, fit_text

NAMES = {"dead_end": "dead end", "unsettled": "unsettled"}


def failures_text(
    found: Sequence[Failure | DryFailure], tokens: int, near: str | None = None
) -> str:
    """Return the failures as a person or an agent reads them; `near` is the text they are near."""
    if not found and near:
        return f"None near {shorten(near, SHORTEST)!r}. See all: lab failures"
    if not found:
        return "No failures yet: nothing was discarded or crashed here."

    def render(limit: int, items: int) -> str:
        return "\n".join(entry(one, limit) for one in found[:items])

    return fit_text(render, tokens, len(found))


def entry(one: Failure | DryFailure | Loss, limit: int, whole: int | None = None) -> str:
    """Return one failure in up to four lines; what was learned may keep `whole` characters."""
    words = [f"{one['experiment']} {NAMES[one['kind']]}"]
    if one["experiment"] is None:
        words = [f"{one['hypothesis']} dry run failed ({one['failure']})"]
    elif one["failure"]:
        words.append(" ".join(filter(None, (one["failure"], one["pruned"]))))
    if one["gain"] is not None:
        words.append(f"gain {num(one['gain'], sign=True)}")
    if one["mechanism_outcome"]:
        words.append(f"mechanism {one['mechanism_outcome']}")
    if one.get("elsewhere"):
        words.append("on another program")
    elif one["parent"]:
        words.append(f"on {one['parent'][:9]}")
    if one["imported"]:
        words.append("imported")
    lines = [", ".join(words) + f" ({one['leaf']}): {shorten(one['claim'], limit)}"]
    if one["mechanism"]:
        lines.append(f"  expected because: {shorten(one['mechanism'], limit)}")
    if one["lesson"]:
        known = one["kind"] == "dead_end" or one["experiment"] is None  # a dry run's error is sure
        word = "learned" if known else "not settled"
        said = one["lesson"].removeprefix(f"{word}: ")
        lines.append(f"  {word}: {shorten(said, whole or limit)}")
    return "\n".join(lines)


def fit_failures(found: Sequence[Failure | DryFailure], tokens: int) -> list[Failure | DryFailure]:
    """Return the failures for JSON, shortened and then fewer until they fit."""
    room = tokens * CHARACTERS_A_TOKEN
    most = min(len(found), room // (4 * SHORTEST))
    for items in range(most, 0, -1):
        for limit in SENTENCES if items == most else SENTENCES[-2:]:
            cut = [_cut(one, limit) for one in found[:items]]
            if len(dump(cut)) <= room:
                return cut
    return []


def _cut(one: Failure | DryFailure, limit: int) -> Failure | DryFailure:
    cut = one.copy()
    cut["claim"], cut["mechanism"] = _short(one["claim"], limit), _short(one["mechanism"], limit)
    cut["lesson"] = _short(one["lesson"], limit)
    return cut


def _short(text: str | None, limit: int) -> str | None:
    return shorten(text, limit) if text and len(text) > limit else text
