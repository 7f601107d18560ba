"""What the pages tell people to type works, in the order they tell it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import toy as toys

from lab.cli import HOME, cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    page for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")] if not page.is_symlink()
)
FENCE = re.compile(
    r"^(?:<!-- needs: (?P<needs>[\w, ]+) -->\n)?```(?P<kind>\w*)\n(?P<body>.*?)^```", re.M | re.S
)
NEEDS = {
    "a GPU",
    "a key",
    "a container",
    "minutes",
    "campaigns",
    "a repository of yours",
}  # what no test here has


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Return (kind, needs, body) of each fenced block."""
    found = FENCE.finditer(page.read_text())
    return [(block["kind"], block["needs"] or "", block["body"]) for block in found]


def typed(body: str) -> list[str]:
    """Return the lines behind `$ `; the others are what they print."""
    return [line[2:] for line in body.splitlines() if line.startswith("$ ")]


# What nothing reads is no change: `lab run` would refuse it as the same program.
READS_IT = toys.TRAIN.replace('print("trained")', 'print("trained", WARMDOWN)')
CONSOLES = [
    (page, [typed(body) for kind, needs, body in blocks(page) if kind == "console" and not needs])
    for page in PAGES
]
CONSOLES = [(page, bodies) for page, bodies in CONSOLES if bodies]


@pytest.fixture
def newcomer(tmp_path: Path) -> toys.Toy:
    """A checkout whose `pretrain` trains in a blink, and `lab` on the PATH."""
    toy = toys.make(tmp_path)
    toy.leaf("pretrain", train=READS_IT.replace("NOISE =", "WARMDOWN = 0.75\nNOISE ="))
    toy.commit("a leaf called pretrain")
    shims = tmp_path / "bin"
    shims.mkdir()
    for name, words in {"lab": "-P -m lab", "python": ""}.items():
        (shims / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (shims / name).chmod(0o755)
    toy.env["PATH"] = f"{shims}:{os.environ['PATH']}"
    return toy


@pytest.mark.parametrize(
    ("page", "bodies"), CONSOLES, ids=[str(page.relative_to(ROOT)) for page, _ in CONSOLES]
)
def test_what_a_page_says_to_type_works(newcomer, page, bodies):
    for lines in bodies:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
            cwd=newcomer.root,
            env=newcomer.environ(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )
        assert done.returncode == 0, ("\n".join(lines), done.stdout, done.stderr)
    newcomer.lab("stop", "--all", code=None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_shell_lines_are_run_or_say_what_they_need(page):
    for kind, needs, body in blocks(page):
        assert kind not in ("sh", "bash", "shell", ""), f"say ```console or ```text: {body}"
        assert not needs or needs in NEEDS, needs
        if kind == "console":
            assert typed(body), f"no line begins with '$ ': {body}"


PROTOCOLS = [ROOT / "lab/PROTOCOL.md", *ROOT.glob("*/program.md"), *PAGES]


@pytest.mark.parametrize("page", PROTOCOLS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_lab_command_on_a_page_exists_with_its_options(page):
    text = re.sub(r"\\\n\s*", "", page.read_text())
    for name, words in re.findall(r"(?:^|`|\$ )lab ([a-z]+)\b([^`\n#]*)", text, flags=re.M):
        assert name in HOME, f"lab {name}"
        command = cli.get_command(click.Context(cli), name)
        known = {option for one in command.params for option in one.opts} if command else set()
        asked = set(
            re.findall(r"(?<=\s)(--?[a-z][a-z-]*)\b", re.sub(r"'[^']*'|\"[^\"]*\"", "", words))
        )
        assert command is None or asked <= known | {"--help", "-h"}, f"lab {name} {words}"


def test_every_setting_from_the_environment_is_on_its_page() -> None:
    told = (ROOT / "docs" / "settings.md").read_text()
    code = [*ROOT.glob("lab/**/*.py"), *ROOT.glob("shared/*.py"), *ROOT.glob("pretrain/*.py")]
    names = {name for path in code for name in re.findall(r"\bLAB_[A-Z_]+\b", path.read_text())}
    assert {name for name in names if f"`{name}`" not in told} == set()
