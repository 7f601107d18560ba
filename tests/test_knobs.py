"""Constants of a Python file are read and set by syntax tree; every other byte stays."""

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import Refused
from lab.leaf import knobs

SOURCE = b'''"""LR = 9 in a docstring."""
import os  # LR = 8 in a comment

LR = 0.02  # high
DEPTH: int = 4
BATCH = 2**19  # tokens
NEGATIVE = -1e-3
PATTERN = 'S, "L"'
FLAG = True
WIDE = (
    0.5  # inside brackets
)
TWICE = 1
if FLAG:
    TWICE = 2
FROM_CODE = os.cpu_count()


def f(DEPTH=3):
    LR = 7
    return LR
'''


def value(source: bytes, name: str) -> Any:
    """Return a constant as Python itself sees it after running the file."""
    space: dict[str, Any] = {}
    exec(compile(source, "train.py", "exec"), space)
    return space[name]


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("LR", 0.035),
        ("LR", 1e-05),
        ("DEPTH", 6),
        ("BATCH", 262144),
        ("NEGATIVE", -0.5),
        ("PATTERN", "it's \\ \n ünï"),
        ("FLAG", False),
        ("WIDE", 0.25),
    ],
)
def test_setting_a_constant_changes_it_and_no_other_byte(name: str, new: Any) -> None:
    place = knobs.constants(SOURCE)[name]
    after = knobs.write(SOURCE, {name: new})
    assert value(after, name) == new
    assert after.startswith(SOURCE[: place.start])
    assert after.endswith(SOURCE[place.end :])


def test_several_constants_are_set_at_once() -> None:
    after = knobs.write(SOURCE, {"WIDE": 0.125, "LR": 123.456, "DEPTH": 12})
    assert [value(after, name) for name in ("LR", "DEPTH", "WIDE")] == [123.456, 12, 0.125]


def test_what_is_no_constant_is_not_offered() -> None:
    names = {"LR", "DEPTH", "BATCH", "NEGATIVE", "PATTERN", "FLAG", "WIDE"}
    assert set(knobs.constants(SOURCE)) == names
    with pytest.raises(Refused, match="no constant TWICE"):
        knobs.write(SOURCE, {"TWICE": 3}, "train.py")


@pytest.mark.parametrize(
    "source",
    [
        "\ufeff# ä\r\nLR = 0.5\r\nB = 'ö'; LAST = 1\r\n".encode(),
        "# -*- coding: latin-1 -*-\nNAME = 'é'; LR = 0.5  # ü\n".encode("latin-1"),
        b"A = 1\x0c\nLR = 0.5\rLAST = 2",
        "LR = 0.5  # \u2028 no line ends here\nLAST = 'x\u2029y'\n".encode(),
    ],
    ids=["bom_and_crlf", "latin_1", "form_feed_and_cr", "unicode_separators"],
)
def test_encodings_and_line_ends_stay_as_they_are(source: bytes) -> None:
    after = knobs.write(source, {"LR": 0.75})
    assert after == source.replace(b"0.5", b"0.75")
    assert knobs.constants(after)["LR"].value == 0.75


@pytest.mark.parametrize(
    ("source", "says"),
    [(b"LR = = 1\n", "not Python"), (b"# coding: nosuch\n", "not text"), (b"\xff\xfe", "not text")],
)
def test_what_is_not_python_is_refused(source: bytes, says: str) -> None:
    with pytest.raises(Refused, match=says):
        knobs.constants(source, "train.py")


def test_a_power_without_end_is_no_constant() -> None:
    assert knobs.constants(b"HUGE = 9**9**9\nLR = 1\n").keys() == {"LR"}


NAMES = st.sampled_from(["LR", "DEPTH", "ß", "_x"])
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.booleans(), st.text()
)
GAPS = st.sampled_from(["\n", "\r\n", "\n# LR = 1 ö\n", "\n\x0c\n", "; pass\n"])


@given(st.dictionaries(NAMES, st.tuples(VALUES, VALUES, GAPS), min_size=1))
def test_any_constants_of_any_file_are_set_exactly(given: dict[str, tuple[Any, Any, str]]) -> None:
    text = "".join(f"{name} = {old!r}{gap}" for name, (old, _, gap) in given.items())
    source = text.encode("utf-8", "surrogatepass") if _encodes(text) else b"LR = 1\n"
    known = {n: one.value for n, one in knobs.constants(source).items()}
    new = {name: given[name][1] for name in known if name in given and _encodes(given[name][1])}
    after = knobs.write(source, new)
    read = {n: one.value for n, one in knobs.constants(after).items()}
    assert {n: (type(v), v) for n, v in read.items()} == {
        n: (type(v), v) for n, v in {**known, **new}.items()
    }
    rest = knobs.write(after, {name: known[name] for name in new})
    assert ast.dump(ast.parse(rest)) == ast.dump(ast.parse(source))


def _encodes(text: Any) -> bool:
    try:
        str(text).encode()
    except UnicodeEncodeError:
        return False
    return True
