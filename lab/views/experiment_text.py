"""`lab show` for a person: one experiment, or one idea, on one screen."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..documents.action import Action
from ..documents.experiments import Attempt, Entry, Experiment, Hypothesis, RunRecord
from ..notebook.replicates import SAYS_NOTHING
from ..text import num, plain, plural, shorten, span
from .gain_text import equal_seeds_text, gain_text
from .mechanism_text import mechanism_text

WIDTH = 96  # characters of a line: a terminal of 100 and a margin
LESS = {"none": ", not confined", "landlock": ", by Landlock"}  # than namespaces confine
NAMES = 6  # that an edit touches, told in a line
# What begins at the top level of a Python file: a function, a class, a constant.
TOP = re.compile(r"(?:async )?(?:def|class) (\w+)|(\w+)(?:: [^=]+)? = ")
METRICS, RUNS, DIFF, NOTES = (
    6,
    4,
    8,
    3,
)  # lines of each; the rest is in --json, `lab diff` has the change


def experiment(
    found: Experiment,
    incumbent: Experiment | None,
    change: str,
    following: Action,
    moved: str | None = None,
) -> str:
    """Return an experiment in words: what, why, numbers, runs, judgement, change, what to type.

    `incumbent` is what it was compared with, `change` its diff, `following` what to type, `moved`
    what its gain is by now, where it was judged by another level.
    """
    lines = [_heading(found), *_why(found), _where(found)]
    lines += _numbers(found, incumbent)
    lines += _said(found)
    lines += _runs(found["runs"])
    lines += _environments(found)
    lines += _judged(found, moved)
    lines += _change(change, found)
    return "\n".join([*lines, f"next: {following}", f"all of it: lab show {_id(found)} --json"])


def _said(found: Experiment) -> list[str]:
    """Return its tags, and the notes to it."""
    lines = [f"tags: {', '.join(found['tags'])}"] if found["tags"] else []
    notes = found["notes"]
    more = len(notes) - NOTES
    told = [f"note by {one['by']}, {one['at'][:16]}: {one['text']}" for one in notes[-NOTES:]]
    lines += [f"{plural(more, 'earlier note')}: --json"] if more > 0 else []
    return [*lines, *(shorten(line, 3 * WIDTH) for line in told)]


def _id(found: Experiment) -> str:
    return str(found["experiment"])


def _heading(found: Experiment) -> str:
    origin = " imported" if found["imported"] else ""
    what = found["claim"] or found["kind"]
    return shorten(f"{_id(found)} {outcome(found)}{origin}: {what}", WIDTH)


def outcome(row: Mapping[str, Any]) -> str:
    """Return what became of an experiment, and of what it failed.

    >>> outcome({"verdict": "crash", "failure": "oom", "status": "failed"})
    'crash (oom)'
    >>> outcome({"verdict": "crash", "failure": "interrupted", "status": "failed"})
    'interrupted'
    """
    failure = row["failure"]
    if failure in SAYS_NOTHING:
        return str(failure)
    return str(row["verdict"] or row["status"]) + (f" ({failure})" if failure else "")


def _why(found: Experiment) -> list[str]:
    if not found["mechanism"]:
        return []
    why = shorten(f"why: {found['mechanism']}", WIDTH)
    last = found["judgements"][-1]["mechanism"] if found["judgements"] else None
    if last is not None and last.get("seen"):  # an older judgement holds no figures
        claims = [given["mechanism"] for given in found["results"] if given["mechanism"]]
        told = last | {"claimed": claims[-1] if claims else None}
        return [why, shorten(mechanism_text(told), 2 * WIDTH)]
    seen = found["mechanism_outcome"]
    return [why, f"mechanism {seen} ({found['mechanism_source']})"] if seen else [why]


def _where(found: Experiment) -> str:
    """Return idea, campaign, axis, profile, device and time."""
    idea = f"{found['hypothesis']} of " if found["hypothesis"] else ""
    axis = f", axis {found['axis']}" if found["axis"] else ""
    place = f"; {found['profile']} on {found['platform']}" if found["profile"] else ""
    whose = found["campaign"] or found["leaf"]
    return shorten(f"{idea}{whose}{axis}{place}; {found['at'][:16]} UTC", WIDTH)


def _numbers(found: Experiment, incumbent: Experiment | None) -> list[str]:
    """Return the deciding metric and the next ones, beside the incumbent's."""
    mine, theirs = found["measured"], incumbent["measured"] if incumbent else {}
    main = found["metric"] or "value"
    value = mine.get(main, found["value"])
    names = [main, *(name for name in mine if name != main)]
    width = max(len(name) for name in names[:METRICS])
    column = max(10, *(len(num(mine.get(name))) for name in names[:METRICS]))
    beside = f"  {incumbent['experiment']} (incumbent)" if incumbent else ""
    claimed = ", as claimed" if found["claimed"] else ""
    better = "higher" if found["direction"] == "maximize" else "lower"
    told = found["gain"] is not None and not found["judgements"]
    gain = f"; gain {num(found['gain'], sign=True)}" if told else ""
    lines = [f"{'':<{width}}  {_id(found):<{column}}{beside}".rstrip()]
    for name in names[:METRICS]:
        own = num(value if name == main else mine[name])
        other = f"  {num(theirs.get(name))}" if incumbent else ""
        note = f"  ({better} is better{gain}{claimed})" if name == main else ""
        lines.append(f"{name:<{width}}  {own:<{column}}{other}{note}".rstrip())
    if len(names) > METRICS:
        lines.append(f"  and {plural(len(names) - METRICS, 'more metric')}")
    return lines


