"""`lab board` as text: plain where a program reads it, coloured on a terminal."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any

from ..documents.leaves import Block, Board, Pruning, Row
from ..notebook.replicates import SAYS_NOTHING
from ..text import num, plural, shorten, span
from .sealed import TITLE, Line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

NARROWEST = 40  # columns a line is made for; a phone held upright
LEAST_ROOM = 8  # characters that a claim keeps there
MOST_KEPT = 30  # kept changes shown, the newest
MOST_NEWEST = 10  # experiments shown below them, the newest
ABORTED = "aborted"  # by something else than the idea: as long a word as a column has
BARS = "▁▂▃▄▅▆▇█"
LONGEST_SPARK = 60  # bars: the eye compares no more
STYLES = {"keep": "bold blue", "discard": "default", "crash": "red", "running": "cyan"}


def text(found: Board, width: int = 100, sealed: Sequence[Line] = ()) -> str:
    """Return the board for `width` columns, without colour; `sealed` is told to a person alone."""
    width = max(NARROWEST, width)
    lines = [line for line, _ in _lines(found, sealed, width)]
    return "\n".join(shorten(line, width) if len(line) > width else line for line in lines)


def summary(boards: Sequence[Board], sealed: Sequence[Sequence[Line]], width: int) -> list[str]:
    """Return a line for each of several leaves: its best, its gain, its counts."""
    width = max(NARROWEST, width)
    names = min(width // 2, max(len(found["leaf"]) for found in boards))
    lines = [
        f"{shorten(found['leaf'], names):<{names}}  "
        f"{shorten(_in_a_line(found, told), width - names - 2)}"
        for found, told in zip(boards, sealed, strict=True)
    ]
    return [*lines, "all of one: lab board LEAF"]


def _in_a_line(found: Board, sealed: Sequence[Line]) -> str:
    counts, best = found["counts"], found["best"]
    if not counts["experiments"]:
        return "nothing yet"
    where = f"best {best['experiment']} {num(best['value'])}" if best else "no best yet"
    words = [f"{found['metric'] or 'no metric yet'}: {where}"]
    words += [worth(found)] if found["claimed_gain"] is not None else []
    words += ["missed by the sealed set"] if any(one.is_missed for one in sealed) else []
    words += [f"{counts['keep']} of {plural(counts['experiments'], 'experiment')} kept"]
    words += [f"{len(found['running'])} running"] if found["running"] else []
    return "; ".join(words)


def show(found: Board, console: "Console", sealed: Sequence[Line] = ()) -> None:
    """Print a board on a terminal; `NO_COLOR` and a dumb terminal are the console's to respect."""
    console.print(_panel(found, sealed, max(NARROWEST, console.width)))


def _panel(found: Board, sealed: Sequence[Line], width: int) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    def line(words: str, style: str) -> "Text":
        return Text(words, style=style, no_wrap=True, overflow="ellipsis")

    return Group(*(line(words, style) for words, style in _lines(found, sealed, width)))


def _lines(found: Board, sealed: Sequence[Line], width: int) -> list[tuple[str, str]]:
    """Return each line with its style."""
    if not found["counts"]["experiments"]:
        return _wrapped(f"{found['leaf']}: nothing yet.", "bold", width) + _wrapped(
            f"Begin with: lab run --baseline --seeds 3 --leaf {quote(found['leaf'])}",
            "default",
            width,
        )
    lines = [*_head(found, width)]
    kept = [row for row in found["experiments"] if row["verdict"] == "keep" and row["claim"]]
    told = ["?: not confirmed"] if any(map(_is_unproven, kept)) else []
    told += ["!: see lab show"] if any(row["marks"] for row in kept) else []
    title = f"kept ({', '.join(told)})" if told else "kept"
    lines += _table(title, kept[-MOST_KEPT:], len(kept), width, gains=True)
    lines += _sealed(sealed, width)
    newest = found["experiments"][: -MOST_NEWEST - 1 : -1]
    lines += _table("newest first", newest, found["counts"]["experiments"], width)
    for one in found["running"]:
        claim = shorten(one["claim"] or "baseline", width)
        lines.append((f"{one['experiment']} {one['status']}: {claim}", STYLES["running"]))
    return lines


