"""Negative controls: a change of nothing, a known bad one, edits of frozen files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import LabError
from ..leaf import Knob, knobs
from ..text import num, plural
from ..tuner.coordinates import position
from .case import Case, why_failed
from .finding import Broken, Noted

REPLICATES = 3  # lab asks for as many runs of a change at most
TRIES = 4  # ends of knobs that are planted until one is clearly worse
CLEAR = 2.0  # spreads of a seed by which a bad change must be worse


PastTrial = list[tuple[str, str, Mapping[str, Any]]]  # the plant, what it did, its experiment


@dataclass(frozen=True)
class Plant:
    """A change to plant: what it is called, and the mutable files with it."""

    name: str
    files: Mapping[str, bytes]


# -- Nothing ----------------------------------------------------------------------


def nothing(case: Case) -> str:
    """A change of nothing is not kept, and the same seed gives the same number again."""
    before = case.mutable()
    path = next((path for path in before if path.endswith(".py")), next(iter(before)))
    more = b"\n_ = None  # nothing\n" if path.endswith(".py") else b"\n"
    said = f"a line that does nothing in {path}"
    found = case.try_change({path: before[path] + more}, said, "--again")
    try:
        if found["status"] != "finished":
            raise Broken(f"with a line that does nothing it fails: {why_failed(found)}")
        case.nothing = found
        found = _to_the_end(case, found)
        if found["suggest"] == "keep":
            raise Broken(
                f"a change of nothing would be kept ({found['why']})",
                "The seed must decide all that is random; see also [judge] in leaf.toml",
            )
    finally:
        case.drop(found, before)
    runs = len(found["runs"])
    return f"a line that does nothing is not kept: {found['why']} ({plural(runs, 'run')})"


def _to_the_end(case: Case, found: dict[str, Any]) -> dict[str, Any]:
    """Replicate as long as lab asks for it; return how it then stands."""
    name = found["experiment"]
    for _ in range(2 * REPLICATES):
        words = str(found["next"]).split()
        if found["suggest"] != "replicate" or words[:2] != ["lab", "run"]:
            break
        case.run(*words[2:], cwd=case.worktree, runs=int(words[-1]))
        found = case.lab("wait", name, "--json", cwd=case.worktree).found
    return found


def repeat(case: Case) -> str:
    """The same seed twice gives the same number, or it is said how far apart they are."""
    first, again = case.baseline["runs"][0], case.nothing["runs"][0]
    apart = abs(first["value"] - again["value"])
    said = f"seed {first['seed']} twice: {num(first['value'])} and {num(again['value'])}"
    if not apart:
        return f"{said}, the same"
    if case.settings.deterministic:
        raise Broken(
            f"{said}, {num(apart)} apart, and leaf.toml says deterministic",
            "Take deterministic = true out of leaf.toml",
        )
    spread = case.evidence.get("spread")
    times = f", {num(apart / spread)} of what two seeds differ" if spread else ""
    return Noted(f"{said}, {num(apart)} apart{times}: not all that is random comes from the seed")


# -- Something bad -----------------------------------------------------------------


def planted(case: Case) -> str:
    """A change that is surely bad makes the metric worse, in its direction, and is not kept."""
    before = case.mutable()
    seen: PastTrial = []
    for plant in plants(case, before):
        found = case.try_change(plant.files, plant.name, "--no-dry-run")
        try:
            verdict = _judged(case, plant, found)
            if verdict is None:
                case.planted = found | {"change": plant.name}
                case.keep_artefact(found, "planted")
                return f"{plant.name}: {found['why']}; not kept ({found['reason']})"
            seen.append((plant.name, verdict, found))
        finally:
            case.drop(found, before)
    if not seen:
        return Noted("nothing says which change is surely bad: name an edit, [check.edit]")
    raise _unconvinced(case, seen)


def _judged(case: Case, plant: Plant, found: Mapping[str, Any]) -> str | None:
    """Return None when the change lost clearly, else what it did: better, same, or a failure."""
    if found["status"] != "finished":
        return f"failed ({why_failed(found)})"
    gain = found["gain"]
    noise = found["noise"] or 0.0
    if gain < -CLEAR * noise and found["suggest"] == "discard":
        return None
    if found["constraints"]["broken"] and found["suggest"] == "discard":
        return (
            f"broke {', '.join(found['constraints']['broken'])}, which says nothing of the metric"
        )
    if gain > CLEAR * noise:
        return "better"
    return "same"


def _unconvinced(case: Case, seen: PastTrial) -> Broken:
    """Return what is wrong when no planted change lost."""
    better = [(name, found) for name, verdict, found in seen if verdict == "better"]
    if better:
        name, found = better[0]
        return Broken(
            f"{name} should be bad, and makes {found['metric']} {num(found['gain'])} better "
            f"({case.leaf.direction})",
            "Is the direction in leaf.toml right? Else name a change that is bad: [check.set]",
        )
    if any(verdict == "same" for _, verdict, _ in seen):
        names = ", ".join(name for name, verdict, _ in seen if verdict == "same")
        return Broken(
            f"{names} does not move {case.leaf.metric} by more than a seed does",
            "Does evaluate measure what was trained? Else name a worse change: [check.set]",
        )
    name, verdict, _ = seen[-1]
    return Broken(
        f"{name}: it {verdict}, which shows no direction",
        "Name a bad change that still runs in leaf.toml: [check.set] LEARNING_RATE = 0.0001",
    )


def plants(case: Case, before: Mapping[str, bytes]) -> Iterator[Plant]:
    """Yield the declared bad change, else ends of knobs, the farthest from where they stand."""
    told = case.leaf.table.get("check", {})
    if told:
        files = _set(before, told.get("set", {}))
        names = [f"{name} = {value!r}" for name, value in told.get("set", {}).items()]
        edit = told.get("edit")
        if edit:
            files, names = _edited(before, files, edit), [*names, f"the edit of {edit['file']}"]
        yield Plant(", ".join(names), files)
        return
    ends = sorted(_ends(case, before), key=lambda end: -end[0])[:TRIES]
    if not ends and case.settings.is_self_reported:
        return
    if not ends:
        raise Broken(
            "nothing says which change is surely bad",
            "Name one in leaf.toml: [check.set] LEARNING_RATE = 0.0001, or [check.edit]",
        )
    for _, name, value in ends:
        yield Plant(f"{name} = {value!r}", _set(before, {name: value}))


def _ends(case: Case, before: Mapping[str, bytes]) -> Iterator[tuple[float, str, Any]]:
    """Yield (distance, knob, value) for the values at the ends of each knob."""
    for name, knob in case.leaf.knobs.items():
        place = next((path for path in before if name in _constants(before, path)), None)
        if place is None:
            continue
        now = _constants(before, place)[name]
        for value in _extremes(knob, now):
            here, there = position(knob, now), position(knob, value)
            far = 0.5 if here is None or there is None else abs(here - there)
            yield far, name, value


def _extremes(knob: Knob, now: Any) -> list[Any]:
    values = knob.choices if knob.choices else (knob.low, knob.high)
    return [value for value in values if value != now]


def _constants(files: Mapping[str, bytes], path: str) -> dict[str, Any]:
    if not path.endswith(".py"):
        return {}
    return {name: one.value for name, one in knobs.constants(files[path], path).items()}


def _set(files: Mapping[str, bytes], values: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files with constants set; Broken for one that stands in none."""
    new, left = dict(files), dict(values)
    try:
        for path in files:
            here = {name: left.pop(name) for name in _constants(files, path) if name in left}
            if here:
                new[path] = knobs.write(files[path], here, path)
    except LabError as error:
        raise Broken(error.message, error.hint) from None
    if left:
        name = next(iter(left))
        raise Broken(
            f"check.set: {name} is no constant at the top of {', '.join(files)}",
            f"Write it there: {name} = ..., or name another in leaf.toml",
        )
    return {path: data for path, data in new.items() if data != files[path]} or new


