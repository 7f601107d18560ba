"""`lab context` for reading: the most needed lines first, whatever is cut."""

from dataclasses import dataclass
from shlex import quote

from ..documents.experiments import Reference
from ..documents.leaves import (
    Best,
    Context,
    Flight,
    Forecasts,
    Left,
    Mine,
    Noise,
    Place,
    Recent,
    Win,
)
from ..text import CHARACTERS_A_TOKEN, num, plural, shorten, span
from ..views.board_text import gains, tally_text
from .budget import SENTENCES
from .failures import entry

METRICS = 8  # that the incumbent reports
WHOLE = (2000, 400, 240, 160, 110)  # characters that Next, a lesson, what was learned may keep
MANY = 5  # of each kind; the budget cuts further


def context_text(found: Context, tokens: int, *, failures: bool = True) -> str:
    """Return the context as text within the budget, the most needed lines first.

    Everything else is cut before Next, the lessons and what was learned. Without `failures` dead
    ends are left out: the brief has them on a page of their own.
    """
    room = tokens * CHARACTERS_A_TOKEN
    for whole in WHOLE:
        for items in range(MANY, -1, -1):
            for limit in SENTENCES if items == MANY else SENTENCES[-2:]:
                words = "\n".join(_lines(found, Cut(limit, max(whole, limit), items), failures))
                if len(words) < room:
                    return words
    return words[: room - 1]


@dataclass(frozen=True)
class Cut:
    """How much of everything is shown."""

    limit: int  # characters of a sentence
    whole: int  # of one that is cut last
    items: int  # of each kind


def _lines(found: Context, cut: Cut, failures: bool) -> list[str]:
    profile, items, limit = found["profile"], cut.items, cut.limit
    lines = [*_heading(found), *_next(found, cut.whole)]
    lines += _section("Yours, open", [_open(one, limit) for one in found["mine"][:items]])
    lines += _standing(found)
    lines += _section("Running", [_running(one, limit) for one in found["running"][:items]])
    lines += _section("Queue", [_queued(one) for one in found["queue"][:items]])
    others = [
        f"{one['hypothesis']} of {one['campaign']}: {one['claim']}" for one in found["others"]
    ]
    lines += _section("Others will try", [shorten(one, limit) for one in others[:items]])
    lines += _lessons(found, cut.whole)
    kept = [_won(one, profile, limit) for one in found["kept"][:items]]
    lines += _section("Kept, by gain", kept)
    if failures:
        lost = [entry(one, limit, cut.whole) for one in found["failures"][:items]]
        lines += _section("Failures", lost)
        shown = {one["experiment"] for one in found["failures"][:items]}
        unsettled = [one for one in found["unsettled"] if one["experiment"] not in shown]
        open_ends = [entry(one, limit, cut.whole) for one in unsettled[:items]]
        lines += _section("Unsettled", open_ends)
    axes = ", ".join(f"{one['axis']} {one['kept']}/{one['tried']}" for one in found["axes"])
    if axes:
        lines.append(f"Axes (kept/tried): {shorten(axes, 2 * limit)}")
    said = _said(found, items, failures)
    recent = [one for one in found["recent"] if one["experiment"] not in said]
    return lines + _section("Newest", [_recently(one, limit) for one in recent[:items]])


def _said(found: Context, items: int, failures: bool) -> set[str]:
    """Return the experiments that another section tells of."""
    told = [*found["mine"][:items], *found["running"][:items], *found["kept"][:items]]
    told += [*found["failures"][:items], *found["unsettled"][:items]] if failures else []
    return {one["experiment"] for one in told if "experiment" in one}


def _heading(found: Context) -> list[str]:
    counts = found["counts"]
    lines = [
        f"{found['leaf']}: {found['metric']} ({found['direction']}), profile {found['profile']} on "
        f"{found['platform']}, yardstick {found['yardstick']}",
        f"{tally_text(counts)}; {found['since_keep']} since the last keep",
    ]
    if counts["attempts"]:
        lines[-1] += f"; {counts['attempts']} failed in a dry run"
    if counts["incomparable"]:
        older = plural(counts["incomparable"], "result")
        be = "is" if counts["incomparable"] == 1 else "are"
        lines.append(f"The yardstick changed: {older} before it {be} not comparable.")
    return lines


def _next(found: Context, whole: int) -> list[str]:
    if found["suggestion"]:
        return [f"Next: {shorten(found['suggestion'], whole)}"]
    if found["incumbent"]:
        where = (
            "" if found["in_campaign"] else f'cd "$(lab worktree {quote(found["leaf"])} NAME)" && '
        )
        return [f"Next: {where}lab hypothesis CLAIM -m MECHANISM  # an idea of yours"]
    return []


def _standing(found: Context) -> list[str]:
    """Return the incumbent with its noise and metrics, the two ledgers, and the leaf's best."""
    lines = [f"Incumbent: {_value(found['incumbent'])}; noise {_noise(found['noise'])}"]
    if found["noise"] and found["noise"]["unlike"]:
        lines.append(
            f"That noise is of a program {found['noise']['unlike']:.0f} noises worse; this one's "
            f"may be another: an audit tells it, or lab run {_name(found)} --seeds 3"
        )
    if found["metrics"]:
        names = list(found["metrics"].items())
        shown = ", ".join(f"{name} {num(value)}" for name, value in names[:METRICS])
        more = f" and {len(names) - METRICS} more" if len(names) > METRICS else ""
        lines.append(f"It reports: {shown}{more}")
    lines += _ledgers(found)
    if found["settles"]:
        smallest = [f"{num(one['gain'])} by {one['runs']}" for one in found["settles"]]
        lines.append(f"Smallest gain shown with 95 %, by so many runs: {', '.join(smallest)}")
    lines += _left(found["left"]) + _forecasts(found["forecasts"])
    if found["target"] is not None:
        lines.append(f"Target of this campaign: {num(found['target'])}")
    best = found["best"]
    if best is None or found["incumbent"] is None or best["experiment"] != _name(found):
        whose = f", by {best['campaign']}" if best and best["campaign"] else ""
        lines.append(f"The leaf's best: {_value(best)}{whose}")
    return lines


