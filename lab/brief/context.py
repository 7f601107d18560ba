"""`lab context`: where a leaf stands and what to do next, mine first."""

import math
import sqlite3

from .. import judge as judging
from .. import repo
from ..documents.experiments import Entry, Reference
from ..documents.leaves import (
    Bagged,
    Best,
    Comparable,
    Context,
    Failure,
    Flight,
    Forecasts,
    Idea,
    Loss,
    Noise,
    Place,
    Recent,
    Settles,
    Win,
)
from ..judge import stagnation
from ..notebook import Notebook, campaigns, ideas, ledger, measurements, pace, read
from ..run.assessment import paired
from ..views.experiment_text import summary
from ..workspace import Workspace
from . import moves
from .budget import fit_json
from .next_step import next_step
from .situation import situation

MANY = 5  # of each kind; the budget cuts further
AMONG = 4  # times as many failures looked at: those of this program may not be the most telling
GIVE_WAY = (
    "recent",
    "axes",
    "bag",
    "unsettled",
    "queue",
    "others",
    "metrics",
    "settles",
    "kept",
    "failures",
    "running",
    "mine",
    "lessons",
)
UNCUT = ("suggestion", "lesson")  # what others learned, and what to do, are cut last of all
SHOWN = 3  # kept changes whose lines are shown
LINES = 4  # of each; where more were changed, how many and in what


def context(workspace: Workspace, book: Notebook, about: str | None, tokens: int) -> Context:
    """Collect what an agent should know, as the JSON of `lab context`, within `tokens`."""
    leaf, scope, campaign = workspace.leaf, workspace.scope, workspace.place.campaign
    key = (scope.profile, scope.platform, scope.yardstick)
    at = situation(workspace, book)
    incumbent, noise, stands, policy = at.incumbent, at.noise, at.stands, at.policy
    axes, kept = read.axes(book, leaf.name), read.kept(book, leaf.name, MANY)
    since = read.since_keep(book, leaf.name, campaign, stagnation.SILENT)
    line = _line(book, incumbent)
    step = next_step(at, moves.due(workspace, book, since, axes))
    bar, steeper = _bars(stands, noise, policy, leaf.direction)
    lessons = ideas.lessons(book, leaf.name, MANY, line)
    axes.sort(key=lambda row: (-row["kept"], -row["tried"]))
    found: Context = {
        "leaf": leaf.name,
        "metric": leaf.metric,
        "direction": leaf.direction,
        "profile": scope.profile,
        "platform": scope.platform,
        "yardstick": scope.yardstick,
        "counts": _counts(book, leaf.name, key),
        "in_campaign": campaign is not None,
        "mine": list(at.mine),
        "incumbent": incumbent,
        "level": stands.level if stands else None,
        "bar": bar,
        "bar_after_a_look": steeper,
        "out_of_reach": judging.out_of_reach(bar, [at.value] if at.value else [], leaf.direction),
        "confirmed_gain": stands.confirmed_gain if stands else None,
        "provisional_gain": stands.provisional_gain if stands else None,
        "pairs": paired(measurements.pairs(book, at.scope)),
        "bag": [_bagged(row) for row in at.bag[:MANY]],
        "target": _target(book, campaign),
        "forecasts": _forecasts(book, leaf.name, campaign),
        "left": campaigns.remaining(book, campaign, leaf.name) if campaign else None,
        "best": _best(at.best),
        "noise": _noise(book, noise, stands, at.outside),
        "settles": _settles(noise, incumbent),
        "metrics": _metrics(book, incumbent),
        "running": [_flight(row) for row in read.in_flight(book)[: 2 * MANY]],
        "queue": _queue(workspace),
        "others": [_idea(row) for row in read.ideas_of_others(book, leaf.name, campaign, MANY)],
        "kept": _kept(workspace, book, kept, policy),
        "failures": _failures(book, leaf.name, about, line),
        "unsettled": ideas.failures(book, leaf.name, None, MANY, kind="unsettled"),
        "lessons": lessons,
        "lessons_more": ideas.lessons_there(book, leaf.name) - len(lessons),
        "axes": axes[: 2 * MANY],
        "since_keep": since,
        "suggestion": step.text if step else None,
        "suggest": step.word if step else None,
        "recent": [_recent(row) for row in read.log(book, leaf.name, MANY)],
    }
    fitted: Context = fit_json(found, tokens, GIVE_WAY, UNCUT)
    whole = fitted["suggestion"] == found["suggestion"]
    return fitted if whole else {**fitted, "suggestion": None}  # half a line is nothing to type


def _counts(book: Notebook, leaf: str, key: tuple[str, str, str]) -> Comparable:
    """Return how many experiments there are, and those of another yardstick."""
    return {**read.counts(book, leaf), "incomparable": read.incomparable(book, leaf, *key)}


def _line(book: Notebook, incumbent: Reference | None) -> set[int]:
    """Return the experiments that the program as it stands is built on."""
    return set(ledger.chain(book, int(incumbent["experiment"][1:]))) if incumbent else set()


