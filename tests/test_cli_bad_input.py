"""Bad input gets a line saying what is wrong and one saying what to type; nothing half-written."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from toy import Quick, Toy

HOSTILE = "red \x1b[31malert\x1b[0m\x07\x9b2J\n two\tlines \u202egnp.exe\u202c 🚀 漢字 \x00 end"


def two_lines(err: str) -> tuple[str, str]:
    """Return a refusal's two lines."""
    message, hint = err.splitlines()
    assert message.startswith("Error: ")
    return message, hint


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (["hypothesis", "", "-m", "x"], "the claim is empty", "lab hypothesis CLAIM"),
        (["hypothesis", " \n\t", "-m", "x"], "the claim is empty", "lab hypothesis CLAIM"),
        (["hypothesis", "x", "-m", ""], "the mechanism is empty", "-m MECHANISM"),
        (["hypothesis", "x", "-m", "w" * 100_000], "100,000 characters", "notes.md"),
        (["hypothesis", "x", "-m", "y", "--axis", " "], "the axis is empty", "--axis"),
        (["hypothesis", "x", "-m", "y", "--min-effect", "nan"], "not a gain", "--min-effect"),
        (["hypothesis", "x", "-m", "y", "--observe", "steps"], "not a condition", "OP VALUE"),
        (["lesson", "", "--evidence", "e1"], "the lesson is empty", "lab lesson TEXT"),
        (["lesson", "x", "--evidence", " , "], "needs evidence", "--evidence e3,e7"),
        (["lesson", "x", "--evidence", "h1"], "not the id of an experiment", "e12"),
        (["result", "e1", "-v", "maybe"], "'keep', 'discard', 'crash'", "lab result --help"),
        (["result", "e1"], "Choose from: keep, discard, crash", "lab result --help"),
        (["result", "e1", "-v", "keep", "--because", ""], "the reason is empty", "--because"),
        (["result", "e1", "-v", "keep", "--theory-revision", ""], "is empty", "--theory-revision"),
        (["log", "-n", "0"], "not in the range", "lab log --help"),
        (["failures", "-n", "many"], "not a valid integer", "lab failures --help"),
        (["context", "--tokens", "399"], "too few", "--tokens 400"),
    ],
)
def test_words_that_are_off_are_a_usage_error(quick: Quick, words, says: str, hint: str) -> None:
    quick.idea()
    quick.lab("experiment", "h1")
    events = quick.lab("log", "--events", "--json").out
    message, advice = two_lines(quick.lab(*words, code=2).err)
    assert says in message
    assert hint in advice
    assert quick.lab("log", "--events", "--json").out == events


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["experiment", "h7"], "no hypothesis h7; the newest is h1."),
        (["show", "e7"], "no experiment e7; the newest is e1."),
        (["result", "e99999999999999999999", "-v", "keep"], "the newest is e1."),
        (["lesson", "x", "--evidence", "e1,e7"], "no experiment e7"),
        (["context", "--leaf", "tyo"], "the nearest is 'toy'"),
        (["failures", "--leaf", "../../etc"], "no leaf '../../etc'"),
        (["log", "nowhere"], "no leaf 'nowhere'"),
        (["board", "nowhere"], "no leaf 'nowhere'"),
    ],
)
def test_what_does_not_exist_is_named_with_the_nearest(quick: Quick, words, says: str) -> None:
    quick.idea()
    quick.lab("experiment", "h1")
    message, hint = two_lines(quick.lab(*words, code=3).err)
    assert says in message
    assert ("nearest" in message) == ("tyo" in words)  # a guess that is far off is worse than none
    assert hint


def test_control_characters_are_stored_and_never_printed_raw(quick: Quick) -> None:
    quick.lab("hypothesis", HOSTILE, "-m", HOSTILE, "--axis", HOSTILE)
    quick.lab("experiment", "h1")
    quick.lab("result", "e1", "-v", "discard", "--theory-revision", HOSTILE, "--because", HOSTILE)
    quick.lab("lesson", HOSTILE, "--evidence", "e1")
    quick.lab("hypothesis", f"{HOSTILE}!", "-m", "near")
    looks = ["context", "failures", "log", "log --events", "show e1", "show h1", "show e1 e1"]
    looks += ["board", "leaves", "doctor", "export"]
    for look in looks:
        for form in ([], ["--json"] if look != "export" else []):
            answer = quick.lab(*look.split(), *form)
            raw = {c for c in answer.out + answer.err if not c.isprintable() and c != "\n"}
            assert not raw, (look, raw)
    assert quick.lab("show", "h1", "--json").json["claim"] == HOSTILE