def _left(left: Left | None) -> list[str]:
    """Return how much of its limits a campaign has left."""
    if left is None:
        return []
    words = [] if left["seconds"] is None else [f"{span(left['seconds'])} left"]
    if left["of"] is not None:
        words.insert(0, f"{left['experiments']} of {plural(left['of'], 'experiment')} left")
    return [f"This campaign: {', '.join(words)}"]


def _forecasts(found: Forecasts | None) -> list[str]:
    """Return how often what was expected came true."""
    if found is None:
        return []
    judged = found["judged"]
    return [
        f"Gains expected: {judged}; {found['came_true']} came true, {found['in_full']} in full"
        f" ({found['came_true'] / judged:.0%})"
    ]


def _name(found: Context) -> str:
    return found["incumbent"]["experiment"] if found["incumbent"] else ""


def _lessons(found: Context, whole: int) -> list[str]:
    more = f" ({found['lessons_more']} more: lab show)" if found["lessons_more"] > 0 else ""
    return _section(
        f"Lessons{more}",
        [
            f"{shorten(one['lesson'], whole)} ({', '.join(one['evidence'])})"
            for one in found["lessons"]
        ],
    )


def _ledgers(found: Context) -> list[str]:
    """Return what an idea must reach, and what of the branch is claimed."""
    if found["level"] is None:
        return []
    lines = [f"{_bar(found)}; {gains(found['confirmed_gain'], found['provisional_gain'])}"]
    if found["pairs"] is not None and found["pairs"]["rho"] > 0:
        lines.append(f"Equal seeds share luck: correlation {found['pairs']['rho']:.2f}")
    bag = [f"{one['experiment']} {num(one['gain'], sign=True)}" for one in found["bag"]]
    return lines + ([f"Bag (above the level, below the bar): {', '.join(bag)}"] if bag else [])


def _bar(found: Context) -> str:
    """Return what the next idea must reach, and that seeds which are added later raise it."""
    words = f"Level to beat (the incumbent's number less luck): {num(found['level'])}"
    if found["bar"] is None:
        return words
    words += f"; an idea's first run is kept from {num(found['bar'])} on"
    if found["out_of_reach"]:
        return (
            f"{words}, which no number reaches: lower the noise first (kept by a reason), or it is "
            "done"
        )
    later = found["bar_after_a_look"]
    return f"{words}, seeds added after a look only from {num(later)}" if later else words


def _section(title: str, rows: list[str]) -> list[str]:
    if not rows:
        return []
    return [f"{title}:", *("  " + row.replace("\n", "\n  ") for row in rows)]


def _value(standing: Reference | Best | None) -> str:
    if standing is None:
        return "none yet"
    runs = standing["runs"]
    return f"{standing['experiment']} at {num(standing['value'])} ({plural(runs, 'run')})"


def _noise(noise: Noise | None) -> str:
    if noise is None:
        return "unknown: lab run --baseline --seeds 3"
    without = f" without {', '.join(noise['without'])}, unlike the rest" if noise["without"] else ""
    return f"{num(noise['sd'])} (sd of one run, from {plural(noise['df'], 'repeat')}{without})"


def _open(one: Mine, limit: int) -> str:
    ids = " ".join(filter(None, (one.get("experiment"), one["hypothesis"])))
    return f"{ids} {one['status']}: {shorten(one['claim'] or 'baseline', limit)}" + _paced(one)


def _paced(one: Mine | Win) -> str:
    """Return on a line of its own that an experiment's machine was not as its incumbent's."""
    return f"\n  {one['pace']}" if one.get("pace") else ""


def _running(one: Flight, limit: int) -> str:
    whose = one["campaign"] or one["leaf"]
    claim = shorten(one["claim"] or "baseline", limit)
    return f"{one['experiment']} {one['status']} ({whose}): {claim}"


def _queued(one: Place) -> str:
    return f"{one['label']} of {one['campaign']}, waiting {span(one['waiting_s'])}"


def _won(one: Win, profile: str, limit: int) -> str:
    elsewhere = f" in profile {one['profile']}" if one["profile"] not in (None, profile) else ""
    outcome = f", mechanism {one['mechanism']}" if one["mechanism"] else ""
    gain = num(one["gain"], sign=True)
    status = f" {one['gain_status'].replace('_', ' ')}" if one["gain_status"] else ""
    if status and one["audited_with"]:
        more = len(one["audited_with"]) - 1
        status += f" with {one['audited_with'][0]}" + (f" and {more} more" if more else "")
    claim = shorten(one["claim"] or "baseline", limit)
    words = f"{one['experiment']} gain {gain}{status}{elsewhere}{outcome}: {claim}"
    return words + (f"\n  {shorten(one['change'], limit)}" if one["change"] else "") + _paced(one)


def _recently(one: Recent, limit: int) -> str:
    what: list[str] = [one["verdict"] or one["status"]]
    if one["failure"]:
        what.append(one["failure"])
    if one["value"] is not None:
        what.append(num(one["value"]) + " claimed" * (one["claimed"] and not one["imported"]))
    what += ["imported"] if one["imported"] else []
    claim = shorten(one["claim"] or "baseline", limit)
    return f"{one['experiment']} {', '.join(what)}: {claim}"
