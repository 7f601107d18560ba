"""The command line explains itself: one screen, examples, two-line refusals, fixed exit codes."""

import json
import re

import click
import pytest
from toy import Quick

from lab.cli import HOME, cli

COMMANDS = [name for name in HOME if cli.get_command(click.Context(cli), name)]


def test_help_fits_one_screen_and_names_every_command_that_exists(quick: Quick) -> None:
    page = quick.lab("--help").out
    lines = page.splitlines()
    assert len(lines) <= 48  # a terminal as people leave it open
    assert max(map(len, lines)) <= 100
    first = [re.match(r"(\w+, )*\w+", line[14:]) for line in lines[3:] if line[14:15].isalpha()]
    named = [name for some in first if some for name in some[0].split(", ")]
    assert [name for name in named if name in HOME] == COMMANDS
    assert "Exit codes" in page


def test_lab_alone_prints_the_help_page(quick: Quick) -> None:
    assert quick.lab().out == quick.lab("--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_two_or_more_examples_of_itself(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    page = command.get_help(click.Context(command, info_name=f"lab {name}", max_content_width=90))
    examples = [line for line in page.splitlines() if line.startswith("      ") and "lab " in line]
    assert len(examples) >= 2, page
    assert all(f"lab {name}" in line for line in examples[:1])
    assert max(map(len, page.splitlines())) <= 100


def test_help_and_usage_errors_never_make_a_file(quick: Quick) -> None:
    for words in (["--help"], ["context", "--help"], ["context", "--wrong"], ["result", "e1"]):
        quick.lab(*words, code=None)
    for words in (["context"], ["failures"], ["log"], ["board"], ["leaves"], ["doctor"]):
        quick.lab(*words)
    assert not (quick.root / ".lab").exists()
    assert quick.git("status", "--porcelain") == ""


def test_a_mistyped_command_or_option_names_the_nearest(quick: Quick) -> None:
    answer = quick.lab("contxt", code=2)
    assert answer.err == "Error: no such command: contxt.\nDid you mean: lab context\n"
    assert "--mechanism" in quick.lab("hypothesis", "x", "--mechanizm", "y", code=2).err
    assert "lab --help" in quick.lab("frobnicate", code=2).err


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [
        (["hypothesis", "", "-m", "x"], 2, "usage"),
        (["hypothesis", "x"], 2, "usage"),
        (["experiment", "h7"], 3, "not_found"),
        (["show", "e7"], 3, "not_found"),
        (["context", "--leaf", "tyo"], 3, "not_found"),
        (["import", "nothing.tsv"], 3, "not_found"),
    ],
)
def test_a_refusal_is_two_lines_and_the_same_as_json(quick: Quick, words, code, name) -> None:
    quick.idea()
    plain = quick.lab(*words, code=code)
    assert plain.out == ""
    message, hint = plain.err.splitlines()
    assert message.startswith("Error: ")
    said = json.loads(quick.lab(*words, "--json", code=code).err.splitlines()[-1])
    assert said == {"error": {"code": name, "message": message[7:], "hint": hint}}
