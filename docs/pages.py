"""The generated parts of these pages; cog calls one function in each (`make docs`)."""

import ast
import inspect
import subprocess
import typing
from pathlib import Path

import cog

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 80  # of a help page, whatever the terminal
JSON = {
    "str": "text",
    "float": "number",
    "int": "whole number",
    "bool": "true or false",
    "NoneType": "null",
    "Action": "text",
}


def cli() -> None:
    """Write the help of every command, in the order of `lab --help`."""
    import click

    from lab.cli import COMMANDS, cli

    top = click.Context(cli, info_name="lab", terminal_width=WIDTH, max_content_width=WIDTH)
    for group, names in COMMANDS.items():
        cog.outl(f"\n## For {group}")
        for name in names:
            command = cli.get_command(top, name)
            if command is not None:
                context = click.Context(command, info_name=name, parent=top, terminal_width=WIDTH)
                cog.outl(f"\n### lab {name}\n\n```text\n{command.get_help(context)}\n```")


def schema() -> None:
    """Write every table of an empty notebook with its columns."""
    from lab import notebook
    from lab.notebook import schema as today

    with notebook.Notebook(":memory:", who="docs") as book:
        for title, tables in (("Records", today.records(book)), ("Derived", today.derived(book))):
            cog.outl(f"\n## {title}\n\n| table | columns |\n|---|---|")
            for table in tables:
                words = ", ".join(f"`{column}`" for column in today.columns(book, table))
                cog.outl(f"| `{table}` | {words} |")


def rooms() -> None:
    """Write every room in its layer, highest first, with its sentence."""
    cog.outl("\n| layer | room | what it is for |\n|---|---|---|")
    for number, layer in reversed(list(enumerate(reversed(_layers())))):
        for room in layer:
            path = ROOT / "lab" / room
            path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            cog.outl(f"| {number} | `lab/{room}` | {_caption(path)} |")


def commands() -> None:
    """Write each command, the module that parses it, and the modules it calls."""
    from lab.cli import COMMANDS

    cog.outl("\n| command | parsed in | done in |\n|---|---|---|")
    for names in COMMANDS.values():
        for name, (where, _) in names.items():
            done = ", ".join(f"`{path}`" for path in _verbs(where, name))
            cog.outl(f"| `lab {name}` | `lab/cli/{where}.py` | {done} |")


NO_VERB = (  # what every second command uses: not what it is about
    *("lab/cli/", "lab/errors", "lab/text", "lab/workspace/__init__", "lab/repo/places"),
    *("lab/leaf/checks", "lab/leaf/places", "lab/leaf/model"),
)


def _verbs(where: str, name: str) -> list[str]:
    """Return the files outside `lab/cli` whose functions a command's function calls."""
    module = ast.parse((ROOT / "lab" / "cli" / f"{where}.py").read_text())
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    body = functions.get(f"{name}_") or functions[name]
    used = _names(body)
    helpers = [functions[other] for other in used & functions.keys() if other.startswith("_")]
    for helper in helpers:
        used |= _names(helper)
    imported: dict[str, str] = {}
    for node in [*module.body, *(inner for one in (body, *helpers) for inner in ast.walk(one))]:
        if isinstance(node, ast.ImportFrom) and node.level == 2:
            for alias in node.names:
                room = ROOT / "lab" / (node.module or "").replace(".", "/")
                imported[alias.asname or alias.name] = _defined_in(room, alias.name)
    found = {imported[one] for one in used & imported.keys()}
    for node in (inner for one in (body, *helpers) for inner in ast.walk(one)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            file = ROOT / imported.get(node.value.id, "")
            if file.name == "__init__.py":  # a room's own name: where it got it from
                found.add(_exported(file, node.attr))
    verbs = sorted(path for path in found if not path.startswith(NO_VERB))
    own = [path for path in verbs if not path.endswith("__init__.py")] or verbs
    return [path for path in own if not path.startswith("lab/notebook/")] or own


def _names(function: ast.FunctionDef) -> set[str]:
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}


def _defined_in(room: Path, name: str) -> str:
    """Return the file of what `from ROOM import NAME` gives: a module, or where it is defined."""
    if (room / f"{name}.py").exists():
        return str((room / f"{name}.py").relative_to(ROOT))
    file = room / "__init__.py" if room.is_dir() else room.with_suffix(".py")
    if (room / name / "__init__.py").exists():
        file = room / name / "__init__.py"
    return _exported(file, name)


def _exported(file: Path, name: str) -> str:
    """Return the file that defines a name which `file` has, perhaps by import from its room."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            known = {alias.name: file.parent / node.module for alias in node.names}
            if name in known:
                return _defined_in(known[name], name)
    return str(file.relative_to(ROOT))


def modules() -> None:
    """Write what each file is for: the first line of its docstring."""
    for room in (*(room for layer in _layers() for room in layer), "shared"):
        place = room if room == "shared" else f"lab/{room}"
        if (ROOT / place).is_dir():
            cog.outl(f"\n### {place}/\n\n{_caption(ROOT / place / '__init__.py')}\n")
            for path in _sources(place):
                if not path.endswith("__init__.py"):
                    cog.outl(f"- `{path}`: {_caption(ROOT / path)}")
    cog.outl("\n### lab/\n")
    for path in sorted((ROOT / "lab").glob("*.py")):
        cog.outl(f"- `lab/{path.name}`: {_caption(path)}")


def _caption(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.splitlines()[0] if text else "(no caption)"


def _layers() -> tuple[tuple[str, ...], ...]:
    """Return the rooms by layer, highest first, as the test of the architecture has them."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "LAYERS":
            return ast.literal_eval(node.value)  # type: ignore[no-any-return]
    raise SystemExit("tests/test_architecture.py has no LAYERS")


