"""Cell values in other tools' logs: verdicts, numbers, times, directions."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

Verdict = Literal["keep", "discard", "crash"]
Outcome = Literal["confirmed", "refuted"]
Direction = Literal["minimize", "maximize"]

STATUSES: dict[Verdict, str] = {
    "keep": "keep kept accept accepted adopt adopted win winner improved best baseline success"
    " merged",
    "discard": "discard discarded reject rejected revert reverted worse dropped no_gain loss"
    " regression neutral invalid",
    "crash": "crash crashed error failed fail failure oom timeout timed_out diverged nan killed"
    " aborted bug broken",
}
VERDICTS: dict[str, Verdict] = {
    word: verdict for verdict, words in STATUSES.items() for word in words.split()
}
_UNDECIDED = """
    inconclusive tentative pending running in_progress partial blocked skipped skip exploratory
    repair idea discovery proposed testing tested baseline_reset interrupted todo completed done
    finished null none na n/a - ?
"""
UNDECIDED = frozenset(_UNDECIDED.split())
BLANK = frozenset(("", "-", "--", "?", "na", "n/a", "none", "null", "nan", "tbd", "pending"))
OUTCOMES: dict[str, Outcome] = {
    "yes": "confirmed", "true": "confirmed", "1": "confirmed", "confirmed": "confirmed",
    "no": "refuted", "false": "refuted", "0": "refuted", "refuted": "refuted",
}  # fmt: skip
TIMES = (
    *("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y-%m-%d_%H-%M-%S", "%Y%m%d_%H%M%S"),
    *("%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S %z", "%d %b %Y %H:%M", "%b %d, %Y %H:%M"),
)
EPOCH = (946_684_800, 4_102_444_800)  # 2000 to 2100: seconds outside are no experiment's time
_FALLS = "min minimize minimise minimum lower smaller less down decrease low ↓"
_RISES = "max maximize maximise maximum higher greater bigger up increase high ↑"
FALLS, RISES = frozenset(_FALLS.split()), frozenset(_RISES.split())


def verdict(status: str) -> tuple[Verdict | None, bool]:
    """Return the verdict a status stands for, and whether the status is one we know.

    >>> verdict("KEEP (best)"), verdict("tentative"), verdict("purple")
    (('keep', True), (None, True), (None, False))
    """
    word = status.strip().lower()
    for form in (re.sub(r"[\s-]+", "_", word), (re.findall(r"[a-z]+", word) or [""])[0]):
        if form in VERDICTS:
            return VERDICTS[form], True
        if form in UNDECIDED or word in UNDECIDED:
            return None, True
    return None, not word


def number(text: str, comma: bool = False) -> float | None:
    """Return a finite number, or None; with `comma`, that is where the decimals begin.

    >>> number("68.6%"), number("**0.99** ± 0.01"), number("1,234.5"), number("0,997", comma=True)
    (68.6, 0.99, 1234.5, 0.997)
    >>> number("0.86mv"), number("na"), number("inf"), number("1_000")
    (None, None, None, None)
    """
    word = re.split("±|\\+/-", text)[0].strip().strip("*` ").replace("\u2212", "-")
    word = word.removesuffix("%").rstrip()
    groups, point = (".", ",") if comma else (",", ".")
    if re.match(rf"[-+]?\d{{1,3}}({re.escape(groups)}\d{{3}})+({re.escape(point)}|$)", word):
        word = word.replace(groups, "")
    word = word.replace(point, ".")
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", word, re.ASCII | re.I):
        return None
    value = float(word)
    return value if math.isfinite(value) else None


def decimal_comma(cells: Iterable[str]) -> bool:
    """Say whether a column writes 0,997: some comma in it cannot be one between thousands.

    >>> [decimal_comma(cells) for cells in (["3,2", "3,125"], ["1,234", "12,000"], ["0,997"])]
    [True, False, True]
    """
    shape = r"\s*[-+\u2212]?(?:(\d*)|\d{1,3}(?:\.\d{3})+),(\d+)\s*(?:e[-+]?\d+)?\s*%?\s*"
    found = [match for cell in cells if (match := re.fullmatch(shape, cell, re.I))]
    return any(
        one[1] is None or one[1] in ("", "0") or len(one[1]) > 3 or len(one[2]) != 3
        for one in found
    )


def when(text: str | None) -> str | None:
    """Return a time as UTC ISO 8601, or None when it is not one; without a zone it is UTC.

    >>> when("2026-03-08T01:02:03+02:00"), when("1773000000000"), when("yesterday")
    ('2026-03-07T23:02:03.000Z', '2026-03-08T20:00:00.000Z', None)
    """
    time = _moment((text or "").strip())
    if time is None:
        return None
    try:
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        return None
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime | None:
    """Return a time as it was written: ISO 8601, seconds since 1970, or a usual form."""
    if re.fullmatch(r"\d{9,19}(\.\d*)?", text, re.ASCII):
        seconds = float(text)
        while seconds > EPOCH[1]:
            seconds /= 1000  # they were milliseconds, or finer
        return datetime.fromtimestamp(seconds, UTC) if seconds >= EPOCH[0] else None
    plain = re.sub(r"\s*(UTC|GMT)$", "", text)
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        pass
    for form in TIMES:
        try:
            return datetime.strptime(plain, form)
        except ValueError:
            continue
    return None


def direction(text: str) -> Direction | None:
    """Return which way is better, from words that say so.

    >>> direction("lower_is_better"), direction("max"), direction("loss (↓)"), direction("loss")
    ('minimize', 'maximize', 'minimize', None)
    """
    words = set(re.findall("[a-z]+|[↓↑]", text.lower()))
    falls, rises = bool(words & FALLS), bool(words & RISES)
    if falls == rises:
        return None
    return "minimize" if falls else "maximize"


def measured(metrics: dict[str, float], verdict: Verdict | None) -> dict[str, float]:
    """Leave out zeros that mean "never measured": a crash's, and all where even memory is zero."""
    memory = [v for name, v in metrics.items() if re.search("mem|vram", name.lower())]
    if verdict == "crash" or (memory and not any(memory)):
        return {name: value for name, value in metrics.items() if value}
    return metrics
