"""The generated parts of these pages; cog calls one function in each (`make docs`)."""

import ast
import inspect
import subprocess
import typing
from pathlib import Path

import cog

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 80  # of a help page, whatever the terminal
ROOMS = ("lab", "shared")
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
    from lab.notebook import Notebook, migrations

    with Notebook(":memory:", who="docs") as book:
        for title, tables in (("Records", migrations.RECORDS), ("Derived", migrations.DERIVED)):
            cog.outl(f"\n## {title}\n\n| table | columns |\n|---|---|")
            for table in tables:
                columns = book.all(f"pragma table_info({table})")
                words = ", ".join(f"`{column['name']}`" for column in columns)
                cog.outl(f"| `{table}` | {words} |")


def modules() -> None:
    """Write what each file is for: the first line of its docstring."""
    for room in ROOMS:
        cog.outl(f"\n## {room}/\n")
        for path in _sources(room):
            text = ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""
            cog.outl(f"- `{path}`: {text.splitlines()[0] if text else '(no caption)'}")


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
        cog.outl(f"\n## {title}\n\nDocument: {_type(document)[0]}.")
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