def _sources(room: str) -> list[str]:
    """Return the Python files of a room, those git ignores left out."""
    command = [
        "git",
        "ls-files",
        "-co",
        "--exclude-standard",
        "--",
        f"{room}/**.py",
        f"{room}/*.py",
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({path for path in listed.stdout.splitlines() if (ROOT / path).is_file()})


def leaves() -> None:
    """Write what each `leaf.toml` says."""
    from lab import leaf

    for name in leaf.find(ROOT):
        one = leaf.read(ROOT, name)
        cog.outl(f"\n## {name}\n\n{one.purpose}\n")
        cog.outl(f"Metric: `{one.metric}`, {one.direction}.")
        cog.outl("\n| profile | needs | budget | hard limit |\n|---|---|---|---|")
        for profile in dict.fromkeys(("gpu", *one.profiles)):
            now = one.settings(profile)
            budget = f"{now.budget_s:g} s ({now.clock} clock)"
            cog.outl(f"| `{profile}` | {now.needs} | {budget} | {now.timeout_s:g} s |")
        if one.knobs:
            cog.outl("\n| knob | range | why |\n|---|---|---|")
            for knob in one.knobs.values():
                cog.outl(f"| `{knob.name}` | {_range(knob)} | {knob.why} |")


def _range(knob: object) -> str:
    choices = getattr(knob, "choices", None)
    if choices:
        return ", ".join(map(str, choices))
    log = ", log" if getattr(knob, "log", False) else ""
    return f"{getattr(knob, 'low'):g} to {getattr(knob, 'high'):g}{log}"  # noqa: B009 (a Knob)


def policy() -> None:
    """Write each threshold of judging with its value and the comment that gives its reason."""
    path = ROOT / "lab" / "judge" / "policy.py"
    cog.outl("\n| setting | value | reason |\n|---|---|---|")
    reason: list[str] = []
    for line in path.read_text().partition("class Policy:")[2].splitlines():
        words = line.strip()
        if words.startswith("# "):
            reason.append(words[2:])
        elif words.startswith("def "):
            break
        elif ": " in words and " = " in words:
            name, _, value = words.partition(": ")
            cog.outl(
                f"| `{name}` | {value.partition(' = ')[2]} | {' '.join(reason) or 'as above'} |"
            )
            reason = []


def documents() -> None:
    """Write every document that `--json` prints: its keys with type, unit and meaning."""
    from lab.documents import PRINTED

    told: set[type] = set()
    for command, document in PRINTED.items():
        title = ", ".join(f"`{name} --json`" for name in command.split(", "))
        cog.outl(f"\n## {title}\n\nPrints {_type(document)[0]}.")
        for one in _within(document):
            if one not in told:
                told.add(one)
                _document(one)


def _within(hint: object) -> list[type]:
    """Return the TypedDicts of a type, the outer ones first."""
    if not typing.is_typeddict(hint):
        inner = [one for part in typing.get_args(hint) for one in _within(part)]
        return list(dict.fromkeys(inner))
    fields = typing.get_type_hints(hint).values()
    inner = [one for field in fields for one in _within(field)]
    return list(dict.fromkeys([typing.cast(type, hint), *inner]))


def _document(one: typing.Any) -> None:
    """Write one TypedDict as a table."""
    cog.outl(f"\n### {one.__name__}\n\n{(one.__doc__ or '').strip()}\n")
    cog.outl("| key | type | unit | meaning |\n|---|---|---|---|")
    meanings = _meanings(one)
    for key, hint in typing.get_type_hints(one, include_extras=True).items():
        words, unit = _type(hint)
        words += "" if key in one.__required_keys__ else "; may be missing"
        cog.outl(f"| `{key}` | {words} | {unit} | {meanings[key]} |")


def _meanings(one: type) -> dict[str, str]:
    """Return the comment behind each field, those of a base first; each field must have one."""
    path = Path(inspect.getfile(one))
    lines, tree = path.read_text().splitlines(), ast.parse(path.read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found: dict[str, str] = {}
    for base in classes[one.__name__].bases:
        known = getattr(inspect.getmodule(one), base.id) if isinstance(base, ast.Name) else None
        if typing.is_typeddict(known):
            found |= _meanings(known)
    for node in classes[one.__name__].body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            _, _, comment = lines[node.lineno - 1].partition("  # ")
            assert comment, f"{path}:{node.lineno}: say what {node.target.id} means"
            found[node.target.id] = comment
    return found


def _type(hint: object) -> tuple[str, str]:
    """Return a type in words, and its unit if it has one."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _type(parts[0])[0], parts[1]
    if origin is typing.NotRequired:
        return _type(parts[0])
    if origin is typing.Literal:
        return ", ".join(f"`{part}`" for part in parts), ""
    if origin is list:
        words, unit = _type(parts[0])
        return f"list of {words}", unit
    if origin is dict:
        return f"object of {_type(parts[1])[0]} by name", ""
    if parts:  # a union
        told = [_type(part) for part in parts]
        return " or ".join(words for words, _ in told), "".join(unit for _, unit in told)
    if typing.is_typeddict(hint):
        name = typing.cast(type, hint).__name__
        return f"[{name}](#{name.lower()})", ""
    return JSON[typing.cast(type, hint).__name__], ""
