"""`lab context`: where a leaf stands and what to do next, mine first."""

import sqlite3
from typing import Literal

from .. import judge as judging
from ..documents.experiments import Entry, Reference
from ..documents.leaves import (
    Bagged,
    Best,
    Comparable,
    Context,
    Flight,
    Loss,
    Mine,
    Noise,
    Place,
    Recent,
    Win,
)
from ..judge import stagnation
from ..notebook import Notebook, campaigns, ideas, ledger, measurements, pace, read
from ..run.assessment import audit_due, paired, policy_of, reference
from ..text import CHARACTERS_A_TOKEN, num, shorten, span
from ..views.board_text import gains
from ..workspace import Workspace
from .budget import SENTENCES, fit_json
from .failures import entry

Suggest = Literal["baseline", "audit", "combine"]
MANY = 5  # of each kind; the budget cuts further
GIVE_WAY = (
    "recent",
    "axes",
    "bag",
    "lessons",
    "unsettled",
    "queue",
    "kept",
    "failures",
    "running",
    "mine",
)


def context(workspace: Workspace, book: Notebook, about: str | None, tokens: int) -> Context:
    """Collect what an agent should know, as the JSON of `lab context`, within `tokens`."""
    leaf, scope, campaign = workspace.leaf, workspace.scope, workspace.place.campaign
    key = (scope.profile, scope.platform, scope.yardstick)
    number = _scope(book, scope.leaf, *key)
    incumbent = _incumbent(workspace, book)
    best = read.best(book, number)
    noise, outside = measurements.noise_and_outside(book, number)
    without = [f"e{one}" for one in outside[:MANY]]
    axes = read.axes(book, leaf.name)
    near = read.near_misses(book, leaf.name, MANY)
    kept = read.kept(book, leaf.name, MANY)
    since = read.since_keep(book, leaf.name, campaign)
    policy = policy_of(leaf.judge)
    stands = _standing(book, incumbent, noise, policy)
    bag = ledger.bag(book, stands.tip) if stands else []
    names = {"near_misses": _names(near), "kept": _names(kept)}
    move = stagnation.propose(since, axes=axes, knobs=list(leaf.knobs), **names)
    counts: Comparable = {
        **read.counts(book, leaf.name),
        "incomparable": read.incomparable(book, scope.leaf, *key),
    }
    word, due = _due(book, campaign, leaf.name, stands, noise, policy, bag)
    due = _unfinished(workspace, book, stands) or due
    axes.sort(key=lambda row: (-row["kept"], -row["tried"]))
    found: Context = {
        "leaf": leaf.name,
        "metric": leaf.metric,
        "direction": leaf.direction,
        "profile": scope.profile,
        "platform": scope.platform,
        "yardstick": scope.yardstick,
        "counts": counts,
        "mine": _mine(book, leaf.name, campaign),
        "incumbent": incumbent,
        "level": stands.level if stands else None,
        "bar": _bar(stands, noise, policy, leaf.direction),
        "confirmed_gain": stands.confirmed_gain if stands else None,
        "provisional_gain": stands.provisional_gain if stands else None,
        "pairs": paired(measurements.pairs(book, number)),
        "bag": [_bagged(row) for row in bag[:MANY]],
        "best": None if best is None else _best(best),
        "noise": None if noise is None else {"sd": noise.sd, "df": noise.df, "without": without},
        "running": [_flight(row) for row in read.in_flight(book)[: 2 * MANY]],
        "queue": _queue(workspace),
        "kept": [_kept(book, row, policy) for row in kept],
        "failures": _failures(book, leaf.name, about),
        "unsettled": ideas.failures(book, leaf.name, None, MANY, kind="unsettled"),
        "lessons": ideas.lessons(book, leaf.name, MANY),
        "axes": axes[: 2 * MANY],
        "since_keep": since,
        "suggestion": due or (move.text if move else None),
        "suggest": word or ("combine" if move and move.kind == "combine" else None),
        "recent": [_recent(row) for row in read.log(book, leaf.name, MANY)],
    }
    fitted: Context = fit_json(found, tokens, GIVE_WAY)
    return fitted


def _names(rows: list[sqlite3.Row]) -> list[str]:
    return [f"e{row['experiment']}" for row in rows]


def _failures(book: Notebook, leaf: str, about: str | None) -> list[Loss]:
    found = ideas.failures(book, leaf, about, MANY, kind=None if about else "dead_end")
    return [
        {
            "experiment": one["experiment"],
            "claim": one["claim"],
            "mechanism": one["mechanism"],
            "kind": one["kind"],
            "failure": one["failure"],
            "gain": one["gain"],
            "lesson": one["lesson"],
            "parent": one["parent"],
            "mechanism_outcome": one["mechanism_outcome"],
            "imported": one["imported"],
            "leaf": one["leaf"],
        }
        for one in found
    ]


def _scope(book: Notebook, *key: str) -> int:
    from ..notebook.state import scope

    return scope(book, *key)


