"""Adopt a script: run it once, find its score, write the table and the pages, commit them."""

import math
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import leaf as leaves
from .. import repo, slots
from ..checking import imports
from ..errors import LabError, NotFound, Refused, Usage
from ..leaf.scaffold import notes
from ..run import seeding
from ..text import num, plural, span
from . import candidates, table, trial

COMPILED = (".c", ".cc", ".cpp", ".cxx", ".cu", ".rs", ".go", ".f90")
SHEBANG = re.compile(r"#!\s*(?:\S*/env\s+(?:-S\s+)?)?(?:\S*/)?([\w.+-]+)")
RUN_BY = {".sh": "sh", ".js": "node", ".mjs": "node", ".rb": "ruby", ".pl": "perl", ".R": "Rscript"}
RUN_TARGET = re.compile(r"^run\s*:", re.MULTILINE)
SEED_OPTION = re.compile(r"""add_argument\(\s*['"]--seed['"]""")
ON_GPU = re.compile(r"\bcuda\b")
TOLD = 12  # numbers that are named where nobody can tell which is the score
PROGRAM = """\
# {name}

**The task.** `{script}` prints `{metric}`. *(Yours to edit: say here what it is for, and what you
want tried. Agents read this page at every session, committed or not.)*

**Goal.** {goal} `{metric}`.

**You may change** anything in `{script}`, as long as it goes on measuring the same in the same way
and prints `{pattern}`. The score is its own word: what changes how it is measured is no gain.
"""


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line."""

    script: Path
    arguments: tuple[str, ...] = ()
    metric: str | None = None
    direction: str | None = None
    python: str | None = None
    limit_s: float = 300.0

    def typed(self, *words: str) -> str:
        """Return the command that asks for the same, with more words."""
        options = {"--metric": self.metric, "--python": self.python}
        given = [
            word for name, v in options.items() if v and name not in words for word in (name, v)
        ]
        more = ["--", *self.arguments] if self.arguments else []
        return shlex.join(["lab", "adopt", str(self.script), *given, *words, *more])


def adopt(place: repo.Place, asked: Asked) -> dict[str, Any]:
    """Make a leaf around a script; return what was found and written. Nothing is rewritten."""
    script = _script(place, asked.script)
    folder, name = script.parent, script.name
    command, interpreter = _command(place, script, asked)
    python = str(place.top / interpreter) if interpreter else sys.executable
    typed = [python if word == "python" else word for word in seeding.told(command, 0)]
    tried = trial.run(place.top, folder, typed, asked.script.as_posix(), asked.limit_s)
    score = _score(candidates.found(tried.text), asked)
    direction = asked.direction or score.direction
    if direction is None:
        raise Usage(
            f"nobody can tell which way {score.name} is better.",
            f"Say it: {asked.typed('--metric', score.name, '--direction', 'min')}, or max",
        )
    data = script.read_bytes()
    text = data.decode(errors="replace")
    turned, seed = table.constants(data, name)
    seeded = seed is not None or seeding.WORD in command
    again = None
    if not seeded:
        again = trial.run(place.top, folder, typed, asked.script.as_posix(), asked.limit_s)
    same = again is not None and _value(again, score.name) == score.value
    on_gpu = bool(ON_GPU.search(text)) and bool(slots.accelerators(os.environ))
    known = repo.git("ls-files", "-z", "--", ".", cwd=folder).split("\0")
    written = table.Written(
        purpose=f"Improve {score.name}, as {name} prints it.",
        metric=score.name,
        direction=direction,
        pattern=score.pattern,
        command=command,
        script=name,
        frozen=table.frozen(folder, name, text, list(filter(None, known))),
        requires=_requires(place.top, script, python),
        needs="gpu" if on_gpu else "cpu",
        cpu_s=tried.cpu_s,
        seconds=tried.seconds,
        deterministic=same,
        seed_constant=seed,
        interpreter=interpreter,
        knobs=turned,
    )
    leaf = _write(place, folder, written)
    return {
        "leaf": leaf,
        "metric": score.name,
        "direction": direction,
        "value": score.value,
        "pattern": score.pattern,
        "command": command,
        "knobs": list(turned),
        "seed": seed or ("--seed" if seeded else None),
        "deterministic": same,
        "seconds": tried.seconds,
        "writes": list(tried.new),
        "commit": repo.ref(place.top, "HEAD"),
        "next": f"lab run --baseline --seeds 3 --leaf {shlex.quote(leaf)}",
    }


def _script(place: repo.Place, path: Path) -> Path:
    """Return the script, which git must have as it is: a run has nothing but a commit."""
    script = (Path.cwd() / path).resolve()
    if script.is_dir():
        raise Usage(f"{path} is a folder.", f"Name the script in it: lab adopt {path}/train.py")
    if not script.is_file():
        raise NotFound(f"there is no {path}.", "Name a script of this repository: lab adopt FILE")
    top = place.top.resolve()
    if not script.is_relative_to(top):
        raise Refused(
            f"{path} lies outside of this repository.", f"Go to its own: cd {path.parent}"
        )
    if place.head is None:
        raise Refused(
            "this repository has no commit.", "Make one: git add -A && git commit -m start"
        )
    if (script.parent / "leaf.toml").exists():
        raise Refused(
            f"{script.parent.name} is a leaf already: it has a leaf.toml.",
            f"Read it; to adopt anew, remove it first: git rm {path.parent / 'leaf.toml'}",
        )
    inner = script.relative_to(top).as_posix()
    if repo.show_file(place.top, "HEAD", inner) is None or any(
        found == inner for _, found in repo.status(place.top)
    ):
        raise Refused(
            f"{path} is not committed as it is; a run has nothing but a commit.",
            f"Commit it: git add {path} && git commit -m 'what I start from'",
        )
    return place.top / inner


def _command(place: repo.Place, script: Path, asked: Asked) -> tuple[list[str], str | None]:
    """Return the command that runs a script, and the interpreter where it has one of its own."""
    folder, name, more = script.parent, script.name, [*asked.arguments]
    makefile = next((folder / m for m in ("Makefile", "makefile") if (folder / m).is_file()), None)
    if script.suffix in COMPILED:
        if makefile is None:
            raise Refused(
                f"{name} has no Makefile beside it that says how it is built and run.",
                "Write one with a target `run`: make run must print the number",
            )
        if RUN_TARGET.search(makefile.read_text(errors="replace")):
            return ["make", "-s", "run", *more], None
        return ["sh", "-c", f"make -s >&2 && ./{script.stem}", *more], None
    text = script.read_text(errors="replace")
    program = _program(script, text)
    if program != "python":
        return [program, name, *more], None
    if SEED_OPTION.search(text) and "--seed" not in more:
        more += ["--seed", seeding.WORD]
    return ["python", name, *more], _interpreter(place.top, asked.python)


def _program(script: Path, text: str) -> str:
    """Return the program that runs a script: as its first line says, else its name."""
    first = SHEBANG.match(text)
    named = first[1] if first else ""
    if re.fullmatch(r"python[\d.]*", named) or (script.suffix == ".py" and not named):
        return "python"
    program = named or RUN_BY.get(script.suffix, "")
    if not program:
        raise Refused(
            f"nobody can tell how {script.name} is run.",
            "Name the script that is to be improved (a .py, a .sh, a .c with its Makefile), or "
            "give it a first line such as #!/usr/bin/env node",
        )
    return program


def _interpreter(top: Path, asked: str | None) -> str | None:
    """Return the Python of the project, from its root: asked for, else its own `.venv`."""
    if asked is None:
        return ".venv/bin/python" if os.access(top / ".venv/bin/python", os.X_OK) else None
    path = (Path.cwd() / Path(asked).expanduser()).absolute()
    if not os.access(path, os.X_OK):
        raise NotFound(f"there is no Python at {asked}.", "Name one: --python .venv/bin/python")
    if not path.is_relative_to(top):
        raise Refused(
            f"{asked} lies outside of the repository, so that leaf.toml cannot name it.",
            f"Have lab use it everywhere: export LAB_PYTHON={path}",
        )
    return path.relative_to(top).as_posix()


def _score(known: list[candidates.Candidate], asked: Asked) -> candidates.Candidate:
    """Return the number that is the score: asked for, or the only one that sounds like one."""
    there = ", ".join(f"{one.name} {num(one.value)}" for one in known[-TOLD:])
    if asked.metric is not None:
        wanted = [one for one in known if one.name == asked.metric or _alike(one, asked.metric)]
        if wanted:
            return _finite(wanted[-1], asked)
        raise NotFound(f"it prints no {asked.metric}.", f"It prints: {there or 'no number'}")
    if not known:
        raise Refused(
            f"{asked.script} prints no number with a name.",
            'Have it print its score, such as: print(f"accuracy: {accuracy}")',
        )
    best = candidates.chosen(known)
    if len(best) == 1 or (best and not any(math.isfinite(one.value) for one in known)):
        return _finite(best[0], asked)
    guess = candidates.suggested(best or known)
    way = [] if guess.direction else ["--direction", "min"]
    raise Usage(
        f"{asked.script} prints {plural(len(known), 'number')}, and nobody can tell which is its "
        f"score: {there}.",
        f"Say which, such as {guess.name} ({guess.why}): "
        f"{asked.typed('--metric', guess.name, *way)}{'' if guess.direction else ', or max'}",
    )


def _finite(score: candidates.Candidate, asked: Asked) -> candidates.Candidate:
    """Return a score that is a number, or refuse it."""
    if math.isfinite(score.value):
        return score
    raise Refused(
        f"{asked.script} prints {score.name}: {score.value}, which is no number to improve.",
        "Mend it first, so that it ends with one; or name another: "
        f"{asked.typed('--metric', 'NAME')}",
    )


def _alike(one: candidates.Candidate, name: str) -> bool:
    return re.sub(r"\W|_", "", one.name) == re.sub(r"\W|_", "", name.lower())


def _value(tried: trial.Trial, name: str) -> float | None:
    return next((one.value for one in candidates.found(tried.text) if one.name == name), None)


def _requires(top: Path, script: Path, python: str) -> list[str]:
    """Return the packages that a script imports, as its project asks for them."""
    if script.suffix != ".py":
        return []
    stdlib, distributions = imports.known_to(python)
    tops = {one.top for one in imports.imported(script.parent, script.name)} - stdlib
    needs = {imports.plain_name(name) for top in tops for name in distributions.get(top, [])[:1]}
    asked = {imports.plain_name(one): one for one in table.requires(top, script.parent)}
    found = [asked.get(name, name) for name in sorted(needs)]
    return [one for one in found if not leaves.commands.lacking((one,), python)]


def _write(place: repo.Place, folder: Path, written: table.Written) -> str:
    """Write leaf.toml, program.md and notes.md, and commit these alone; return the leaf's name."""
    inner = folder.relative_to(place.top).as_posix()
    leaf = leaves.places.ROOT if inner == "." else inner
    goal = "Lower" if written.direction == "minimize" else "Raise"
    program = PROGRAM.format(
        name=folder.resolve().name if inner == "." else inner,
        script=written.script,
        metric=written.metric,
        goal=goal,
        pattern=written.pattern,
    )
    pages = {"leaf.toml": str(written), "program.md": program, "notes.md": notes(leaf)}
    made = [name for name in pages if not (folder / name).exists()]
    try:
        for name in made:
            (folder / name).write_text(pages[name], encoding="utf-8")
        leaves.read(place.top, leaf)
        paths = [(folder / name).relative_to(place.top).as_posix() for name in made]
        now = repo.worktree_blobs(place.top, paths)
        stored = repo.tree_blobs(place.top, str(place.head), paths)
        known = [path for path in paths if stored.get(path) == now[path]]
        if known:  # as an earlier commit of it has it
            repo.git("reset", "--quiet", "HEAD", "--", *known, cwd=place.top)
        fresh = [path for path in paths if path not in known]
        if fresh:
            repo.commit_only(place.top, f"lab adopt {written.script}", fresh, new=fresh)
    except (OSError, LabError, repo.GitFailed):
        for name in made:
            (folder / name).unlink(missing_ok=True)
        raise
    return leaf