def _sealed(sealed: Sequence[Line], width: int) -> list[tuple[str, str]]:
    """Return what the sealed set says, marked where a confirmed gain is not there."""
    lines = [("", "default"), (TITLE, "bold")] if sealed else []
    for one in sealed:
        mark, style = ("!", "red") if one.is_missed else ("", "default")
        lines += _wrapped(f"{f'e{one.experiment}':>5}{mark} {one.words}", style, width)
    return lines


def _is_unproven(row: Row) -> bool:
    return row["gain_status"] in ("provisional", "not_confirmed")


def _head(found: Board, width: int) -> list[tuple[str, str]]:
    counts = found["counts"]
    metric = f"{found['metric'] or 'no metric yet'} ({found['direction'] or '-'})"
    tally = tally_text(counts)
    if found["imported"]:
        tally += f"; {found['imported']} of them imported"
    own = ", self-reported: the script's own word" if found["self_reported"] else ""
    lines = _wrapped(f"{found['leaf']}: {metric}{own}", "bold", width) + _wrapped(
        tally, "default", width
    )
    if counts["overruled"]:
        lines += _wrapped(f"{counts['overruled']} kept against the suggestion", "default", width)
    if found["pruning"]:
        lines += _wrapped(_pruned(found["pruning"]), "default", width)
    best = found["best"]
    if best:
        runs = plural(best["runs"], "run")
        where = f", {best['profile']}" if best["profile"] else ""
        words = f"best {best['experiment']} {num(best['value'])} ({runs}{where})"
        lines += _wrapped(words, STYLES["keep"], width)
    if found["claimed_gain"] is not None:
        lines += _wrapped(worth(found), "default", width)
    over = found["over_first"]
    if found["claimed_gain"] is not None and over is not None and over <= 0:
        sign = num(over, sign=True)
        words = f"no better than where the leaf began: {sign} against its first baseline"
        lines += _wrapped(words, "red", width)
    for block in found["profiles"]:
        if best is None or block["profile"] != best["profile"]:
            lines += _wrapped(_other(block), "default", width)
    spark = sparkline(found["best_so_far"], found["direction"], min(LONGEST_SPARK, width - 14))
    if spark:
        lines.append((f"best so far {spark}", STYLES["keep"]))
    return lines


def _pruned(found: Pruning) -> str:
    """Return what ending hopeless runs early came to, and how often it would have been wrong."""
    words = f"{found['pruned']} pruned, {span(found['saved_s'])} saved"
    if not found["went_on"]:
        return f"{words}; no hopeless run has gone on to its end yet (every tenth does)"
    these = f"{found['went_on']} hopeless run{'s' * (found['went_on'] != 1)}"
    return f"{words}; of {these} that went on to the end {found['winners']} would have been kept"


def _other(block: Block) -> str:
    """Return what was kept in another profile, in a line."""
    best = block["best"]
    where = f"{best['experiment']} {num(best['value'])}, " if best else ""
    ledgers = gains(block["confirmed_gain"], block["provisional_gain"])
    name = f"profile {block['profile']}" if block["profile"] else "of unknown profile"
    return f"{name}, not to be compared: {where}{block['kept']} kept, {ledgers}"


def worth(found: Board) -> str:
    """Return both ledgers in a line; what an imported log says is neither."""
    confirmed, provisional = found["confirmed_gain"], found["provisional_gain"]
    if provisional is None:
        return f"claimed gain {num(found['claimed_gain'], sign=True)}, not measured here"
    return gains(confirmed, provisional)