def test_bytes_that_are_no_utf8_are_replaced_or_refused(toy: Toy) -> None:
    def lab(*words: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable.encode(), b"-m", b"lab", *words]
        return subprocess.run(command, cwd=toy.root, env=toy.environ(), capture_output=True)

    made = lab(b"hypothesis", b"broken \xff bytes", b"-m", b"\xfe")
    assert made.stdout == b"h1\n"
    assert toy.lab("show", "h1", "--json").json["claim"] == "broken ? bytes"
    assert lab(b"failures", b"\xff").returncode == 0
    assert lab(b"context", b"--for", b"\xff").returncode == 0
    refused = lab(b"context", b"--leaf", b"\xff")
    assert refused.returncode == 3
    assert b"Traceback" not in refused.stderr


@pytest.mark.parametrize(
    "text", ['"', "'", "a OR b* NEAR(c, 2)", "^-:{}()", "x" * 50_000, "% _ \\"]
)
def test_a_search_for_anything_is_only_a_search(quick: Quick, text: str) -> None:
    quick.idea("halve the lr")
    quick.lab("experiment", "h1")
    quick.lab("result", "e1", "-v", "discard")
    assert isinstance(quick.lab("failures", text, "--json").json, list)
    assert quick.lab("context", "--for", text).code == 0


# -- Places --------------------------------------------------------------------------------


def test_outside_any_repository_and_without_git(toy: Toy, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    message, hint = two_lines(toy.lab("context", cwd=outside, code=3).err)
    assert "in no git repository" in message
    assert "git init" in hint
    message, hint = two_lines(toy.lab("context", code=6, PATH=str(outside)).err)
    assert message == "Error: git is not installed."


def test_a_folder_that_is_gone(toy: Toy, tmp_path: Path) -> None:
    script = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.executable, sys.argv[1:])"
    folder = tmp_path / "gone"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, sys.executable, "-P", "-m", "lab", "log"],
        cwd=folder,
        env=toy.environ(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 6
    assert two_lines(done.stderr)[0] == "Error: the folder you stand in is gone."


def test_a_repository_without_a_leaf(quick: Quick) -> None:
    (quick.root / "toy" / "leaf.toml").unlink()
    for words in (["context"], ["failures"], ["hypothesis", "x", "-m", "y"]):
        assert "lab new NAME" in quick.lab(*words, code=3).err
    assert "lab new NAME" in quick.lab("leaves").out
    assert quick.lab("log", "--json").json == []


def test_a_home_that_is_a_file(quick: Quick, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    two_lines(quick.lab("hypothesis", "x", "-m", "y", code=6, LAB_HOME=str(tmp_path / "file")).err)


def limited(kilobytes: int) -> None:
    """Let this process write no file larger than so many kilobytes; more fails as a full disk."""
    size = kilobytes * 1024
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("kilobytes", [0, 8, 60, 200])
def test_a_disk_that_is_full_refuses_and_keeps_no_half_record(toy: Toy, kilobytes: int) -> None:
    if kilobytes == 200:
        toy.idea("there was room for this")
    words = ["hypothesis", "x " * 9_000, "-m", "y " * 9_000]
    # Coverage would write its own file there, fail too, and say so on standard error.
    env = {name: v for name, v in toy.environ().items() if not name.startswith("COVERAGE_")}
    for _ in range(8):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "lab", *words],
            cwd=toy.root,
            env=env,
            capture_output=True,
            text=True,
            preexec_fn=lambda: limited(kilobytes),
        )
        if done.returncode:
            break
        words[1] += "x"
    assert done.returncode == 6, done
    two_lines(done.stderr)
    before = len(toy.lab("log", "--events", "--json").json)
    assert toy.idea("there is room again") == f"h{before + 1}"
    assert toy.lab("doctor", "--json").json["ok"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for the superuser")
def test_a_read_only_folder_is_read_and_not_written(quick: Quick) -> None:
    quick.idea("halve the lr")
    home = quick.root / ".lab"
    home.chmod(0o555)
    try:
        assert "halve the lr" in quick.lab("context").out
        assert "LAB_HOME" in two_lines(quick.lab("hypothesis", "x", "-m", "y", code=6).err)[1]
    finally:
        home.chmod(0o755)