def _runs(runs: list[RunRecord]) -> list[str]:
    """Return a line a run, the newest last."""
    counted = [run for run in runs if run["counts"]]
    shown = runs[-RUNS:]
    lines = [line for run in shown for line in (_run(run, counted), *_spared(run))]
    more = len(runs) - len(shown)
    return [*([f"  {plural(more, 'earlier run')}"] if more else []), *lines]


def _environments(found: Experiment) -> Iterator[str]:
    """Yield a line on each environment that its runs had, with the runs where they differ."""
    for one in found["environments"]:
        known = (("Python", "python"), ("torch", "torch"), ("numpy", "numpy"), ("CUDA", "cuda"))
        told = [f"{word} {one[key]}" for word, key in (*known, ("driver", "driver")) if one[key]]  # type: ignore[literal-required]
        mine = [run["id"] for run in found["runs"] if run["environment"] == one["environment"]]
        which = f" of run {', '.join(map(str, mine[-RUNS:]))}" if found["environments"][1:] else ""
        words = ", ".join([*told, plural(one["packages"], "package")])
        yield shorten(f"environment {one['environment']}{which}: {words}", WIDTH)


def uncounted(seed: int, counted: Sequence[Mapping[str, Any]]) -> str:
    """Return why a run with a number is not in the mean of those that count."""
    if any(run["seed"] == seed for run in counted):
        return "a repeat"
    return "which newer runs, that chose nothing, replace"


def _run(run: RunRecord, counted: Sequence[RunRecord]) -> str:
    status = run["status"] or ("running" if run["started"] else "queued")
    outcome = f"{status} ({run['failure']})" if run["failure"] else status
    outcome = "pruned" if run["failure"] == "pruned" else outcome
    value = f" {num(run['value'])}" if run["value"] is not None else ""
    device = f" on {run['device']}" if run["device"] else ""
    words = f"run {run['id']} seed {run['seed']}: {outcome}{value}, {span(run['seconds'])}{device}"
    machine = json.loads(run["machine"] or "{}")
    words += LESS.get(machine.get("confined"), "")
    words += ", warm start" if "warm_start" in machine else ""
    words += ", kernels compiled anew" if machine.get("kernels") == "miss" else ""
    if run["value"] is not None and not run["counts"]:
        words += f", not in the mean: {uncounted(run['seed'], counted)}"
    return shorten(words, 2 * WIDTH)


def _spared(run: RunRecord) -> list[str]:
    """Return of a run that was hopeless and went on how hopeless it was."""
    found = json.loads(run["hopeless"] or "null")
    if not found or not found["spared"]:
        return []
    margin = f"worse by {found['margin']:.1f} noises at {found['rung']:.0%}"
    return [f"  hopeless ({margin}), and went on as every tenth does"]


def _judged(found: Experiment, moved: str | None) -> Iterator[str]:
    """Yield the newest judgement, the verdict with its lesson, and where a failure was told."""
    if found["judgements"]:
        last = found["judgements"][-1]
        told = last["gain"] is not None
        gain = gain_text(last["gain"], last["se"], last["p_better"]) if told else ""
        pairs = equal_seeds_text(found["equal_seeds"])
        parts = [f"judged: {last['suggest']}", gain, moved or "", pairs]
        yield shorten("; ".join(filter(None, parts)), 3 * WIDTH)
        yield shorten(f"  {last['why']}", 2 * WIDTH)
    for mark in found["marks"]:
        yield shorten(f"bear in mind: {mark}", 3 * WIDTH)
    if found["outside_noise"]:
        yield "its runs spread unlike the others': the noise of the leaf is without them"
    for given in found["results"]:
        why = f": {given['because']}" if given["because"] else ""
        yield shorten(f"verdict {given['verdict']} of {given['at'][:16]} UTC{why}", 2 * WIDTH)
    if found["lesson"]:
        yield shorten(f"lesson: {found['lesson']}", WIDTH)
    yield from _failed(found["runs"])


