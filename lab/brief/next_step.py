"""`Next:` of `lab context`: what is unfinished, then what is due, then a move."""

from dataclasses import dataclass
from shlex import quote

from .. import judge as judging
from ..documents.action import Action
from ..documents.leaves import Suggest
from ..judge import stagnation
from ..notebook import Notebook, audits, campaigns, ledger, lookup, read
from ..notebook.runs import median_seconds
from ..run import standing
from ..run.assessment import audit_cost, audit_due, policy_for
from ..text import num
from ..workspace import Workspace
from . import moves
from .situation import Situation, situation

IDEAS = ("axis", "ablate", "structure", "pivot")  # moves that are an idea of one's own


@dataclass(frozen=True)
class Step:
    """What to do next: a line to type as it stands, with the reason as its comment; or a move."""

    text: str
    word: Suggest | None = None


def _typed(command: str, why: str) -> str:
    """Return a line that a shell takes whole.

    >>> _typed("lab run h2", "never run")
    'lab run h2  # never run'
    """
    return f"{command}  # {why}"


def following(workspace: Workspace, book: Notebook) -> Step | None:
    """Return what comes next where one stands; None where any idea is as good as another."""
    leaf, campaign = workspace.leaf_name, workspace.place.campaign
    since = read.since_keep(book, leaf, campaign, stagnation.SILENT)
    move = moves.due(workspace, book, since, read.axes(book, leaf))
    return next_step(situation(workspace, book), move)


def next_step(at: Situation, move: stagnation.Move | None) -> Step | None:
    """Return what comes first: unfinished work, what is due, an idea never run, a move."""
    first = _own_experiment(at) if at.campaign else _unfinished(at)
    stops = move is not None and move.kind == "stop"
    idea = None if stops else _own_idea(at)
    return first or _due(at) or _behind(at) or idea or _combined(at) or _moved(move)


def _own_experiment(at: Situation) -> Step | None:
    """Return what this campaign's newest experiment without a verdict waits for."""
    open_ones = [one for one in at.mine if one["status"] != "not run"]
    if not open_ones:
        return None
    one = open_ones[0]
    name = one["experiment"]
    if one["status"] == "lost" and lookup.experiment(at.book, int(name[1:]))["wave"]:
        again = f"lab apply {name} --edit && lab run {one['hypothesis']}"
        drop = f"or: lab result {name} -v crash"
        return Step(_typed(again, f"{name} was lost and says nothing of the idea; {drop}"))
    if one["status"] == "lost":
        why = f"{name} was lost and says nothing of the idea"
        return Step(_typed(f"lab run {one['hypothesis']}", why))
    row = lookup.experiment(at.book, int(name[1:]))
    if one["status"] in ("queued", "running") and row["kind"] == "elsewhere":
        number = f"--metrics '{{\"{row['metric'] or 'METRIC'}\": 0.1}}'"
        command = f"lab result {name} -v discard {number}"
        return Step(_typed(command, "it runs elsewhere; you know how it ended"))
    if one["status"] in ("queued", "running"):
        return Step(_typed(f"lab wait {name}", f"it is {one['status']}"))
    found = standing.as_json(at.book, row, policy_for(at.book, row["id"]))
    why = f" ({found['why']})" if found["why"] else ""
    command, _, otherwise = str(found["next"]).partition("  # ")
    also = f"; {otherwise}" if otherwise else ""
    return Step(_typed(command, f"{name} has no verdict yet{why}{also}"))


def _unfinished(at: Situation) -> Step | None:
    """Return what comes first of all in the main checkout: a baseline, a campaign's verdict."""
    leaf, profile = at.workspace.leaf_name, at.workspace.profile
    begun = None if at.stands else campaigns.begun_baseline(at.book, leaf, profile)
    if begun is not None:
        return Step(_typed(f"lab wait e{begun}", "the baseline is being measured"))
    left = campaigns.without_verdict(at.book, leaf)
    if left is None:
        return None
    name = left["campaign"].rpartition("/")[2]
    where = f'cd "$(lab worktree {quote(leaf)} {name})"'
    return Step(_typed(where, f"e{left['experiment']} there has no verdict yet"))