def _forecasts(book: Notebook, leaf: str, campaign: str | None) -> Forecasts | None:
    row = ideas.forecasts(book, leaf, campaign)
    if not row["judged"]:
        return None
    return {
        "judged": row["judged"],
        "came_true": row["came_true"],
        "in_full": row["in_full"],
    }


def _target(book: Notebook, campaign: str | None) -> float | None:
    """Return the number at which a campaign's loop ends, where it was told one."""
    loop = campaigns.loop_of(book, campaign) if campaign else None
    return loop.get("target") if loop else None


def _failures(book: Notebook, leaf: str, about: str | None, line: set[int]) -> list[Loss]:
    """Return dead ends, those of the program as it stands first; or the nearest to a text."""
    kind = None if about else "dead_end"
    found = ideas.failures(book, leaf, about, MANY if about else AMONG * MANY, kind=kind)
    apart = ideas.elsewhere(book, [one["experiment"] for one in found], line)
    if not about:
        found.sort(key=lambda one: one["experiment"] in apart)
    return [_loss(one, one["experiment"] in apart) for one in found[:MANY]]


def _loss(one: Failure, elsewhere: bool) -> Loss:
    return {
        "experiment": one["experiment"],
        "claim": one["claim"],
        "mechanism": one["mechanism"],
        "kind": one["kind"],
        "failure": one["failure"],
        "pruned": one["pruned"],
        "gain": one["gain"],
        "lesson": one["lesson"],
        "parent": one["parent"],
        "mechanism_outcome": one["mechanism_outcome"],
        "imported": one["imported"],
        "leaf": one["leaf"],
        "elsewhere": elsewhere,
    }


def _bars(
    stands: ledger.Ledger | None,
    noise: judging.Noise | None,
    policy: judging.Policy,
    direction: str,
) -> tuple[float | None, float | None]:
    """Return what one run must reach for a keep, and what once seeds were added to the first."""
    if stands is None or stands.level is None or noise is None:
        return None, None
    first = judging.SIGN[direction] * policy.bars(1)[0] * noise.sd
    steeper = stands.level + judging.AGAIN * first if policy.rule == "audited" else None
    return stands.level + first, steeper


def _bagged(row: sqlite3.Row) -> Bagged:
    return {"experiment": f"e{row['experiment']}", "claim": row["claim"], "gain": row["gain"]}


def _best(found: ledger.Best | None) -> Best | None:
    if found is None:
        return None
    return {
        "experiment": f"e{found.row['experiment']}",
        "value": found.value,
        "runs": found.runs,
        "campaign": found.row["campaign"],
    }


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


def _kept(
    workspace: Workspace, book: Notebook, rows: list[sqlite3.Row], policy: judging.Policy
) -> list[Win]:
    """Return kept changes, the first of them with what they changed."""
    pairs = [
        (row["parent"], row["commit"]) for row in rows[:SHOWN] if row["parent"] and row["commit"]
    ]
    changes = repo.diffs(workspace.place.main, pairs)
    return [_win(book, row, policy, changes.get(row["commit"], "")) for row in rows]


def _win(book: Notebook, row: sqlite3.Row, policy: judging.Policy, change: str) -> Win:
    audited = ledger.audited_gain(book, row["experiment"])
    return {
        "experiment": f"e{row['experiment']}",
        "profile": row["profile"],
        "claim": row["claim"],
        "value": row["value"],
        "gain": audited[0] if audited else row["gain"],
        "gain_status": ledger.gain_status(book, row, policy),
        "audited_with": [f"e{one}" for one in ledger.audited_with(book, row["experiment"])],
        "mechanism": row["mechanism"],
        "change": summary(change, LINES) or None,
        "pace": pace.mark(book, row["experiment"]),
    }


def _noise(
    book: Notebook, noise: judging.Noise | None, stands: ledger.Ledger | None, without: list[str]
) -> Noise | None:
    if noise is None:
        return None
    unlike = ledger.unlike(book, stands, noise) if stands else None
    return {"sd": noise.sd, "df": noise.df, "without": without, "unlike": unlike}


def _settles(noise: judging.Noise | None, incumbent: Reference | None) -> list[Settles]:
    """Return the smallest gains that two and six runs of a change show beside the incumbent's."""
    if noise is None or incumbent is None or not incumbent["runs"]:
        return []
    sure = judging.student_quantile(judging.SURE, noise.df) * noise.sd
    beside = 1 / incumbent["runs"]
    return [{"runs": n, "gain": sure * math.sqrt(1 / n + beside)} for n in (2, 6)]


def _metrics(book: Notebook, incumbent: Reference | None) -> dict[str, float]:
    """Return what the incumbent reports."""
    return {} if incumbent is None else measurements.metrics(book, int(incumbent["experiment"][1:]))


def _idea(row: sqlite3.Row) -> Idea:
    return {"hypothesis": f"h{row['id']}", "campaign": row["campaign"], "claim": row["claim"]}


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