def _failed(runs: list[RunRecord]) -> Iterator[str]:
    """Yield the last words of the newest run whose seed gave no number, and where they stand."""
    done = {run["seed"] for run in runs if run["status"] == "finished"}
    failed = [run for run in runs if run["failure"] and run["seed"] not in done]
    if not failed:
        return
    detail = json.loads(failed[-1]["detail"] or "{}")
    if detail.get("last"):
        yield shorten(f"it said: {detail['last']}", 2 * WIDTH)
    if detail.get("log") or failed[-1]["log"]:
        yield f"log: {plain(detail.get('log') or failed[-1]['log'])}"


def _change(change: str, found: Experiment) -> list[str]:
    """Return the lines that a change takes away and adds, the first of them."""
    changed = changed_lines(change)
    if not changed:
        return []
    net = f" ({found['lines_changed']:+d} net)" if found["lines_changed"] is not None else ""
    more = len(changed) - DIFF
    rest = [f"  and {more} more: lab diff {_id(found)}"] if more > 0 else []
    return [
        f"change, {plural(len(changed), 'line')}{net}:",
        *(f"  {shorten(line.rstrip(), WIDTH - 2)}" for line in changed[:DIFF]),
        *rest,
    ]


def changed_lines(diff: str) -> list[str]:
    """Return the lines that a diff takes away and adds, blank ones aside."""
    return [
        line
        for line in diff.splitlines()
        if line[:1] in ("+", "-") and not line.startswith(("+++", "---")) and line[1:].strip()
    ]


def touched(diff: str) -> list[str]:
    r"""Return the functions, classes and constants at the top level that a diff changes.

    >>> touched("@@ -1,9 +1,9 @@ def main():\n-    a\n+    b\n LR = 1\n-WARM = 1\n+WARM = 2")
    ['main', 'WARM']
    """
    found, inside = dict[str, None](), ""
    for line in diff.splitlines():
        is_hunk = line.startswith("@@")  # and its head names what stands before it
        begins = TOP.match(line.split("@@", 2)[2].strip() if is_hunk else line[1:])
        if is_hunk or begins:
            inside = (begins[1] or begins[2]) if begins else ""
        if line.startswith(("+++", "---")):
            continue
        if inside and line[:1] in ("+", "-") and line[1:].strip():
            found[inside] = None
    return list(found)


def summary(diff: str, most: int) -> str:
    """Return what a diff changes in a line: the lines themselves where they are at most so many."""
    lines = [line.rstrip() for line in changed_lines(diff)]
    if len(lines) <= most:
        return " | ".join(lines)
    names = touched(diff)
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    where = f" in {', '.join(names[:NAMES])}{more}" if names else ""
    return f"{plural(len(lines), 'line')} changed{where}"


def idea(found: Hypothesis) -> str:
    """Return a hypothesis in words, with what came of it."""
    lines = [
        shorten(f"{found['hypothesis']}: {found['claim']}", WIDTH),
        shorten(f"why: {found['mechanism']}", WIDTH),
    ]
    if found["observe"]:
        lines.append(shorten(f"to be seen by: {found['observe']}", WIDTH))
    if found["expect"] is not None:
        lines.append(f"expected of it: {num(found['expect'], sign=True)}")
    if found["withdrawn"] is not None:
        lines.append(shorten(f"withdrawn: {found['withdrawn'] or 'no reason given'}", WIDTH))
    axis = f", axis {found['axis']}" if found["axis"] else ""
    lines.append(f"{found['campaign'] or found['leaf']}{axis}; {found['at'][:16]} UTC")
    lines += [attempt(one) for one in found["attempts"][-RUNS:]]
    lines += [_tried(one) for one in found["experiments"][-RUNS:]]
    newest = found["experiments"][-1]["experiment"] if found["experiments"] else None
    return "\n".join(
        [*lines, f"next: lab show {newest}" if newest else f"next: lab run {found['hypothesis']}"]
    )


def attempt(one: Attempt) -> str:
    """Return an edit that failed in its dry run, in a line."""
    at = f" at {one['place']}" if one["place"] else ""
    return shorten(f"dry run failed ({one['failure']}){at}: {one['last']}", WIDTH)


def _tried(row: Entry) -> str:
    figures = f"{num(row['value'])}, gain {num(row['gain'], sign=True)}"
    return f"{row['experiment']} {outcome(row)}: {figures}"