def _due(at: Situation) -> Step | None:
    """Return what should come before any new idea."""
    if at.stands is None and (foreign := _foreign(at)):
        return foreign
    if at.stands is None:
        elsewhere = f" --leaf {quote(at.workspace.leaf_name)}" if at.workspace.asked_leaf else ""
        command = f"lab run --baseline --seeds 3{elsewhere}"
        return Step(_typed(command, "no baseline here yet"), "baseline")
    if at.campaign and audits.unfinished(at.book, at.stands.tip, at.stands.base):
        why = "it was begun and goes on where it stopped"
        return Step(_typed("lab audit", why), "audit")
    whose = (at.campaign, at.workspace.leaf_name)
    if audit_due(at.book, *whose, at.stands, at.noise, at.policy):
        above = num(at.stands.provisional_gain, sign=True)
        why = f"{above} is provisional, and enough to be confirmed: {_audit_lasts(at)}"
        return Step(_typed("lab audit", why), "audit")
    return None


def _audit_lasts(at: Situation) -> str:
    """Return in words what an audit costs here."""
    workspace = at.workspace
    each = median_seconds(at.book, workspace.leaf_name, workspace.profile)
    return audit_cost(at.policy.audit_runs, each)


def _foreign(at: Situation) -> Step | None:
    """Return how to undo commits that lab did not make, where a campaign's branch has any."""
    if at.campaign is None or lookup.is_ours(at.book, at.campaign, at.workspace.place.head):
        return None
    tip = lookup.tip(at.book, at.campaign)
    if tip is None or tip == at.workspace.place.head:
        return None
    undo = f"git reset --soft {tip[:12]} && git reset -q"
    return Step(_typed(undo, "there are commits here that lab did not make; their edits stay"))


def _combined(at: Situation) -> Step | None:
    """Return which of the bag to try together: those whose edits touch different places."""
    bag = moves.fitting(at.workspace, at.bag) if len(at.bag) >= max(1, at.policy.bag) else []
    places = {
        row["experiment"]: ledger.places(row["axis"]) or {f"e{row['experiment']}"} for row in bag
    }
    several = judging.together(places, at.policy.bag)
    if not several:
        return None
    names = " ".join(f"e{number}" for number in several)
    why = "each a little above the level; any gain of the sum is kept"
    return Step(_typed(f"lab apply {names} --edit", why), "combine")


def _behind(at: Situation) -> Step | None:
    """Return that somebody else's best is better, where a campaign has not begun anything."""
    if at.campaign is None or at.best is None or at.stands is None or at.mine:
        return None
    theirs, ours, best = at.best.level, at.stands.level, at.best.row["experiment"]
    if best == at.stands.tip or ours is None or _has_begun(at):
        return None
    if judging.SIGN[at.workspace.leaf.direction] * (theirs - ours) <= 0:
        return None
    better = f"e{best} at {num(at.best.value)} is better than the {num(at.value)}"
    return Step(_typed("lab move best", f"{better} that you stand on"))


def _has_begun(at: Situation) -> bool:
    return campaigns.counted(at.book, str(at.campaign), at.workspace.leaf_name) > 0


def _own_idea(at: Situation) -> Step | None:
    """Return this campaign's newest idea that was never run."""
    if at.campaign is None:
        return None
    unrun = [one["hypothesis"] for one in at.mine if one["status"] == "not run"]
    if not unrun:
        return None
    why = f"written down, never run; or: lab drop {unrun[0]}"
    return Step(_typed(f"lab run {unrun[0]}", why))


def _moved(move: stagnation.Move | None) -> Step | None:
    if move is None:
        return None
    if move.kind == "combine":
        return Step(move.text, "combine")
    return Step(_typed(str(Action("propose")), move.text) if move.kind in IDEAS else move.text)
