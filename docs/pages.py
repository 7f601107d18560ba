"""The generated parts of these pages; cog calls one function in each (`make docs`)."""

import ast
import subprocess
from pathlib import Path

import cog

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 80  # of a help page, whatever the terminal
ROOMS = ("lab", "shared")


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
