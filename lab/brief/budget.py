"""Token budget of what agents read: first shorter sentences, then fewer of them."""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ..errors import Usage
from ..text import CHARACTERS_A_TOKEN, shorten

SENTENCES = (400, 240, 160, 110, 80, 60)  # characters that a sentence may keep, roomiest first
SHORTEST = 40  # characters that an item takes at the very least
LEAST = 400  # tokens below which not even the names of the fields fit


def check(tokens: int) -> int:
    """Refuse a budget that nothing fits into."""
    if tokens < LEAST:
        raise Usage(f"--tokens {tokens} is too few to say anything.", f"Type: --tokens {LEAST}")
    return tokens


def fit_json(found: Any, tokens: int, give_way: Sequence[str], uncut: Sequence[str] = ()) -> Any:
    """Return `found` so that its JSON, indented as printed, stays within `tokens`.

    Sentences are cut first; then the lists named in `give_way` lose their last items, the first
    list named before the others. Sentences under a key of `uncut` stay whole while they can.
    """
    room = tokens * CHARACTERS_A_TOKEN
    for kept in (uncut, uncut[:1], ()):  # the first of them is given up last
        fitted = _fit(found, room, give_way, kept)
        if len(dump(fitted)) <= room:
            break
    return fitted


def _fit(found: Any, room: int, give_way: Sequence[str], uncut: Collection[str]) -> Any:
    for limit in SENTENCES:
        cut = _cut(found, limit, uncut)
        if len(dump(cut)) <= room:
            return cut
    for name in give_way:
        while cut[name] and len(dump(cut)) > room:
            cut[name].popitem() if isinstance(cut[name], dict) else cut[name].pop()
    return cut


def dump(found: Any) -> str:
    """Return JSON as the commands print it."""
    return json.dumps(found, allow_nan=False, indent=1, default=str) + "\n"


def _cut(found: Any, limit: int, uncut: Collection[str] = ()) -> Any:
    if isinstance(found, str):
        return found if len(found) <= limit else shorten(found, limit)
    if isinstance(found, dict):
        return {
            key: value if key in uncut and isinstance(value, str) else _cut(value, limit, uncut)
            for key, value in found.items()
        }
    if isinstance(found, list | tuple):
        return [_cut(value, limit, uncut) for value in found]
    return found


def fit_text(render: Callable[[int, int], str], tokens: int, most: int) -> str:
    """Return `render(sentence, items)` with the longest sentences and most items that fit."""
    room = tokens * CHARACTERS_A_TOKEN
    most = min(most, room // SHORTEST)
    for items in range(most, 0, -1):
        for limit in SENTENCES if items == most else SENTENCES[-1:]:
            words = render(limit, items)
            if len(words) < room:
                return words
    return render(SENTENCES[-1], 0)[: room - 1]
