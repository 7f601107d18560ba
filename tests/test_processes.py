"""Ending what a run leaves behind, and nobody else."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from lab.system import processes

linux = pytest.mark.skipif(sys.platform != "linux", reason="found through /proc")

# Two daemons in sessions of their own: one keeps the marker, one loses it, but is its child.
FAMILY = """
import os, subprocess, sys, time
os.setsid()
child = subprocess.Popen(["sleep", "600"], env={}, start_new_session=True)
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def family(tmp_path):
    """A lost run in tmp_path: the ids of its two processes."""
    environ = {**os.environ, "LAB_RUN_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY], env=environ, stdout=subprocess.PIPE, text=True
    ) as leader:
        pids = tuple(map(int, leader.stdout.readline().split()))
        yield pids
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def gone(pid: int) -> bool:
    """Return whether the process ended; a zombie has."""
    return processes.start_id(pid) is None


@linux
def test_a_lost_run_is_ended_by_its_folder(family, tmp_path):
    assert processes.end_by_run_dir(tmp_path) == []
    assert all(map(gone, family))


@linux
def test_another_runs_processes_are_left_alone(family, tmp_path):
    assert processes.end_by_run_dir(tmp_path / "other") == []
    assert processes.end_by_run_dir(str(tmp_path)[:-1]) == []
    assert not any(map(gone, family))


@linux
def test_the_caller_and_those_above_it_survive_though_they_are_marked(tmp_path):
    script = f"""
import os, subprocess
from lab.system import processes
child = subprocess.Popen(["sleep", "600"])
print(processes.end_by_run_dir({str(tmp_path)!r}), child.wait())
"""
    environ = {**os.environ, "LAB_RUN_DIR": str(tmp_path)}
    answer = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1"; echo $?', sys.executable, script],
        env=environ,
        capture_output=True,
        text=True,
    )
    assert answer.stdout == "[] -9\n0\n"


def test_a_group_is_ended_by_its_leaders_id_though_the_leader_is_gone(tmp_path):
    leader = subprocess.Popen(
        ["/bin/sh", "-c", "sleep 600 & echo $!; read wait"],
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with leader:
        child = int(leader.stdout.readline())
        identity = processes.start_id(leader.pid)
        leader.stdin.close()
        leader.wait()
        assert not gone(child)
        assert processes.end_group(identity) == []
    assert gone(child)


def test_a_recycled_id_or_another_boot_ends_nobody():
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        pid, started, boot = processes.start_id(bystander.pid).split(":", 2)
        assert processes.end_group(f"{pid}:{int(started) - 1}:{boot}") == []
        assert processes.end_group(f"{pid}:{started}:another boot") == []
        assert bystander.poll() is None
        bystander.kill()


def test_a_process_is_alive_until_it_ends_even_before_it_is_collected():
    child = subprocess.Popen(["sleep", "600"])
    identity = processes.start_id(child.pid)
    assert processes.alive(identity)
    child.kill()
    until = time.monotonic() + 20
    while processes.alive(identity):  # becomes a zombie: not collected yet
        assert time.monotonic() < until
        time.sleep(0.01)
    child.wait()
    assert not processes.alive(identity)
    assert not processes.alive("no such id")


@linux
def test_a_process_that_keeps_starting_others_is_ended_with_all_of_them(tmp_path):
    script = """
import os, time
for _ in range(200):  # one at a time and bounded: what is left on a failure ends by itself
    if os.fork() == 0:
        os.setsid()
        time.sleep(30)
        os._exit(0)
    time.sleep(0.02)
time.sleep(30)
"""
    environ = {**os.environ, "LAB_RUN_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environ, start_new_session=True
    ) as root:
        until = time.monotonic() + 20
        while sum(row.parent == root.pid for row in processes.table().values()) < 8:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert processes.end_tree(root.pid, str(tmp_path), grace_s=0.0) == []
        assert processes.end_by_run_dir(tmp_path) == []