def as_text(found: dict[str, Any]) -> str:
    """Return what was adopted, what was guessed, and what to type."""
    way = "lower" if found["direction"] == "minimize" else "higher"
    agent = "tuner" if found["knobs"] else "claude"
    turned = ", ".join(found["knobs"]) or (
        "none: the tuner turns numbers at the top of a Python script; an agent edits all of it"
    )
    if found["deterministic"]:
        luck = (
            "two runs gave the same number. Where it draws numbers by a seed written into it, one "
            "draw\n      decides for all: make it a constant, SEED = 0, and adopt it again"
        )
    elif found["seed"]:
        luck = f"each run sets its {found['seed']}"
    else:
        luck = "two runs gave two numbers, by a luck of its own"
    lines = [
        f"adopted {found['leaf']}: {found['metric']} {num(found['value'])} in "
        f"{span(found['seconds'])}, {way} is better; self-reported, as {found['pattern']!r}",
        f"knobs: {turned}",
        f"luck: {luck}",
    ]
    if found["writes"]:
        files = ", ".join(found["writes"][:4])
        more = f" and {len(found['writes']) - 4} more" if len(found["writes"]) > 4 else ""
        lines.append(f"it writes {files}{more}: into a copy, which goes with its run")
    return "\n".join(
        [
            *lines,
            "committed: leaf.toml, program.md, notes.md; read what they guess",
            f"next: {found['next']}; or: lab loop {shlex.quote(found['leaf'])} --agent {agent}",
        ]
    )
