"""Terminals, pipes, disks, drivers and editors as they are found on real machines."""

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from toy import EVALUATE, LEAF, Quick, Toy

from lab.system import locks

LAB = [sys.executable, "-P", "-m", "lab"]
SHELL = " ".join(LAB)
GPU = "GPU 0: NVIDIA H100 (UUID: GPU-aaaaaaaa-1111-2222-3333-444444444444)"


def shell(toy: Toy, script: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of shell in the repository."""
    return subprocess.run(
        ["bash", "-c", script],
        cwd=toy.root,
        env=toy.environ(**env),
        capture_output=True,
        text=True,
        timeout=300,
    )


# -- Streams -----------------------------------------------------------------------


@pytest.mark.parametrize("pipe", ["2>&1 | head -1", "2> >(head -1 >&2) >/dev/null"])
def test_a_campaign_goes_on_when_its_reader_goes(ready: Toy, pipe: str) -> None:
    loop = f"{SHELL} loop toy --agent tuner --experiments 1"
    done = shell(ready, f"set -o pipefail; {loop} {pipe} >/dev/null")
    assert done.returncode == 0, done
    assert ready.lab("log", "toy", "--json").json[0]["verdict"] in ("keep", "discard")


def test_a_command_whose_reader_went_is_no_failure(ready: Toy) -> None:
    done = shell(ready, f"({SHELL} export; echo $? >&2) | true")
    assert done.stderr.strip() == "0"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_missing_are_nobodys_fault(quick: Quick, closed: str) -> None:
    done = shell(quick, f"{SHELL} hypothesis 'a claim' -m why --leaf toy {closed}; echo $?")
    assert done.stdout.split()[-1] == "0", done
    assert quick.lab("show", "h1", "--json").json["claim"] == "a claim"


@pytest.mark.parametrize("encoding", ["latin-1", "cp437"])
def test_what_a_terminal_cannot_show_is_a_question_mark(quick: Quick, encoding: str) -> None:
    quick.idea("höher → better · 学習率")
    done = subprocess.run(
        [*LAB, "show", "h1"],
        cwd=quick.root,
        env=quick.environ(PYTHONIOENCODING=encoding),
        capture_output=True,
        check=True,
    )
    assert "höher ? better" in done.stdout.decode(encoding)


# -- What -o names ------------------------------------------------------------------

WRITERS = [["export"], ["report", "toy"], ["plot", "toy"]]


@pytest.mark.parametrize("words", WRITERS)
def test_into_a_pipe_is_written(quick: Quick, words: list[str], tmp_path: Path) -> None:
    quick.idea()
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    answer = quick.lab(*words, "-o", str(pipe))
    reader.join(30)
    assert pipe.is_fifo()
    assert len(got[0]) > 100
    assert answer.out == ""  # the pipe may be standard output: its content is not mixed with names


@pytest.mark.parametrize("words", WRITERS)
def test_a_link_is_followed_and_a_file_keeps_its_mode(
    quick: Quick, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there/night.png", tmp_path / "link.png"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    quick.idea()
    quick.lab(*words, "-o", str(link))
    assert link.is_symlink()
    assert target.stat().st_size > 100
    assert target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(target.parent) == ["night.png"]


@pytest.mark.parametrize("words", WRITERS)
def test_standard_output_by_its_name_is_written_into(quick: Quick, words: list[str]) -> None:
    quick.idea()
    done = subprocess.run(
        [*LAB, *words, "-o", "/dev/stdout"],
        cwd=quick.root,
        env=quick.environ(),
        stdout=-1,
        check=True,
    )
    start = {"export": b'{"table"', "report": b"<!doctype html>", "plot": b"\x89PNG"}[words[0]]
    assert done.stdout.lower().startswith(start.lower())


@pytest.mark.parametrize("words", WRITERS)
def test_a_folder_that_is_not_there_is_named(quick: Quick, words: list[str]) -> None:
    refused = quick.lab(*words, "-o", "nowhere/x.png", code=6)
    assert "mkdir -p" in refused.err
    assert quick.lab(*words, "-o", ".", code=2).err


@pytest.mark.parametrize("words", WRITERS)
def test_no_record_is_replaced_by_what_is_written(
    quick: Quick, tmp_path: Path, words: list[str]
) -> None:
    quick.idea()
    moved = tmp_path / "elsewhere.db"
    shutil.copy(quick.root / ".lab/notebook.db", moved)
    before = moved.read_bytes()
    for target in (".lab/notebook.db", ".git/HEAD", str(moved)):
        quick.lab(*words, "-o", target, code=2)
    assert "Name another file" in quick.lab(*words, "-o", ".lab/new.png", code=2).err
    assert moved.read_bytes() == before
    assert quick.lab("log").out or quick.lab("context").out
    assert quick.lab("doctor", "--json").json["ok"]


def test_a_picture_may_lie_in_a_campaigns_worktree(quick: Quick) -> None:
    folder = Path(quick.lab("worktree", "toy", "ada").out.strip())
    quick.lab("plot", "toy", "-o", str(folder / "night.png"))
    assert (folder / "night.png").stat().st_size > 1000


@pytest.mark.parametrize("name", ["MPLBACKEND", "MATPLOTLIBRC"])
def test_a_picture_needs_nobodys_settings_of_matplotlib(
    quick: Quick, tmp_path: Path, name: str
) -> None:
    own = tmp_path / "matplotlibrc"
    own.write_bytes(b"text.usetex: True\nfont.family: caf\xe9\n")
    value = {"MPLBACKEND": "module://a_notebook.backend", "MATPLOTLIBRC": str(own)}[name]
    env = quick.environ(**{name: value})
    drawn = [*LAB, "plot", "toy", "-o", str(tmp_path / "p.svg")]
    subprocess.run(drawn, cwd=quick.root, env=env, check=True)
    assert (tmp_path / "p.svg").stat().st_size > 1000


# -- Disks and drivers ---------------------------------------------------------------

NO_LOCKS = """\
import errno, fcntl, os
def refused(*_):
    raise OSError(errno.{name}, os.strerror(errno.{name}))
fcntl.{call} = refused
"""


@pytest.mark.parametrize("name", ["ENOLCK", "EOPNOTSUPP"])
def test_a_disk_without_locks_is_named_and_no_crowd(
    quick: Quick, tmp_path: Path, name: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_LOCKS.format(name=name, call="flock"))
    done = subprocess.run(
        [*LAB, "worktree", "toy", "ada"],
        cwd=quick.root,
        env=quick.environ(PYTHONPATH=f"{tmp_path}{os.pathsep}{Path(__file__).parents[1]}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 6, done
    assert ".lock cannot be locked" in done.stderr
    assert "LAB_HOME=" in done.stderr


NO_RECORD_LOCKS = """\
int {name}(int fd, int cmd, ...) {{
  va_list more; va_start(more, cmd); void *what = va_arg(more, void *); va_end(more);
  if (cmd == F_SETLK || cmd == F_SETLKW || cmd == F_GETLK) {{ errno = ENOLCK; return -1; }}
  return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, "{name}"))(fd, cmd, what);
}}
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_notebook_on_a_disk_without_locks_is_refused_at_once(
    quick: Quick, tmp_path: Path
) -> None:
    source, library = tmp_path / "no.c", tmp_path / "no.so"
    source.write_text(
        "#define _GNU_SOURCE\n#include <errno.h>\n#include <fcntl.h>\n#include <stdarg.h>\n"
        "#include <dlfcn.h>\n"
        + NO_RECORD_LOCKS.format(name="fcntl")
        + NO_RECORD_LOCKS.format(name="fcntl64")
    )
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    began = time.monotonic()
    done = subprocess.run(
        [*LAB, "hypothesis", "a", "-m", "b", "--leaf", "toy"],
        cwd=quick.root,
        env=quick.environ(LD_PRELOAD=str(library)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 6, done
    assert "notebook.db cannot be locked" in done.stderr
    assert "LAB_HOME=" in done.stderr
    assert time.monotonic() - began < 25  # and not the 30 s that a crowd is given


def test_a_disk_with_locks_has_no_fault(tmp_path: Path) -> None:
    assert locks.record_lock_fault(tmp_path) is None
    refusal = locks.without_locks(tmp_path / "x", OSError(errno.ENOLCK, "No locks available"))
    assert refusal.exit_code == 6


def driver(toy: Toy, script: str) -> dict[str, str]:
    """Put an nvidia-smi on the PATH that does so; return the environment."""
    folder = toy.root.parent / "driver"
    folder.mkdir()
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "nvidia-smi").chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_of_gpus_that_fail_in_part_the_others_are_used(quick: Quick) -> None:
    env = driver(quick, f"echo '{GPU}'; echo 'Unable to determine GPU 1: ERR!' >&2; exit 14")
    answer = quick.lab("context", "--leaf", "toy", **env)
    assert "profile gpu on NVIDIA H100" in answer.out
    assert "Unable to determine GPU 1" in answer.err


@pytest.mark.parametrize(
    "script",
    [
        "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
        "echo 'No devices were found' >&2; exit 6",
    ],
)
def test_a_driver_that_fails_is_told_and_changes_no_profile(quick: Quick, script: str) -> None:
    env = driver(quick, script)
    refused = quick.lab("context", "--leaf", "toy", code=6, **env)
    assert script.split("'")[1] in refused.err
    assert "--profile cpu" in refused.err
    assert quick.lab("context", "--leaf", "toy", "--profile", "cpu", **env).err == ""
    assert quick.lab("context", "--leaf", "toy", CUDA_VISIBLE_DEVICES="", **env).err == ""


# -- Words and files of people ---------------------------------------------------------


@pytest.mark.parametrize("claim", ["-5% weight decay", "-momentum off", "--no rotary", "-.1 lr"])
def test_a_claim_may_begin_with_a_dash(quick: Quick, claim: str) -> None:
    assert quick.idea(claim) == "h1"
    found = quick.lab("show", "h1", "--json").json
    assert (found["claim"], found["mechanism"]) == (claim, "the truth is 3")
    assert quick.lab("failures", claim, "--leaf", "toy").code == 0


def test_a_word_that_may_be_an_option_is_told_how_to_type(quick: Quick) -> None:
    refused = quick.lab("hypothesis", "-dropout", "-m", "-less", "--leaf", "toy", code=2)
    assert refused.err.splitlines()[-1].endswith("-- -dropout")
    quick.lab("hypothesis", "-m", "-less", "--leaf", "toy", "--", "-dropout")
    assert quick.lab("show", "h1", "--json").json["mechanism"] == "-less"


def test_a_mark_before_a_table_is_no_part_of_it(quick: Quick) -> None:
    (quick.root / "toy/leaf.toml").write_text("\ufeff" + LEAF, encoding="utf-8")
    assert "toy: loss (minimize)" in quick.lab("leaves").out
    quick.idea()
    own = quick.root / ".lab/agents.toml"
    own.write_text('\ufeff[ada]\ncommand = ["true"]\n', encoding="utf-8")
    unknown = quick.lab("loop", "toy", "--agent", "nobody-there", code=3)
    assert "ada" in unknown.err


@pytest.mark.parametrize("value", ["np.float32(3.9)", "3,99", "nan"])
def test_a_metric_that_cannot_be_read_is_named_with_its_log(toy: Toy, value: str) -> None:
    toy.leaf(evaluate=EVALUATE.replace("{(w - 3) ** 2!r}", value))
    toy.commit("odd")
    failed = toy.lab("run", "--baseline", "--seeds", "1", "--leaf", "toy", code=1)
    assert f"not a finite number: loss: {value}" in failed.out
    assert "evaluate.log" in failed.out
    shown = toy.lab("show", "e1").out
    assert f"loss: {value}" in shown
    assert "evaluate.log" in shown


# -- What people look at ----------------------------------------------------------------


def test_show_is_one_screen_with_numbers_beside_the_incumbents(campaign: Path, toy: Toy) -> None:
    toy.idea("raise the slope to 2", cwd=campaign)
    text = (campaign / "train.py").read_text()
    (campaign / "train.py").write_text(text.replace("SLOPE = 1.0", "SLOPE = 2.0"))
    toy.lab("run", "h1", cwd=campaign)
    shown = toy.lab("show", "e2").out.splitlines()
    assert len(shown) <= 24
    assert max(map(len, shown)) <= 200
    assert "raise the slope to 2" in shown[0]
    assert shown[1] == "why: the truth is 3"
    assert any("e1 (incumbent)" in line for line in shown)
    assert any(line.startswith("  +SLOPE = 2.0") for line in shown)
    assert any(line.startswith("next: lab ") for line in shown)
    assert "{" not in "".join(shown)
    assert toy.lab("show", "e2", "--json").json["judgements"]


def test_without_a_name_the_profile_is_the_newest_baselines_and_that_is_said(toy: Toy) -> None:
    toy.leaf(toml=LEAF + '\n[profiles.demo]\nneeds = "cpu"\nbudget_s = 4\n')
    toy.commit("a profile of its own")
    for profile in ("demo", "smoke"):
        words = ("run", "--baseline", "--seeds", "1", "--leaf", "toy", "--profile", profile)
        toy.lab(*words)
    answer = toy.lab("context", "--leaf", "toy")
    assert "profile demo on" in answer.out
    assert "No baseline here yet" not in answer.out
    assert "profile demo, that of the newest baseline e1" in answer.err
    assert toy.lab("context", "--leaf", "toy", "--json").json["profile"] == "demo"
    assert "profile cpu on" in toy.lab("context", "--leaf", "toy", "--profile", "cpu").out


@pytest.mark.parametrize("kind", ["folder", "[broken", "value = 3"])
def test_a_configuration_of_modal_that_cannot_be_read_is_named(
    quick: Quick, tmp_path: Path, kind: str
) -> None:
    pytest.importorskip("modal")
    path = tmp_path / "modal.toml"
    path.mkdir() if kind == "folder" else path.write_text(kind)
    env = quick.environ(MODAL_CONFIG_PATH=str(path), PYTHONWARNINGS="default")
    words = [*LAB, "run", "--baseline", "--leaf", "toy", "--on", "modal:T4"]
    done = subprocess.run(words, cwd=quick.root, env=env, capture_output=True, text=True)
    assert done.returncode == 6, done
    assert len(done.stderr.splitlines()) == 2
    assert str(path) in done.stderr
    assert done.stdout == ""
