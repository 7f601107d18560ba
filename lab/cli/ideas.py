"""`lab hypothesis`, `experiment`, `result`, `lesson`, `tag`, `note`: what is written down."""

import os
import sqlite3

import click

from ..campaign import sessions
from ..errors import Refused, Usage
from ..experiment import edits, verdicts
from ..leaf import Condition, live
from ..notebook import Notebook, ideas, measurements, read, record, tags
from ..run.mechanism import AND, beforehand
from ..text import nearest, num, shorten
from ..workspace import Workspace
from . import emit
from .common import TakesText, as_json, here

VALUES = 6  # of one constant that are told in a line


@click.command(cls=TakesText)
@click.argument("claim")
@click.option("-m", "--mechanism", required=True, help="Why this should work.")
@click.option(
    "--observe",
    multiple=True,
    metavar="EXPR",
    help='What would show it: "num_steps > 1.1x"; may be given more than once.',
)
@click.option("--min-effect", type=float, metavar="X", help="The smallest gain worth having.")
@click.option("--expect", type=float, metavar="X", help="The gain that you expect of it.")
@click.option("--axis", metavar="WORD", help="Which direction of the search this is.")
@as_json
@here
def hypothesis(
    workspace: Workspace,
    claim: str,
    mechanism: str,
    observe: tuple[str, ...],
    min_effect: float | None,
    expect: float | None,
    axis: str | None,
    json_: bool,
) -> None:
    """Write down a CLAIM and why it should work, before anything runs.

    Prints the id; the two nearest ideas of all campaigns, with what came of them, go to standard
    error: first those that turned a constant which CLAIM names, whatever they said; kept ones too.

    Examples:

    \b
        lab hypothesis "halve the batch" -m "twice the updates in the same time"
        lab hypothesis "raise the lr to 0.03" -m "loss still falls fast at the end" \\
            --observe "grad_norm_max < 2" --expect 0.01
    """
    command = "lab hypothesis CLAIM -m MECHANISM"
    claim = record.text("claim", claim, command)
    mechanism = record.text("mechanism", mechanism, command)
    if min_effect is not None and not 0 <= min_effect < float("inf"):
        raise Usage(f"--min-effect {min_effect} is not a gain.", "Type: --min-effect 0.001")
    if expect is not None and not 0 < expect < float("inf"):
        raise Usage(
            f"--expect {expect} is no gain: a better number is positive.", "Type: --expect 0.01"
        )
    leaf = workspace.leaf_name
    workspace.leaf  # noqa: B018 (an unknown leaf is refused here)
    with workspace.open(write=True) as book:
        conditions = [_condition(words) for words in observe]
        for condition in conditions:
            _introduces(book, leaf, condition)
            _tells_nothing(workspace, book, condition)
        made = record.hypothesis(
            book,
            leaf=leaf,
            claim=claim,
            mechanism=mechanism,
            observe=AND.join(one.text for one in conditions) or None,
            min_effect=min_effect,
            expect=expect,
            axis=record.text("axis", axis, "--axis lr")[:60] if axis is not None else None,
            campaign=workspace.place.campaign,
        )
        asked = _asked(workspace, claim)
        said = " ".join(edits.as_words(one) for one in asked if one[2] is not None)
        near = ideas.near(book, leaf, claim, made, asked, said)
        tried = _values(book, leaf, [name for name, _, _ in asked])
    told = [_near(found, workspace.place.campaign) for found in near] or ["none near this"]
    for line in [*told, *tried]:
        click.echo(line, err=True)
    if json_:
        emit({"hypothesis": f"h{made}", "leaf": leaf, "near_duplicates": near})
    else:
        click.echo(f"h{made}")


def _condition(words: str) -> Condition:
    """Return what `--observe` states. Usage where it states nothing that can be seen."""
    try:
        return Condition.parse(words)
    except ValueError as error:
        raise Usage(f"--observe: {error}.", 'Type: --observe "num_steps > 1.1x"') from None


