"""What may import what, what a cheap command may load, and what every command and page owes."""

import ast
import functools
import graphlib
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from toy import Toy

import lab
from lab import leaf
from lab.cli import COMMANDS, cli
from lab.system.home import KEEPER_LOG

ROOT = Path(__file__).resolve().parents[1]
LEAVES = [ROOT / name for name in leaf.find(ROOT)]
ROOMS = sorted((ROOT / "lab").rglob("*.py"))
SHARED = sorted((ROOT / "shared").rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in ROOMS]
EVERY = [name for group in COMMANDS.values() for name in group]
# What may be imported in one place only, since installing it is a choice or loading it is slow.
ONE_PLACE = {
    "mcp": "lab/agents/tools.py",
    "matplotlib": "lab/views/plot.py",
    "modal": "lab/runner/",
    "optuna": "lab/tuner/",
    "starlette": "lab/serve/",
    "tensorboard": "lab/mirror/tensorboard.py",
    "trackio": "lab/mirror/trackio.py",
    "uvicorn": "lab/serve/",
    "wandb": "lab/mirror/wandb.py",
}
# Who may import whom: rooms of lower layers, and rooms further right in the same layer.
LAYERS = (
    ("cli",),
    ("adopt", "checking", "demo", "skills"),
    ("serve", "report", "agents", "maintenance"),
    ("campaign", "experiment", "brief"),
    ("workspace",),
    ("mirror", "page", "run", "views", "tuner"),
    ("notebook", "leaf"),
    ("importers", "slots", "runner", "repo"),
    ("judge", "search", "confine", "system"),
    ("text", "errors", "documents"),
)
HEAVY = {"matplotlib", "modal", "numpy", "optuna", "rich", "sqlite_utils", "torch"}


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Return the full name of every module a file imports, wherever in it."""
    named: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            named |= {base(path, node), *(f"{base(path, node)}.{a.name}" for a in node.names)}
    return frozenset(named)


def base(path: Path, node: ast.ImportFrom) -> str:
    """Return the full name of the package or module that names are imported from."""
    package = path.relative_to(ROOT).parent.parts
    above = package[: len(package) - node.level + 1] if node.level else ()
    return ".".join([*above, *filter(None, [node.module])])


def package(place: Path) -> str:
    """Return what one would import to reach into a leaf from outside."""
    return place.relative_to(ROOT).parts[0]


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_walk_sees_relative_and_inner_imports():
    found = set(imports(ROOT / "lab/views/board.py"))
    assert {"lab.judge.Policy", "lab.notebook.history", "sqlite3"} <= found
    assert "matplotlib.figure.Figure" in set(imports(ROOT / "lab/views/plot.py"))


def room(name: str) -> str:
    """Return the room of lab that a module's name lies in, "" for lab itself."""
    parts = name.split(".")
    return parts[1] if parts[0] == "lab" and len(parts) > 1 else ""


@pytest.mark.parametrize("path", ROOMS, ids=NAMES)
def test_a_room_imports_rooms_below_it(path):
    here = room(".".join(path.relative_to(ROOT).with_suffix("").parts))
    off_limits = ["tests", "benchmarks", "docs", "torch", *map(package, LEAVES)]
    assert [name for name in imports(path) if within(name, *off_limits)] == []
    if here in ("__init__", "__main__"):
        return
    above = {other for layer in LAYERS[: level(here)] for other in layer}
    above |= set(LAYERS[level(here)][: LAYERS[level(here)].index(here)])
    used = {room(name) for name in imports(path) if within(name, "lab")}
    assert used & above == set()


def level(here: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if here in layer)


def test_no_modules_of_lab_import_each_other_in_a_circle():
    sorter = graphlib.TopologicalSorter({name(path): set(loaded(path)) for path in ROOMS})
    sorter.prepare()  # names the circle, if there is one


