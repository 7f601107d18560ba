"""On a terminal: colour, alignment, the width kept; in a pipe, plain text and tables."""

import csv
import io
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from nights import Idea, write
from toy import Quick, Toy, slope

NIGHT = [
    Idea("raise the slope", 1.0, "keep", minutes=60),
    Idea("raise it by far more than anybody else would ever have raised it before", 0.5, "keep"),
    Idea("lower it", -1.0),
    Idea("too big", None, "crash", failure="oom"),
    Idea("the lights went out", None, "crash", failure="interrupted"),
    Idea("not judged yet", 0.2, None),
]


def on_a_terminal(toy: Toy, columns: int, *words: str, **env: str) -> str:
    """Return what `lab WORDS` writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    environ = toy.environ(COLUMNS=str(columns), TERM="xterm-256color", **env)
    command = [sys.executable, "-P", "-m", "lab", *words]
    with subprocess.Popen(command, stdout=theirs, cwd=toy.root, env=environ) as child:
        os.close(theirs)
        parts = []
        while child.poll() is None or parts[-1:]:
            try:
                parts.append(os.read(ours, 65536))
            except OSError:  # Linux says so when the last writer is gone
                break
    os.close(ours)
    assert child.returncode == 0
    return b"".join(parts).decode().replace("\r\n", "\n")


def experiments(toy: Toy, *words: str) -> list[str]:
    return [row["experiment"] for row in toy.here("log", *words, "--json").json]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--verdict", "keep"], ["e3", "e2", "e1"]),
        (["--verdict", "crash"], ["e5"]),
        (["--verdict", "open"], ["e7"]),
        (["--campaign", "ada", "-n", "2"], ["e7", "e6"]),
        (["--since", "2026-03-01T21:06Z"], ["e7", "e6", "e5", "e4"]),
        (["--since", "e6"], ["e7", "e6"]),
        (["--sort", "gain", "-n", "3"], ["e2", "e3", "e7"]),
        (["--sort", "value", "--verdict", "keep"], ["e3", "e2", "e1"]),
        (["--verdict", "keep", "--since", "1h"], []),
    ],
)
def test_a_log_is_asked_for_what_one_wants(
    quick: Quick, words: list[str], expected: list[str]
) -> None:
    write(quick, NIGHT)
    assert experiments(quick, *words) == expected
    if not expected:
        assert quick.lab("log", *words).out == "None such. See all: lab log\n"


@pytest.mark.parametrize("words", [["--since", "soon"], ["--campaign", "eve"], ["--sort", "luck"]])
def test_what_cannot_be_asked_of_a_log_is_refused(quick: Quick, words: list[str]) -> None:
    write(quick, NIGHT)
    assert quick.lab("log", *words, code=None).code in (2, 3)


@pytest.mark.parametrize("columns", [40, 60, 120])
def test_a_terminal_has_a_log_in_columns_and_a_pipe_as_ever(quick: Quick, columns: int) -> None:
    write(quick, NIGHT)
    bare = on_a_terminal(quick, columns, "log", NO_COLOR="1")
    lines = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in bare.splitlines()]
    lines = [line.replace("\x1b[2m", "").rstrip() for line in lines]
    assert all(len(line) <= columns for line in lines)
    assert [line.split()[0] for line in lines[1:]] == [f"e{n}" for n in range(7, 0, -1)]
    assert "baseline" in lines[-1]
    assert len({line.index("keep") for line in lines if " keep " in line}) == 1
    piped = quick.lab("log").out
    assert piped.splitlines()[0].startswith("2026-03-01T")
    assert "\x1b" not in piped


def test_colour_is_as_asked_for(quick: Quick) -> None:
    write(quick, NIGHT)
    for words in (["log"], ["show", "e3"], ["status"]):
        assert "\x1b[" in on_a_terminal(quick, 80, *words, NO_COLOR=""), words
        assert "\x1b[3" not in on_a_terminal(quick, 80, *words, NO_COLOR="1"), words
        assert "\x1b[" in quick.lab(*words, FORCE_COLOR="1", TERM="xterm", NO_COLOR="").out, words
        assert "\x1b" not in quick.lab(*words, TERM="xterm").out, words


def test_pages_keep_to_sixty_columns(quick: Quick) -> None:
    write(quick, NIGHT)
    for words in (["show", "e3"], ["show", "e1", "e3"], ["status"]):
        seen = on_a_terminal(quick, 60, *words, NO_COLOR="1")
        plain = seen.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
        assert max(map(len, plain.splitlines())) <= 60, words


def test_what_differs_is_marked_and_knobs_come_first(campaign: Path, ready: Toy) -> None:
    idea = ready.idea("raise the slope", cwd=campaign)
    slope(campaign, 2.0)
    ready.lab("run", idea, cwd=campaign)
    lines = ready.here("show", "e1", "e2").out.splitlines()
    assert lines[0].split() == ["experiment", "e1", "e2"]
    assert lines[1].split() == ["*", "SLOPE", "1", "2"]
    marked = [line.split()[1] for line in lines if line.startswith("* ")]
    assert {"claim", "value", "kind"} <= set(marked)
    assert not {"NOISE", "leaf", "commit", "at", "hypothesis"} & set(marked)
    assert any(line.split()[:2] == ["leaf", "toy"] for line in lines)
    diff = ready.lab("diff", "e2", FORCE_COLOR="1", TERM="xterm", NO_COLOR="").out
    assert "\x1b[32m+SLOPE = 2.0" in diff


def test_status_is_watched_until_somebody_stops(quick: Quick) -> None:
    write(quick, NIGHT)
    process = quick.start("status", "--watch")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("toy/ada by tuner")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    process.communicate()
    assert "--json" in quick.lab("status", "--watch", "--json", code=2).err


def test_a_loop_tells_by_a_shell_line_that_is_tried_first(ready: Toy, tmp_path: Path) -> None:
    told = tmp_path / "told"
    line = f"sed 's/^/lab: /' >> {told}"
    ready.lab("loop", "toy", "--agent", "tuner", "--experiments", "1", "--notify", line)
    first, *_, last = told.read_text().splitlines()
    assert first == "lab: toy: lab loop begins"
    assert last.startswith("lab: toy/tuner: limit (1 experiment)")


@pytest.mark.parametrize("words", [["loop", "toy"], ["launch", "toy:ada"]])
def test_a_notification_that_does_not_work_is_refused_first(quick: Quick, words: list[str]) -> None:
    answer = quick.lab(*words, "--agent", "tuner", "--notify", "no-such-mailer -s lab", code=4)
    assert "no-such-mailer" in answer.err
    assert "Try it: echo test | no-such-mailer -s lab" in answer.err
    assert quick.lab("status", "--json").json["campaigns"] == []


def test_a_notification_that_fails_later_is_told(ready: Toy, tmp_path: Path) -> None:
    once = f"test ! -e {tmp_path}/used && touch {tmp_path}/used"
    done = ready.lab("loop", "toy", "--agent", "tuner", "--experiments", "1", "--notify", once)
    assert "--notify failed: exit status 1" in done.err


def test_a_table_of_the_experiments_as_csv_and_parquet(quick: Quick, tmp_path: Path) -> None:
    write(quick, NIGHT)
    rows = list(csv.DictReader(io.StringIO(quick.lab("export", "--csv").out)))
    assert [row["experiment"] for row in rows] == [f"e{n}" for n in range(1, 8)]
    assert rows[1]["claim"] == "raise the slope"
    assert (float(rows[1]["value"]), rows[4]["value"]) == (3.0, "")
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    file = tmp_path / "all.parquet"
    quick.lab("export", "--parquet", "-o", str(file))
    frame = pandas.read_parquet(file)
    assert list(frame["experiment"]) == [row["experiment"] for row in rows]
    assert list(frame.columns) == list(rows[0])


def test_parquet_without_pandas_says_what_to_install(quick: Quick, tmp_path: Path) -> None:
    (tmp_path / "none" / "pandas").mkdir(parents=True)
    (tmp_path / "none" / "pandas" / "__init__.py").write_text("raise ImportError('no pandas here')")
    words = ("export", "--parquet", "-o", str(tmp_path / "all.parquet"))
    answer = Toy(quick.root).lab(*words, code=6, PYTHONPATH=str(tmp_path / "none"))
    assert "--parquet needs pandas and pyarrow" in answer.err
    assert "pip install pandas pyarrow" in answer.err
    assert quick.lab("export", "--parquet", code=2).err.startswith("Error: --parquet writes a file")