def _introduces(book: Notebook, leaf: str, condition: Condition) -> None:
    """Say so where no run has reported a metric: the change itself has to print it."""
    known = measurements.known_metrics(book, leaf)
    if not known or condition.metric in known:
        return
    said = f"{leaf} has not reported {condition.metric!r} yet"
    if condition.relative:
        raise Usage(
            f"--observe: {said}, so the incumbent has none to compare with.",
            f'Type a value of its own: --observe "{condition.metric} {condition.op} 0.5"; '
            f"reported are {', '.join(known)}",
        )
    close = nearest(condition.metric, known)
    meant = f" (or is it {close!r}?)" if close else ""
    click.echo(f"note: {said}: the change must print it{meant}", err=True)


def _tells_nothing(workspace: Workspace, book: Notebook, condition: Condition) -> None:
    """Say what an observable can tell, and when it holds before anything was changed."""
    from ..workspace.incumbent import find_incumbent

    incumbent = find_incumbent(workspace, book)
    if incumbent is None:
        return
    metrics = measurements.metrics(book, incumbent["experiment"])
    settles = beforehand(book, incumbent["experiment"], condition)
    if condition.holds(metrics, metrics):
        said = f"e{incumbent['experiment']} has {condition.metric} {num(metrics[condition.metric])}"
        words = f"{condition.text} is trivial: it holds for the incumbent already ({said})"
        click.echo(f"note: {words}", err=True)
    elif settles is not None:
        click.echo(f"note: {settles}", err=True)


def _asked(workspace: Workspace, claim: str) -> list[edits.Turned]:
    """Return which constants of the files as they are the claim would turn."""
    top = workspace.place.top
    files = {path: top / path for path in workspace.mutable_paths}
    present = {path: file.read_bytes() for path, file in files.items() if file.is_file()}
    constants = live.constants(present)
    found = edits.asked(claim, constants)
    valued = {name for name, _, _ in found}
    named = [name for name in edits.named(claim, constants) if name not in valued]
    return found + [(name, constants[name], None) for name in named]


def _values(book: Notebook, leaf: str, names: list[str]) -> list[str]:
    """Return of each constant that was turned more often than is told which values it had."""
    lines = []
    for name in names:
        turns = [(turn[2], hypothesis) for hypothesis, turn in ideas.turns_of(book, leaf, [name])]
        if len(turns) > ideas.TOLD:
            told = [
                f"{shorten(str(value), 20)} {_came(book, one)}" for value, one in turns[:VALUES]
            ]
            lines.append(f"{name}, newest first: {', '.join(told)}")
    return lines


def _came(book: Notebook, hypothesis: int) -> str:
    """Return what came of an idea in two words: its gain, and its verdict."""
    tried = read.newest_of(book, hypothesis)
    assert tried is not None
    gain = f"{num(tried['gain'], sign=True)} " if tried["gain"] is not None else ""
    return f"{gain}{tried['failure'] or tried['verdict'] or tried['status']}"


def _near(found: read.Found, mine: str | None) -> str:
    """Return one line on an earlier idea that says or did nearly the same."""
    outcome = found["verdict"] or found["status"]
    theirs = found["campaign"] if found["campaign"] != mine else None
    if theirs and not found["verdict"] and found["status"] != "withdrawn":
        outcome = "being tried"
    if found["failure"]:
        outcome = f"{outcome}, {found['failure']}"
    if found["gain"] is not None:
        outcome += f", gain {num(found['gain'], sign=True)}"
    on = f" on {found['parent'][:9]}" if found["parent"] else ""
    who = f" by {theirs}" if theirs else ""
    ids = " ".join(word for word in (found["hypothesis"], found["experiment"]) if word)
    way = "near, the other way" if found["opposite"] else "near"
    turned = [
        f"{name} {old} -> {new}"
        for name, old, new in found["changed"][:2]
        if not (name in found["claim"] and str(new) in found["claim"])
    ]
    done = f" [{shorten(', '.join(turned), 80)}]" if turned else ""
    lesson = f"; learned: {shorten(found['lesson'], 120)}" if found["lesson"] else ""
    return f"{way}: {ids} ({outcome}{on}{who}): {shorten(found['claim'], 120)}{done}{lesson}"