def name(path: Path) -> str:
    """Return a module's name as one imports it."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name(path) for path in ROOMS}


def loaded(path: Path) -> Iterator[str]:
    """Yield the modules of lab that a file asks for by name when it is imported."""
    for node in tree(path).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            for whole in (f"{base(path, node)}.{alias.name}" for alias in node.names):
                yield from [one for one in (whole, base(path, node)) if one in MODULES][:1]


def test_every_room_has_its_layer():
    names = {path.relative_to(ROOT).parts[1].removesuffix(".py") for path in ROOMS}
    known = [name for layer in LAYERS for name in layer]
    assert sorted(names - {"__init__", "__main__"}) == sorted(known)


# Names that some other folder has too: the working directory of a sandbox, and lab's own table.
NOT_OF_HOME = {
    ("lab/run/in_sandbox.py", "cache"),
    ("lab/runner/rates.py", "rates.toml"),
    ("lab/repo/places.py", "worktrees"),  # git's own folder of that name
    ("lab/repo/worktrees.py", "worktrees"),
}


def joined(code: ast.AST) -> Iterator[str]:
    """Yield the first part of every text that is joined to a path, by `/`, a call or a format."""
    for node in ast.walk(code):
        words: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            words = [node.right]
        elif isinstance(node, ast.Call):
            called = (
                node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            )
            words = node.args if called in ("Path", "join", "joinpath") else []
        elif isinstance(node, ast.JoinedStr):
            words = [word for word in node.values if _text(word).startswith("/")]
        yield from (_text(word).strip("/").partition("/")[0] for word in words if _text(word))


def _text(word: ast.expr) -> str:
    """Return the text that an expression begins with, "" for none."""
    first = word.values[0] if isinstance(word, ast.JoinedStr) else word
    return str(first.value) if isinstance(first, ast.Constant) else ""


@functools.cache
def of_home() -> set[str]:
    """Return the names of what lies in `.lab`, as the module that owns them has them."""
    code = tree(ROOT / "lab/system/home.py")
    first = (node for node in ast.walk(code) if ast.unparse(node).startswith("self.path / "))
    return {KEEPER_LOG, *(name for node in first for name in joined(node))}


@pytest.mark.parametrize(
    "code",
    [
        'home / "runs" / f"e{n}"',
        'home / f"runs/e{n}"',
        'Path(home, "runs")',
        'home.joinpath("runs/e1")',
        'os.path.join(home, "runs")',
        'f"{home}/runs"',
    ],
)
def test_however_a_folder_is_joined_it_is_seen(code):
    assert "runs" in set(joined(ast.parse(code)))


@pytest.mark.parametrize("path", ROOMS, ids=NAMES)
def test_one_module_alone_knows_where_things_lie_in_the_notebooks_folder(path):
    name, owned = str(path.relative_to(ROOT)), of_home()
    assert {"runs", "locks", "campaigns", "exports", "worktrees", "cache", "slots"} <= owned
    if name != "lab/system/home.py":
        assert {(name, part) for part in joined(tree(path)) if part in owned} <= NOT_OF_HOME


@pytest.mark.parametrize("package", ONE_PLACE)
def test_an_optional_package_is_imported_in_one_place(package):
    users = {str(p.relative_to(ROOT)) for p in ROOMS for n in imports(p) if within(n, package)}
    assert [user for user in users if not user.startswith(ONE_PLACE[package])] == []


def test_shared_imports_the_standard_library_at_the_top_and_itself():
    for path in SHARED:
        assert [name for name in imports(path) if within(name, "lab", *map(package, LEAVES))] == []
        for node in tree(path).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                name = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                first = (name or "shared").partition(".")[0]
                assert first in sys.stdlib_module_names | {"shared"}, (path, first)


@pytest.mark.parametrize("place", LEAVES, ids=lambda place: place.name)
def test_a_leaf_imports_no_other_leaf_and_never_lab(place):
    others = [package(other) for other in LEAVES if other != place]
    for path in place.rglob("*.py"):
        assert [name for name in imports(path) if within(name, "lab", *others)] == [], path


@pytest.mark.parametrize(
    "words",
    [["context"], ["failures", "warm-up"], ["log"], ["board"], ["show", "h1"]],
    ids=lambda words: words[0],
)
def test_what_agents_call_all_day_loads_nothing_heavy(toy: Toy, words: list[str]) -> None:
    toy.idea()
    done = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-m", "lab", *words],
        cwd=toy.root / "toy",
        env=toy.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.split("\n")}
    assert "click" in loaded
    assert loaded & HEAVY == set()


# -- Commands ------------------------------------------------------------------


def command(name: str) -> click.Command | None:
    return cli.get_command(click.Context(cli, info_name="lab"), name)


@pytest.mark.parametrize("name", EVERY)
def test_a_command_says_what_it_does_in_sentences_and_by_example(name):
    found = command(name)
    assert found is not None
    text = (found.help or "").replace("\b", "")
    said, _, example = text.partition("Example")
    assert said.strip().endswith((".", "?")), said
    assert f"lab {name}" in example
    for option in found.params:
        if isinstance(option, click.Option) and option.help is not None:
            assert option.help.endswith("."), option.name


# -- Pages ---------------------------------------------------------------------

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "lab/*.md", "*/program.md", "*/notes.md", ".github/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target in LINK.findall(prose):
        if not re.match(r"[a-z]+:", target):
            place, _, anchor = target.partition("#")
            file = page.parent / place if place else page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), target


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_no_sentence_lives_in_two_program_files():
    seen = defaultdict(set)
    programs = [place / "program.md" for place in LEAVES if (place / "program.md").exists()]
    for path in [ROOT / "lab/PROTOCOL.md", *programs]:
        for line in map(str.strip, path.read_text().splitlines()):
            if len(line) > 40 and "PROTOCOL.md" not in line:
                seen[line].add(str(path.relative_to(ROOT)))
    assert {line: files for line, files in seen.items() if len(files) > 1} == {}


def test_the_newcomers_pages_stay_short():
    lengths = {"README.md": 150, "AGENTS.md": 40, "lab/PROTOCOL.md": 150}
    lengths |= {str((place / "program.md").relative_to(ROOT)): 60 for place in LEAVES}
    long = {n: len((ROOT / n).read_text().splitlines()) for n in lengths if (ROOT / n).exists()}
    assert {name: count for name, count in long.items() if count > lengths[name]} == {}


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    released = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert lab.__version__ == project["version"]
    assert not released or released[0].split()[0] == project["version"]


@pytest.mark.parametrize("path", [*ROOMS, *SHARED], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_in_one_line_what_it_is_for(path):
    caption = (ast.get_docstring(tree(path)) or "").split("\n")[0]
    assert re.fullmatch(r".{10,100}[.?]", caption), caption


def test_constraints_pin_what_the_extras_ask_for_and_bring_no_cuda():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    wanted = [*project["dependencies"], *extras]
    names = {re.split(r"[\[<>=~ ]", line)[0].lower() for line in wanted} - {"labtree"}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0].lower() for line in lines if not line.startswith("#")}
    assert names <= pinned
    assert [line for line in lines if re.search(r"nvidia|cuda|triton|://| @ ", line)] == []