def _incumbent(workspace: Workspace, book: Notebook) -> Reference | None:
    from ..workspace.incumbent import find_incumbent

    row = find_incumbent(workspace, book)
    if row is None:
        return None
    return reference(row["experiment"], measurements.known_by(book, row["experiment"]))


def _standing(
    book: Notebook, incumbent: Reference | None, noise: judging.Noise | None, policy: judging.Policy
) -> ledger.Ledger | None:
    if incumbent is None:
        return None
    return ledger.of(book, int(incumbent["experiment"][1:]), noise, policy)


def _bar(
    stands: ledger.Ledger | None,
    noise: judging.Noise | None,
    policy: judging.Policy,
    direction: str,
) -> float | None:
    """Return what one run must reach for a keep."""
    if stands is None or stands.level is None or noise is None:
        return None
    return stands.level + judging.SIGN[direction] * policy.bars(1)[0] * noise.sd


def _bagged(row: sqlite3.Row) -> Bagged:
    return {"experiment": f"e{row['experiment']}", "claim": row["claim"], "gain": row["gain"]}


def _due(
    book: Notebook,
    campaign: str | None,
    leaf: str,
    stands: ledger.Ledger | None,
    noise: judging.Noise | None,
    policy: judging.Policy,
    bag: list[sqlite3.Row],
) -> tuple[Suggest | None, str | None]:
    """Return what should come before any new idea, in a word and in a sentence."""
    if stands is None:
        return "baseline", "lab run --baseline --seeds 3: no baseline here yet"
    if audit_due(book, campaign, leaf, stands, noise, policy):
        above = num(stands.provisional_gain, sign=True)
        return "audit", f"lab audit: {above} is provisional, and enough to be confirmed"
    places = {row["experiment"]: [row["axis"] or f"e{row['experiment']}"] for row in bag}
    several = judging.together(places, policy.bag)
    if several:
        names = " ".join(f"e{number}" for number in several)
        return (
            "combine",
            f"lab apply {names} --edit: each a little above the level; any gain of the sum is kept",
        )
    return None, None


def _unfinished(workspace: Workspace, book: Notebook, stands: ledger.Ledger | None) -> str | None:
    """Return what comes first of all: a baseline in the queue, a campaign without its verdict."""
    leaf, profile = workspace.leaf_name, workspace.profile
    begun = campaigns.begun_baseline(book, leaf, profile) if stands is None else None
    if begun is not None:
        return f"lab wait e{begun}: the baseline is being measured"
    if workspace.place.campaign is not None:
        return None
    left = campaigns.without_verdict(book, leaf)
    if left is None:
        return None
    name = left["campaign"].rpartition("/")[2]
    return f'cd "$(lab worktree {leaf} {name})": e{left["experiment"]} there has no verdict yet'


def _best(row: sqlite3.Row) -> Best:
    return {
        "experiment": f"e{row['experiment']}",
        "value": row["value"],
        "runs": row["runs"],
        "campaign": row["campaign"],
    }


def _mine(book: Notebook, leaf: str, campaign: str | None) -> list[Mine]:
    """What this campaign has in flight, without a verdict, or written down and never run."""
    tried: list[Mine] = [
        {
            "experiment": f"e{row['experiment']}",
            "hypothesis": read.h(row["hypothesis"]),
            "claim": row["claim"],
            "status": row["status"],
            "value": row["value"],
            "gain": row["gain"],
            "pace": pace.mark(book, row["experiment"]),
        }
        for row in read.undecided(book, leaf, campaign)
    ]
    ideas: list[Mine] = [
        {"hypothesis": f"h{row['id']}", "claim": row["claim"], "status": "not run"}
        for row in read.open_ideas(book, leaf, campaign)
    ]
    return tried + ideas


def _flight(row: sqlite3.Row) -> Flight:
    return {
        "experiment": f"e{row['experiment']}",
        "leaf": row["leaf"],
        "campaign": row["campaign"],
        "status": row["status"],
        "claim": row["claim"],
    }


def _queue(workspace: Workspace) -> list[Place]:
    from ..run.queue_status import snapshot

    try:
        queue = snapshot(workspace.place.home)["queue"]
    except OSError:  # a folder that may only be read: nobody can queue in it
        return []
    return queue[: 2 * MANY]


def _kept(book: Notebook, row: sqlite3.Row, policy: judging.Policy) -> Win:
    audited = ledger.audited_gain(book, row["experiment"])
    return {
        "experiment": f"e{row['experiment']}",
        "profile": row["profile"],
        "claim": row["claim"],
        "value": row["value"],
        "gain": audited[0] if audited else row["gain"],
        "gain_status": ledger.gain_status(book, row, policy),
        "mechanism": row["mechanism"],
        "pace": pace.mark(book, row["experiment"]),
    }


def _recent(row: Entry) -> Recent:
    return {
        "experiment": row["experiment"],
        "claim": row["claim"],
        "status": row["status"],
        "verdict": row["verdict"],
        "failure": row["failure"],
        "value": row["value"],
        "gain": row["gain"],
        "imported": row["imported"],
        "claimed": row["claimed"],
    }