@click.command(cls=TakesText)
@click.argument("hypothesis")
@click.argument("why", required=False)
@as_json
@here
def drop(workspace: Workspace, hypothesis: str, why: str | None, json_: bool) -> None:
    """Withdraw a HYPOTHESIS that was never run, with a word on WHY.

    Its text and the reason stay in the notebook: `lab show h12`.

    Examples:

    \b
        lab drop h12
        lab drop h12 "the same as h9 in other words"
    """
    words = None if why is None else record.text("reason", why, "lab drop h12 WHY")
    with workspace.open(write=True) as book:
        idea = book.need(hypothesis, "h")
        _withdrawable(workspace, book, idea)
        record.drop(book, idea["id"], words)
    found = {"hypothesis": f"h{idea['id']}", "dropped": True}
    emit(found) if json_ else click.echo(f"h{idea['id']} withdrawn: {shorten(idea['claim'], 100)}")


def _withdrawable(workspace: Workspace, book: Notebook, idea: sqlite3.Row) -> None:
    """Refuse what was run, and in a campaign what is another's."""
    number, whose = idea["id"], idea["campaign"]
    tried = read.newest_of(book, number)
    if tried is not None:
        hint = f"See it: lab show {tried['experiment']}"
        if tried["verdict"] is None:
            hint = f"Give the verdict: lab result {tried['experiment']} -v discard"
        raise Refused(f"h{number} was run as {tried['experiment']}; it stays.", hint)
    if workspace.place.campaign is not None and whose not in (None, workspace.place.campaign):
        raise Refused(
            f"h{number} belongs to {whose}, this is {workspace.place.campaign}.",
            "See yours: lab context",
        )


@click.command()
@click.argument("hypothesis")
@as_json
@here
def experiment(workspace: Workspace, hypothesis: str, json_: bool) -> None:
    """Register an experiment for HYPOTHESIS that runs elsewhere; prints its id.

    Its numbers are then claims: `lab result e34 -v keep --metrics '{...}'`.

    Examples:

    \b
        lab experiment h12
        lab experiment h12 --json
    """
    with workspace.open(write=True) as book:
        idea = book.need(hypothesis, "h")
        leaf = Workspace(workspace.cwd, leaf=idea["leaf"]).leaf_or_none()
        made = record.experiment(
            book,
            hypothesis=idea["id"],
            leaf=idea["leaf"],
            kind="elsewhere",
            metric=leaf.metric if leaf else None,
            direction=leaf.direction if leaf else None,
            campaign=workspace.place.campaign,
        )
    found = {"experiment": f"e{made}", "hypothesis": f"h{idea['id']}"}
    emit(found) if json_ else click.echo(found["experiment"])


@click.command()
@click.argument("experiment")
@click.option(
    "-v",
    "--verdict",
    required=True,
    type=click.Choice(["keep", "discard", "crash"]),
    help="What becomes of it.",
)
@click.option("--mechanism-confirmed", is_flag=True, help="You saw the mechanism at work.")
@click.option("--mechanism-refuted", is_flag=True, help="You saw that it is not at work.")
@click.option("--theory-revision", metavar="TEXT", help="What you now believe instead.")
@click.option("--metrics", metavar="JSON", help="Numbers from elsewhere, recorded as claimed.")
@click.option("--because", metavar="TEXT", help="Why you keep it against the suggestion.")
@click.option(
    "--keep-edits", is_flag=True, help="Leave the files as they are, the change among it."
)
@as_json
@here
def result(
    workspace: Workspace,
    experiment: str,
    verdict: str,
    mechanism_confirmed: bool,
    mechanism_refuted: bool,
    theory_revision: str | None,
    metrics: str | None,
    because: str | None,
    keep_edits: bool,
    json_: bool,
) -> None:
    """Give EXPERIMENT its verdict; keep leaves the branch there, the others move it back.

    Examples:

    \b
        lab result e34 -v keep
        lab result e34 -v discard --mechanism-refuted --theory-revision "warm-up wastes steps"
        lab result e34 -v crash
    """
    if mechanism_confirmed and mechanism_refuted:
        raise Usage(
            "--mechanism-confirmed and --mechanism-refuted exclude each other.", "Type one of them."
        )
    outcome = "confirmed" if mechanism_confirmed else "refuted" if mechanism_refuted else None
    asked = verdicts.Asked(
        verdict=verdict,
        mechanism=outcome,
        theory_revision=_optional("theory revision", theory_revision),
        because=_optional("reason", because),
        metrics=record.claimed_metrics(metrics) if metrics is not None else None,
        keep_edits=keep_edits,
    )
    with workspace.open(write=True) as book:
        row = book.need(experiment, "e")
        done = verdicts.give(workspace, book, row, asked)
        over = sessions.over(book, os.environ)
    emit(done | {"session_over": over}) if json_ else click.echo(verdicts.as_text(done))
    if over and not json_:
        click.echo(sessions.as_text(over))