def tally_text(counts: Mapping[str, Any]) -> str:
    """Return how many ideas were tried and what became of them; a baseline is none, nor kept.

    >>> tally_text({"experiments": 5, "keep": 2, "baselines": 1, "discard": 2, "crash": 1})
    '4 ideas tried: 1 kept, 2 discarded, 1 crashed; 1 baseline'
    """
    of, lost = counts["baselines"], counts.get("interrupted", 0)
    interrupted = f", {lost} interrupted" if lost else ""
    baselines = f"; {plural(of, 'baseline')}" if of else ""
    if counts.get("archived"):
        baselines += f"; {counts['archived']} out of sight"
    return (
        f"{plural(counts['experiments'] - of, 'idea')} tried: {counts['keep'] - of} kept, "
        f"{counts['discard']} discarded, {counts['crash']} crashed{interrupted}{baselines}"
    )


def gains(confirmed: float | None, provisional: float | None) -> str:
    """Return what audits confirmed, and what is provisional beside it."""
    words = "nothing confirmed" if confirmed is None else f"confirmed {num(confirmed, sign=True)}"
    more = f", provisional {num(provisional, sign=True)}" if provisional else ""
    return f"gain: {words}{more}"


def _table(
    title: str, rows: list[Row], count: int, width: int, *, gains: bool = False
) -> list[tuple[str, str]]:
    """Return a heading and a line for each experiment; narrow terminals lose columns first."""
    if not rows:
        return []
    more = f" (of {count})" if count > len(rows) else ""
    lines = [("", "default"), (f"{title}{more}", "bold")]
    for row in rows:
        words = _gain(row, width) if gains else _figures(row, width)
        room = max(LEAST_ROOM, width - len(words) - 1)
        origin = "imported: " if row["imported"] else "claimed: " if row["claimed"] else ""
        origin = "warm start: " if row["warm_start"] else origin
        claim = shorten(origin + (row["claim"] or "baseline"), room)
        lines.append((f"{words} {claim}", _style(row)))
    return lines


def _style(row: Row) -> str:
    silent = row["failure"] in SAYS_NOTHING
    return "default" if silent else STYLES.get(row["verdict"] or row["status"], "default")


def _gain(row: Row, width: int) -> str:
    gain = num(row["gain"], sign=True) if row["gain"] is not None else "-"
    error = f" ± {row['se']:.2g}" if row["se"] is not None else ""
    wide = 22 if width >= 60 else 0
    mark = ("?" if _is_unproven(row) or row["claimed"] else "") + ("!" if row["marks"] else "")
    return f"{row['experiment']:>5} {gain + mark + error:<{wide}}"


def _figures(row: Row, width: int) -> str:
    verdict = ABORTED if row["failure"] in SAYS_NOTHING else row["verdict"] or row["status"]
    value = num(row["value"]) + ("?" if row["claimed"] else "")
    words = f"{row['experiment']:>5} {verdict:<8} {value:>9}"
    if width >= 60:
        gain = num(row["gain"], sign=True) if row["gain"] is not None else ""
        words += f" {gain:>10} {span(row['seconds']):>8}"
    return words


def _wrapped(words: str, style: str, width: int) -> list[tuple[str, str]]:
    import textwrap

    return [(line, style) for line in textwrap.wrap(words, width) or [""]]


def sparkline(values: list[float], direction: str | None, width: int) -> str:
    """Return the values as bars, higher is better; the last of each stretch stands for it.

    >>> sparkline([4.0, 3.0, 3.0, 1.0], "minimize", 10)
    '▁▃▃█'
    >>> sparkline([1.0, 1.0], "maximize", 10)
    '▁▁'
    """
    if not values:
        return ""
    count = min(width, len(values))
    shown = [values[(number + 1) * len(values) // count - 1] for number in range(count)]
    good = shown if direction == "maximize" else [-value for value in shown]
    least = max(map(abs, good)) or 1.0
    good = [value / least / 2 for value in good]  # so that no difference is infinite
    low, high = min(good), max(good)
    wide = (high - low) or 1.0
    return "".join(BARS[round((value - low) / wide * (len(BARS) - 1))] for value in good)