def _edited(
    before: Mapping[str, bytes], files: Mapping[str, bytes], edit: Mapping[str, str]
) -> dict[str, bytes]:
    """Return the files with the declared edit made; Broken when its text is not there once."""
    path = edit["file"]
    if path not in before:
        raise Broken(f"check.edit: {path} is no mutable file", f"One of: {', '.join(before)}")
    data, old = files.get(path, before[path]), edit["old"].encode()
    if data.count(old) != 1:
        raise Broken(
            f"check.edit: {edit['old']!r} stands {data.count(old)} times in {path}, not once",
            "Name a text that stands there once",
        )
    return {**files, path: data.replace(old, edit["new"].encode())}


# -- What is frozen ----------------------------------------------------------------


def frozen(case: Case) -> str:
    """An edit of each frozen file is refused before anything runs."""
    idea = case.lab("hypothesis", "edit what is frozen", "-m", "check", cwd=case.worktree)
    held = []
    for path in _watched(case):
        file = case.worktree / path
        data = file.read_bytes()
        file.write_bytes(data + b"\n")
        try:
            answer = case.run(idea.out.strip(), cwd=case.worktree)
        finally:
            file.write_bytes(data)
        if answer.code != 4 or "frozen" not in answer.err:
            raise Broken(f"an edit of {path} was not refused: {answer.refusal or 'it ran'}")
        held.append(path)
    case.evidence["frozen"] = len(held)
    return f"an edit is refused in each of {', '.join(held)}"


def _watched(case: Case) -> list[str]:
    """Return the frozen files, one of each folder, from the leaf's folder in the worktree."""
    found = []
    for path in (*case.settings.frozen, "leaf.toml", "task"):
        at = case.worktree / path
        inside = sorted(one for one in at.rglob("*") if one.is_file()) if at.is_dir() else [at]
        found += [one.relative_to(case.worktree).as_posix() for one in inside[:1] if one.is_file()]
    return found