def _optional(what: str, words: str | None) -> str | None:
    option = {"theory revision": "--theory-revision", "reason": "--because"}[what]
    return None if words is None else record.text(what, words, f"{option} TEXT")


@click.command(cls=TakesText)
@click.argument("text")
@click.option(
    "--evidence",
    required=True,
    multiple=True,
    metavar="e3,e7",
    help="The experiments that show it.",
)
@click.option("--everywhere", is_flag=True, help="Show it on every leaf.")
@as_json
@here
def lesson(
    workspace: Workspace, text: str, evidence: tuple[str, ...], everywhere: bool, json_: bool
) -> None:
    """Keep a finding, with its evidence, that others will be shown.

    Examples:

    \b
        lab lesson "below 60k tokens a step the lr matters more than depth" --evidence e3,e7
        lab lesson "two threads collapse under a neighbour" --evidence e9 --everywhere
    """
    words = record.text("lesson", text, "lab lesson TEXT --evidence e3,e7")
    ids = [word for words in evidence for word in words.replace(",", " ").split()]
    if not ids:
        raise Usage("a lesson needs evidence.", "Type: --evidence e3,e7")
    with workspace.open(write=True) as book:
        numbers = [book.need(word, "e")["id"] for word in ids]
        leaf = workspace.known_leaf() or book.need(ids[0], "e")["leaf"]
        made = record.lesson(book, leaf=leaf, words=words, evidence=numbers, everywhere=everywhere)
    if json_:
        emit({"lesson": made, "evidence": [f"e{n}" for n in numbers]})
    else:
        click.echo(f"noted, with evidence {', '.join(f'e{n}' for n in numbers)}")


@click.command()
@click.argument("experiment")
@click.argument("names", nargs=-1, required=True, metavar="TAG...")
@click.option("--remove", is_flag=True, help="Take the tags away.")
@as_json
@here
def tag(
    workspace: Workspace, experiment: str, names: tuple[str, ...], remove: bool, json_: bool
) -> None:
    """Tag EXPERIMENT with words of your own; `star` is one that pages show as a star.

    Examples:

    \b
        lab tag e34 promising
        lab tag e34 star lr
        lab tag e34 promising --remove
    """
    words = [tags.word(name) for name in names]
    with workspace.open(write=True) as book:
        number = book.need(experiment, "e")["id"]
        for word in words:
            tags.tag(book, number, word, gone=remove)
        there = tags.of(book, number)
    if json_:
        emit({"experiment": f"e{number}", "tags": there})
    else:
        click.echo(f"e{number}: {', '.join(there) or 'no tags'}")


@click.command(cls=TakesText)
@click.argument("experiment")
@click.argument("text")
@as_json
@here
def note(workspace: Workspace, experiment: str, text: str, json_: bool) -> None:
    """Write a note to EXPERIMENT: what you saw, for whoever looks at it next.

    A finding that holds beyond it is a lesson: `lab lesson`.

    Examples:

    \b
        lab note e34 "the spike at step 300 is the data, not the change"
        lab note e34 "worth an audit before the next merge"
    """
    words = record.text("note", text, "lab note e34 TEXT")
    with workspace.open(write=True) as book:
        number = book.need(experiment, "e")["id"]
        tags.note(book, number, words)
    emit({"experiment": f"e{number}", "note": words}) if json_ else click.echo(
        f"noted at e{number}"
    )
