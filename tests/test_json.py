"""What `--json` prints is what `lab/documents` declares: every key, its type, its place."""

import json
import shutil
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hopeless import pruning, tried
from toy import TRAIN, Toy, slope

from lab.documents import PRINTED
from lab.documents.action import Action

SLOW = TRAIN.replace('    print("trained")', '    import time; time.sleep(60); print("trained")')
STEP = """    with (run / "steps.jsonl").open("a") as log:
        log.write(json.dumps({"step": 2, "elapsed_s": 0.2, "loss": 0.5}) + "\\n")
"""
UNJUDGED = "commit\tloss\tmemory_gb\tstatus\tdescription\nabc1234\t0.5\t4.0\t\tof a log\n"
LOOK = f"{sys.executable} -P -m lab context --json"
IDLE = ("--agent", f"sh -c '{LOOK} > $LAB_TOLD'", "--name", "idle")


def faults(value: object, hint: Any, seen: set[str], at: str = "") -> Iterator[str]:
    """Yield where `value` is not what is declared; note in `seen` the documents met."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Annotated, typing.NotRequired):
        yield from faults(value, parts[0], seen, at)
    elif origin is typing.Literal:
        yield from [] if value in parts else [f"{at} is {value!r}"]
    elif origin is list and isinstance(value, list):
        for one in value:
            yield from faults(one, parts[0], seen, f"{at}[]")
    elif origin is dict and isinstance(value, dict):
        for name, one in value.items():
            yield from faults(one, parts[1], seen, f"{at}.{name}")
    elif typing.is_typeddict(hint) and isinstance(value, dict):
        seen.add(hint.__name__)
        yield from _of_keys(value, hint, seen, at or hint.__name__)
    elif origin is not None and origin not in (list, dict):
        told = [list(faults(value, part, seen, at)) for part in parts]
        yield from [] if [] in told else [fault for some in told for fault in some]
    elif not _plain(value, hint):
        yield f"{at} is {value!r}, not {hint}"


def _of_keys(value: dict[str, object], hint: Any, seen: set[str], at: str) -> Iterator[str]:
    hints = typing.get_type_hints(hint, include_extras=True)
    needed = [key for key in hints if key in value or key in hint.__required_keys__]
    if list(value) != needed:
        yield f"{at} has {list(value)}, declared are {needed}"
    for key in value.keys() & hints.keys():
        yield from faults(value[key], hints[key], seen, f"{at}.{key}")


def _plain(value: object, hint: Any) -> bool:
    """Say whether a number, a text or null is of its type; a whole number is a number too."""
    return type(value) in {float: (int, float), Action: (str,)}.get(hint, (hint,))


def declared(hint: Any) -> set[str]:
    """Return the names of all documents within a type."""
    if typing.is_typeddict(hint):
        fields = typing.get_type_hints(hint).values()
        return {hint.__name__}.union(*(declared(field) for field in fields))
    return set().union(*(declared(part) for part in typing.get_args(hint)))


@pytest.fixture(scope="module")
def printed(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list]]:
    """All that the commands print on a toy that has one of everything, by command."""
    folder = tmp_path_factory.mktemp("json")
    shutil.copytree(measured, folder / "repo", symlinks=True)
    toy = Toy(folder / "repo", {"LAB_PAUSE_S": "0"})
    audits = list[Any]()
    done = {"lab loop": loops(toy), "lab run, lab wait": runs(toy, audits), "lab audit": audits}
    ended, board = hopeless(folder / "pruned")
    done["lab run, lab wait"].append(ended)
    seen = looks(toy)
    seen["lab board LEAF"].append(board)
    yield {**done, **seen}
    toy.here("stop", "--all", code=None)


def hopeless(folder: Path) -> tuple[Any, Any]:
    """End a hopeless run; return what is printed of it, and the board."""
    toy = pruning(folder)
    toy.lab("run", "--baseline", "--seeds", "4", cwd=toy.root / "toy")
    ended = tried(toy, toy.campaign(), -1.0, code=1)
    return ended, toy.here("board", "toy", "--json").json


def loops(toy: Toy) -> list[Any]:
    """Let the tuner try one idea, and an agent nothing at all."""
    tuned = toy.lab("loop", "toy", "--agent", "tuner", "--experiments", "1", "--json")
    idle = toy.lab("loop", "toy", *IDLE, "--hours", "1", "--json", code=1, LAB_TOLD=str(told(toy)))
    return [tuned.json, idle.json]


def told(toy: Toy) -> Path:
    """Return the file in which the idle agent leaves what its own context was."""
    return toy.root.parent / "context.json"


def runs(toy: Toy, audits: list[Any]) -> list[Any]:
    """Keep one change and audit it, bag, lose, crash and claim one; leave two at work."""
    ada = toy.campaign()
    found = [attempt(toy, ada, 2.0, "--observe", "steps > 0", "--axis", "slope", "--expect", "1")]
    toy.lab("result", found[0]["experiment"], "-v", "keep", "--because", "a test", cwd=ada)
    found.append(attempt(toy, ada, 2.001))  # a hair better at the same seed: into the bag
    toy.lab("result", found[-1]["experiment"], "-v", "discard", cwd=ada)
    audits.append(toy.lab("audit", "--json", cwd=ada).json)
    for words, more in (("discard", STEP), ("crash", "    raise ValueError(SLOPE)\n")):
        found.append(attempt(toy, ada, 1.0 + len(words) / 100, more=more))
        revised = ("--theory-revision", "the slope matters")
        toy.lab("result", found[-1]["experiment"], "-v", words, *revised, cwd=ada)
    toy.lab("lesson", "steeper is better", "--evidence", found[0]["experiment"], cwd=ada)
    toy.here("tag", found[0]["experiment"], "star", cwd=ada)
    toy.here("note", found[0]["experiment"], "steep indeed", cwd=ada)
    (toy.root / "log.tsv").write_text(UNJUDGED)
    toy.here("import", str(toy.root / "log.tsv"), "--leaf", "toy")
    elsewhere = toy.lab("experiment", toy.idea("on a cluster", cwd=ada), cwd=ada).out.strip()
    toy.lab("result", elsewhere, "-v", "keep", "--metrics", '{"loss": 0.5}', cwd=ada)
    toy.idea("never run", cwd=ada)
    toy.idea("what another campaign will try", cwd=toy.campaign("dan"))
    log = toy.root.parent / "results.tsv"
    log.write_text("loss\tnotes\n3.5\tnobody judged it\n")
    toy.lab("import", str(log), "--leaf", "toy")
    fails_dry(toy)
    return [*found, *(detached(toy, name) for name in ("bea", "cy"))]


def fails_dry(toy: Toy) -> None:
    """Have a dry run refuse an edit: what is left of it is an attempt."""
    with (toy.root / "toy" / "leaf.toml").open("a") as toml:
        toml.write("\n[dry_run]\n")
    toy.git("commit", "-qam", "a dry run")
    eve = toy.campaign("eve")
    with (eve / "train.py").open("a") as script:
        script.write("\n1 / 0\n")
    toy.here("run", toy.idea("nothing by nothing", cwd=eve), cwd=eve, code=4)
    toy.git("revert", "--no-edit", "HEAD")  # the others are quicker without


def attempt(toy: Toy, where: Path, value: float, *words: str, more: str = STEP) -> Any:
    """Run an idea; return what is printed of it."""
    idea = toy.idea(f"a slope of {value}", *words, cwd=where)
    slope(where, value, more)
    return toy.lab("run", idea, "--json", cwd=where, code=None).json


def detached(toy: Toy, name: str) -> Any:
    """Start a run that lasts, and wait for nothing but its place in the queue."""
    where = toy.campaign(name)
    (where / "train.py").write_text(SLOW.replace("SLOPE = 1.0", f"SLOPE = 1.{len(name)}"))
    started = toy.lab("run", toy.idea(f"slow {name}", cwd=where), "--detach", cwd=where, code=5)
    experiment = started.out.split()[0]
    for _ in range(600):
        found = toy.lab("wait", experiment, "--wait", "0.1", "--json", cwd=where, code=5).json
        if found["position"] is not None:
            return found
    raise AssertionError(found)


def looks(toy: Toy) -> dict[str, list[Any]]:
    """Type every command that only looks."""
    ada = toy.root / ".lab" / "worktrees" / "toy" / "ada" / "toy"

    def typed(*words: str) -> Any:
        return toy.here(*words, "--json", cwd=ada).json

    log = typed("log", "-n", "100")
    dry = typed("failures", "division by zero")
    ideas = [one["hypothesis"] for one in (*log, *dry) if one["hypothesis"]]
    return {
        "lab log": [log],
        "lab log --events": [typed("log", "--events", "-n", "500")],
        "lab show e34": [typed("show", one["experiment"]) for one in log],
        "lab show h12": [typed("show", idea) for idea in ideas],
        "lab apply e34 --edit": [typed("apply", kept(log), "--edit")],
        "lab curve e34": [typed("curve", *discarded(log))],
        "lab timing e34": [typed("timing", "e1"), typed("timing", discarded(log)[0])],
        "lab context": [
            typed("context", "--tokens", "50000"),
            typed("context", "--for", "slope"),
            json.loads(told(toy).read_text()),
        ],
        "lab failures": [typed("failures"), typed("failures", "a slope"), dry],
        "lab board LEAF": [typed("board", "toy"), *toy.here("board", "--json").json],
        "lab plot": [typed("plot", "toy", "-o", str(toy.root / "plot.svg"))],
        "lab status": [typed("status")],
    }


def kept(log: list[Any]) -> str:
    """Return a change that was kept, on a branch that has it already."""
    return next(str(one["experiment"]) for one in log if one["verdict"] == "keep" and one["gain"])


def discarded(log: list[Any]) -> list[str]:
    """Return two changes that ran to their ends and lost."""
    tried = [one for one in log if one["hypothesis"] and one["commit"] and one["value"]]
    return [one["experiment"] for one in tried if one["verdict"] == "discard"][:2]


@pytest.mark.parametrize("command", PRINTED)
def test_what_is_printed_is_what_is_declared(printed: dict[str, list], command: str) -> None:
    seen: set[str] = set()
    for document in printed[command]:
        assert list(faults(document, PRINTED[command], seen)) == []
    assert seen == declared(PRINTED[command])


def test_a_key_nobody_declared_is_a_fault(printed: dict[str, list]) -> None:
    picture = printed["lab plot"][0]
    assert list(faults(picture, PRINTED["lab plot"], set())) == []
    for wrong in (picture | {"more": 1}, picture | {"shown": "2"}, {"leaf": "toy"}):
        assert list(faults(wrong, PRINTED["lab plot"], set())) != []