def context_text(found: Context, tokens: int) -> str:
    """Return the context as text within the budget, the most needed lines first."""
    room = tokens * CHARACTERS_A_TOKEN
    for items in range(MANY, -1, -1):
        for limit in SENTENCES[1:] if items == MANY else SENTENCES[-2:]:
            words = "\n".join(_lines(found, limit, items))
            if len(words) < room:
                return words
    return words[: room - 1]


def _lines(found: Context, limit: int, items: int) -> list[str]:
    counts = found["counts"]
    lines = [
        f"{found['leaf']}: {found['metric']} ({found['direction']}), profile {found['profile']} on "
        f"{found['platform']}, yardstick {found['yardstick']}",
        f"{counts['experiments']} experiments: {counts['keep']} kept, {counts['discard']} "
        f"discarded, {counts['crash']} crashed; {found['since_keep']} since the last keep",
    ]
    if counts["incomparable"]:
        lines.append(
            f"The yardstick changed: {counts['incomparable']} results before it are not comparable."
        )
    lines += _section("Yours, open", [_open(one, limit) for one in found["mine"][:items]])
    lines.append(f"Incumbent: {_value(found['incumbent'])}; noise {_noise(found['noise'])}")
    lines += _ledgers(found)
    best = found["best"]
    whose = f", by {best['campaign']}" if best and best["campaign"] else ""
    lines.append(f"The leaf's best: {_value(best)}{whose}")
    running = [_running(one, limit) for one in found["running"][:items]]
    lines += _section("Running", running)
    lines += _section("Queue", [_queued(one) for one in found["queue"][:items]])
    if found["suggestion"]:
        lines.append(f"Next: {found['suggestion']}")
    elif found["incumbent"]:
        where = f'cd "$(lab worktree {found["leaf"]} NAME)"'
        lines.append(f"Next: an idea: lab hypothesis CLAIM -m MECHANISM (in a worktree: {where})")
    lines += _section(
        "Kept, by gain", [_won(one, found["profile"], limit) for one in found["kept"][:items]]
    )
    lines += _section("Failures", [entry(one, limit) for one in found["failures"][:items]])
    shown = {one["experiment"] for one in found["failures"][:items]}
    unsettled = [one for one in found["unsettled"] if one["experiment"] not in shown]
    lines += _section("Unsettled", [entry(one, limit) for one in unsettled[:items]])
    lessons = [
        f"{shorten(one['lesson'], limit)} ({', '.join(one['evidence'])})"
        for one in found["lessons"][:items]
    ]
    lines += _section("Lessons", lessons)
    axes = ", ".join(f"{one['axis']} {one['kept']}/{one['tried']}" for one in found["axes"])
    if axes:
        lines.append(f"Axes (kept/tried): {shorten(axes, 2 * limit)}")
    recent = [_recently(one, limit) for one in found["recent"][:items]]
    return lines + _section("Newest", recent)


def _ledgers(found: Context) -> list[str]:
    """Return what an idea must reach, and what of the branch is claimed."""
    if found["level"] is None:
        return []
    words = f"Level to beat (less luck): {num(found['level'])}"
    if found["bar"] is not None:
        words += f", one run is kept at {num(found['bar'])}"
    lines = [f"{words}; {gains(found['confirmed_gain'], found['provisional_gain'])}"]
    if found["pairs"] is not None and found["pairs"]["rho"] > 0:
        lines.append(f"Equal seeds share luck: correlation {found['pairs']['rho']:.2f}")
    bag = [f"{one['experiment']} {num(one['gain'], sign=True)}" for one in found["bag"]]
    return lines + ([f"Bag (above the level, below the bar): {', '.join(bag)}"] if bag else [])


def _section(title: str, rows: list[str]) -> list[str]:
    if not rows:
        return []
    return [f"{title}:", *("  " + row.replace("\n", "\n  ") for row in rows)]


def _value(standing: Reference | Best | None) -> str:
    if standing is None:
        return "none yet"
    runs = standing["runs"]
    return f"{standing['experiment']} at {num(standing['value'])} ({runs} run{'s' * (runs != 1)})"


def _noise(noise: Noise | None) -> str:
    if noise is None:
        return "unknown: lab run --baseline --seeds 3"
    without = f" without {', '.join(noise['without'])}, unlike the rest" if noise["without"] else ""
    return f"{num(noise['sd'])} (sd of one run, from {noise['df']} repeats{without})"


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
    claim = shorten(one["claim"] or "baseline", limit)
    return f"{one['experiment']} gain {gain}{status}{elsewhere}{outcome}: {claim}" + _paced(one)


def _recently(one: Recent, limit: int) -> str:
    what: list[str] = [one["verdict"] or one["status"]]
    if one["failure"]:
        what.append(one["failure"])
    if one["value"] is not None:
        what.append(num(one["value"]) + " claimed" * (one["claimed"] and not one["imported"]))
    what += ["imported"] if one["imported"] else []
    claim = shorten(one["claim"] or "baseline", limit)
    return f"{one['experiment']} {', '.join(what)}: {claim}"
