"""Merging edits of a Python file statement by statement."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.experiment import merge

FILE = '''\
"""A page."""

import os
from math import cos

# -- Settings ---
LR = 0.1  # why
STEPS = 10


class Net:
    """A net."""

    width = 4

    def go(self, x):
        return x

    def back(self): ...


def train():
    return LR  # and so on


for step in range(STEPS):
    train()
print("done")
# the end
'''


def never(base: str, ours: str, theirs: str) -> None:
    """Merge no lines: what is tried is told by statements alone."""


def swapped(*pairs: tuple[str, str]) -> str:
    text = FILE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


EDITS = [
    ("LR = 0.1  # why", "LR = 0.2  # better"),
    ("STEPS = 10\n", "STEPS = 20\nWARM = 3\n"),
    ("# -- Settings ---", "# -- All settings ---"),
    ("import os\n", "import math\nimport os\n"),
    ("from math import cos\n", "from math import cos\nfrom random import random\n"),
    ("    width = 4\n", "    width = 8\n    depth = 2\n"),
    ("        return x\n", "        return -x\n"),
    ("    def back(self): ...\n", "    def back(self): ...\n\n    def side(self): ...\n"),
    ("    return LR  # and so on", "    return LR * 2  # and so on"),
    ("\n\ndef train", "\n\ndef more():\n    return 1\n\n\ndef train"),
    ('print("done")', 'print("all done")'),
    ("# the end", "# the very end"),
]


@given(st.sets(st.sampled_from(EDITS)), st.data())
def test_edits_of_different_statements_merge_in_any_order(edits, data) -> None:
    ours = data.draw(st.lists(st.sampled_from(sorted(edits)), unique=True)) if edits else []
    theirs = [edit for edit in edits if edit not in ours]
    merged = merge.python(FILE, swapped(*ours), swapped(*theirs), never)
    assert ast.dump(ast.parse(merged)) == ast.dump(ast.parse(swapped(*edits)))
    assert sorted(merged.splitlines()) == sorted(swapped(*edits).splitlines())


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit[0].split("\n")[0])
def test_an_edit_alone_is_taken_byte_for_byte(edit: tuple[str, str]) -> None:
    text = swapped(edit)
    assert merge.python(FILE, FILE, text, never) == text
    assert merge.python(FILE, text, FILE, never) == text
    assert merge.python(FILE, text, text, never) == text


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        (("LR = 0.1", "LR = 0.2"), ("LR = 0.1", "LR = 0.3"), "LR"),
        (("LR = 0.1", "LR = 0.2"), ("LR = 0.1  # why\n", ""), "LR"),
        (("return LR", "return 1"), ("return LR  # and", "return LR  # so"), "train"),
        (("return x", "return 1"), ("return x", "return 2"), "Net.go"),
        (("STEPS = 10\n", "STEPS = 10\nA = 1\n"), ("STEPS = 10\n", "STEPS = 10\nA = 2\n"), "A"),
        (("class Net:", "class Net(A):"), ("class Net:", "class Net(B):"), "Net"),
        (("# --", "# =="), ("# --", "# ~~"), "the comment above LR"),
        (("done", "so"), ("done", "no"), "the lines after train"),
    ],
)
def test_two_different_changes_of_one_name_conflict(ours, theirs, name: str) -> None:
    with pytest.raises(merge.Conflict) as told:
        merge.python(FILE, swapped(ours), swapped(theirs), never)
    assert told.value.names == (name,)


def test_lines_without_a_name_are_merged_as_lines() -> None:
    ours, theirs = ("    train()\n", "    train()  # now\n"), ("done", "over")
    taken = merge.python(FILE, swapped(ours), swapped(theirs), lambda *_: "pass\n")
    assert taken.endswith("\n\n\npass\n# the end\n")


@pytest.mark.parametrize(
    "theirs",
    ["LR = = 1\n", "x = '\0'\n", swapped(("LR = 0.1  # why\nSTEPS = 10", "STEPS = 10\nLR = 0.1"))],
    ids=["no Python", "a null byte", "moved"],
)
def test_what_has_no_statements_to_compare_is_left_to_lines(theirs: str) -> None:
    with pytest.raises(merge.Unreadable):
        merge.python(FILE, FILE, theirs, never)


def test_line_ends_and_what_has_none_stay() -> None:
    base = "A = 1\r\nB = 2\r\nC = '''\r\n\x0c'''"
    ours, theirs = base.replace("= 1", "= 3"), base.replace("= 2", "= 4")
    assert merge.python(base, ours, theirs, never) == "A = 3\r\nB = 4\r\nC = '''\r\n\x0c'''"
