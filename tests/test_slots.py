"""Devices and their queue, with real processes that wait, hold, die and stop."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from lab import errors, slots

SMI = """#!/bin/sh
echo 'GPU 0: NVIDIA H200 (UUID: GPU-aaaa-1)'
echo 'GPU 1: NVIDIA H200 (UUID: GPU-bbbb-2)'
"""
# Waits for a device `turns` times, holds it for `hold` seconds, writes who held it and when.
WORKER = """
import json, os, sys, time
from pathlib import Path
from lab import slots
said = json.loads(sys.argv[1])
queue = slots.Queue(Path(said["home"]) / "slots", None, os.environ)
for turn in range(said["turns"]):
    ticket = queue.ticket(campaign=said["campaign"], label=f"e{turn}/0", kind=said["kind"],
                          expected_s=said.get("expected"), run_dir=said.get("run_dir", ""))
    with ticket.wait(lambda: False) as lease:
        start = time.monotonic()
        print("held", flush=True)
        time.sleep(said["hold"])
        while said.get("go") and not os.path.exists(said["go"]):
            time.sleep(0.01)
        end = time.monotonic()
        row = {"campaign": said["campaign"], "device": lease.device.key, "start": start,
               "end": end, "env": lease.env}
        with open(said["log"], "a") as log:
            log.write(json.dumps(row) + "\\n")
"""


@pytest.fixture
def machine(tmp_path):
    """Start workers on a machine with two GPUs and one CPU slot; all are ended afterwards."""
    started: list[subprocess.Popen[str]] = []
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "nvidia-smi").write_text(SMI)
    (bin_dir / "nvidia-smi").chmod(0o755)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("LAB_", "CUDA_"))}
    environ |= {"PATH": f"{bin_dir}:{os.environ['PATH']}", "LAB_SLOTS_DIR": str(tmp_path / "gpus")}
    environ["PYTHONPATH"] = str(Path(__file__).parent.parent)

    class Machine:
        log = tmp_path / "log.jsonl"
        go = tmp_path / "go"  # holders started with go=str(go) hold on until it is there
        env = environ

        def start(self, campaign, kind="cpu", turns=1, hold=0.05, home="home", env=None, **more):
            said = {"campaign": campaign, "kind": kind, "turns": turns, "hold": hold, **more}
            said |= {"home": str(tmp_path / home), "log": str(self.log)}
            worker = subprocess.Popen(
                [sys.executable, "-c", WORKER, json.dumps(said)],
                env={**environ, **(env or {})},
                stdout=subprocess.PIPE,
                text=True,
            )
            started.append(worker)
            return worker

        def queue(self, home="home"):
            return slots.Queue(tmp_path / home / "slots", None, environ)

        def rows(self):
            for worker in started:
                assert worker.wait(timeout=120) == 0
            rows = [json.loads(line) for line in self.log.read_text().splitlines()]
            return sorted(rows, key=lambda row: row["start"])

    yield Machine()
    for worker in started:
        worker.kill()
        worker.stdout.close()
        worker.wait()


def until(true) -> None:
    """Wait until `true()`; fails after a while."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def overlaps(rows) -> int:
    return sum(b["start"] < a["end"] for a, b in itertools.pairwise(rows))


def test_the_driver_is_read_from_where_the_kernel_tells_it(tmp_path: Path) -> None:
    told = tmp_path / "version"
    told.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5\nGCC\n")
    assert slots.driver(told) == "550.54.15"
    told.write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build\n"
    )
    assert slots.driver(told) == "570.86.10"


def test_eight_campaigns_on_one_slot_run_one_at_a_time(machine):
    for n in range(8):
        machine.start(f"c{n}", turns=3, hold=0.02)
    rows = machine.rows()
    assert len(rows) == 24
    assert overlaps(rows) == 0


def test_campaigns_take_turns_however_many_tickets_one_has(machine):
    blocker = machine.start("first", go=str(machine.go))
    assert blocker.stdout.readline() == "held\n"
    for _ in range(3):
        machine.start("greedy", turns=1)
    until(lambda: len(machine.queue().waiting()) == 3)
    machine.start("late")
    until(lambda: len(machine.queue().waiting()) == 4)
    assert [e.campaign for e in machine.queue().waiting()] == ["greedy", "late", "greedy", "greedy"]
    machine.go.touch()
    order = [row["campaign"] for row in machine.rows()]
    assert order == ["first", "greedy", "late", "greedy", "greedy"]


def test_turns_stay_even_between_campaigns_that_come_back(machine):
    for n in range(4):
        machine.start(f"c{n}", turns=6, hold=0.15)
    order = [row["campaign"] for row in machine.rows()]
    together = order[4:-4]  # they start and end one after the other
    for at in range(0, len(together) - 3):
        assert max(Counter(order[4 : 4 + at + 1]).values()) <= at // 4 + 2


def test_two_clones_share_the_gpus_and_each_run_sees_one(machine):
    for clone in ("one", "two"):
        for n in range(2):
            machine.start(f"c{n}", kind="gpu", turns=3, home=clone)
    rows = machine.rows()
    assert {row["device"] for row in rows} == {"GPU-aaaa-1", "GPU-bbbb-2"}
    assert all(row["env"] == {"CUDA_VISIBLE_DEVICES": row["device"]} for row in rows)
    for key in ("GPU-aaaa-1", "GPU-bbbb-2"):
        assert overlaps([row for row in rows if row["device"] == key]) == 0


def test_a_campaign_that_sees_one_gpu_does_not_block_those_that_see_the_other(machine):
    only_first = {"CUDA_VISIBLE_DEVICES": "0"}
    holder = machine.start("a", kind="gpu", go=str(machine.go), env=only_first)
    assert holder.stdout.readline() == "held\n"
    machine.start("b", kind="gpu", env=only_first)
    until(lambda: len(machine.queue().waiting()) == 1)
    assert machine.start("c", kind="gpu").wait(timeout=60) == 0
    machine.go.touch()
    assert [row["campaign"] for row in machine.rows()] == ["a", "c", "b"]  # by start


def test_clones_have_cpu_slots_of_their_own(machine):
    holder = machine.start("a", hold=600, home="one")
    assert holder.stdout.readline() == "held\n"
    other = machine.start("b", home="two")
    assert other.wait(timeout=60) == 0


def test_a_killed_holder_frees_its_device_and_its_leftovers_are_ended(machine, tmp_path):
    environ = {**machine.env, "LAB_RUN_DIR": str(tmp_path / "run")}
    leftover = subprocess.Popen(["sleep", "600"], env=environ)
    holder = machine.start("a", hold=600, run_dir=str(tmp_path / "run"))
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    assert machine.queue().holders() == []
    nxt = machine.start("b")
    assert nxt.wait(timeout=60) == 0
    if sys.platform == "linux":
        assert leftover.wait(timeout=60) == -9
    leftover.kill()
    leftover.wait()
    assert list((tmp_path / "home/slots").glob("ticket-*")) == []


def test_a_killed_waiter_leaves_the_queue(machine):
    holder = machine.start("a", hold=600)
    assert holder.stdout.readline() == "held\n"
    waiter = machine.start("b")
    until(lambda: [e.campaign for e in machine.queue().waiting()] == ["b"])
    waiter.kill()
    waiter.wait()
    assert machine.queue().waiting() == []


def test_a_lock_does_not_leak_to_the_children_of_its_holder(machine):
    with machine.queue().ticket(campaign="a", label="e1/0", kind="cpu") as ticket:
        lease = ticket.wait(lambda: False)
        child = subprocess.Popen(["sleep", "600"])
        lease.close()
        assert machine.start("b").wait(timeout=60) == 0
        child.kill()
        child.wait()


def test_holder_and_queue_are_listed_with_places_and_expected_waits(machine):
    holder = machine.start("a", hold=600, expected=100.0)
    assert holder.stdout.readline() == "held\n"
    queue = machine.queue()
    with (
        queue.ticket(campaign="b", label="e7/0", kind="cpu", leaf="line", expected_s=50) as first,
        queue.ticket(campaign="c", label="e8/0", kind="cpu") as second,
    ):
        (held,) = queue.holders()
        assert (held.campaign, held.device, held.position) == ("a", "cpu0", 0)
        assert held.pid == holder.pid
        waits = [(e.experiment, e.leaf, e.position) for e in queue.waiting()]
        assert waits == [("e7/0", "line", 1), ("e8/0", "", 2)]
        assert 0 < first.place().eta_s <= 100
        assert second.place().eta_s == pytest.approx(first.place().eta_s + 50, abs=10)


def test_waiting_ends_when_told_to(machine):
    holder = machine.start("a", hold=600)
    assert holder.stdout.readline() == "held\n"
    asked = itertools.count()
    ticket = machine.queue().ticket(campaign="b", label="e1/0", kind="cpu")
    assert ticket.wait(lambda: next(asked) > 3) is None
    assert machine.queue().waiting() == []


def test_a_stopped_process_loses_its_turn_but_not_its_place(machine):
    holder = machine.start("a", hold=600)
    assert holder.stdout.readline() == "held\n"
    stopped = machine.start("b")
    until(lambda: len(machine.queue().waiting()) == 1)
    stopped.send_signal(signal.SIGSTOP)
    (entry,) = machine.queue().waiting()
    long_ago = time.time() - 60  # as if it had been stopped for a minute
    os.utime(machine.queue().pool("cpu").folder / entry.id, (long_ago, long_ago))
    other = machine.start("c")
    until(lambda: len(machine.queue().waiting()) == 2)
    holder.kill()
    assert other.wait(timeout=60) == 0
    stopped.send_signal(signal.SIGCONT)
    assert stopped.wait(timeout=60) == 0


def test_a_removed_lock_file_gives_the_device_to_nobody_else(machine, tmp_path):
    holder = machine.start("a", go=str(machine.go))
    assert holder.stdout.readline() == "held\n"
    (tmp_path / "home/slots/device-cpu0.lock").unlink()  # as cleaners of /tmp do
    machine.start("b")
    until(lambda: len(machine.queue().waiting()) == 1)
    time.sleep(0.5)  # ten looks, each of which must find the device taken
    machine.go.touch()
    rows = machine.rows()
    assert [row["campaign"] for row in rows] == ["a", "b"]
    assert overlaps(rows) == 0


def test_no_device_no_queue(machine):
    ticket = machine.queue().ticket(campaign="a", label="e1/0", kind="none")
    with ticket.wait(lambda: False) as lease:
        assert (lease.device.kind, lease.env) == ("none", {"CUDA_VISIBLE_DEVICES": ""})
    assert machine.queue().holders() == []


def test_cpu_slots_are_as_many_as_said(machine):
    machine.env["LAB_CPU_SLOTS"] = "2"
    queue = machine.queue()
    with (
        queue.ticket(campaign="a", label="e1/0", kind="cpu") as one,
        queue.ticket(campaign="a", label="e2/0", kind="cpu") as two,
    ):
        keys = {ticket.wait(lambda: False).device.key for ticket in (one, two)}
    assert keys == {"cpu0", "cpu1"}
    machine.env["LAB_CPU_SLOTS"] = "many"
    with pytest.raises(errors.Environment, match="LAB_CPU_SLOTS is 'many'"):
        queue.holders()


def test_gpus_are_those_cuda_would_show(machine):
    def keys(said):
        return [d.key for d in slots.accelerators({**machine.env, "CUDA_VISIBLE_DEVICES": said})]

    both = ["GPU-aaaa-1", "GPU-bbbb-2"]
    assert [d.key for d in slots.accelerators(machine.env)] == both
    assert keys("1") == [both[1]]
    assert keys("GPU-bbbb,0") == both[::-1]
    assert keys("") == keys("-1") == keys("9,0") == []


def test_a_missing_gpu_is_named_unless_the_leaf_never_asked_for_one(machine):
    hidden = {**machine.env, "CUDA_VISIBLE_DEVICES": ""}
    assert slots.choose("gpu", machine.env) == "gpu"
    assert slots.choose("gpu", hidden, optional=True) == "cpu"
    with pytest.raises(errors.Environment, match=r"needs a GPU .* CUDA_VISIBLE_DEVICES=''"):
        slots.choose("gpu", hidden)


def test_a_platform_is_named_after_its_device(machine):
    assert slots.platform_name("gpu", machine.env) == "NVIDIA H200"
    hidden = {**machine.env, "CUDA_VISIBLE_DEVICES": ""}
    assert slots.platform_name("gpu", hidden) == slots.platform_name("cpu", hidden)
    assert slots.platform_name("cpu", hidden).isprintable()
    assert slots.platform_name("none", hidden) == "any"


def test_the_list_of_gpus_is_kept_between_processes(machine, tmp_path):
    slots.accelerators(machine.env)
    (kept,) = (tmp_path / "gpus").glob("gpus-*.json")
    record = json.loads(kept.read_text())
    kept.write_text(json.dumps({**record, "listing": "GPU 0: Kept (UUID: GPU-kept)"}))
    assert [d.name for d in slots.accelerators(machine.env)] == ["Kept"]
    kept.write_text(json.dumps({**record, "at": time.time() - 3600, "listing": "old"}))
    assert [d.name for d in slots.accelerators(machine.env)] == ["NVIDIA H200", "NVIDIA H200"]


def test_slices_of_a_gpu_are_devices_of_their_own(machine, tmp_path):
    listing = (
        "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aa)\n"
        "  MIG 1g.10gb     Device  0: (UUID: MIG-11)\n"
        "  MIG 1g.10gb     Device  1: (UUID: MIG-22)\n"
        "GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-bb)\n"
    )
    (tmp_path / "bin/nvidia-smi").write_text(f"#!/bin/sh\ncat <<'END'\n{listing}END\n")
    found = {device.key: device.name for device in slots.accelerators(machine.env)}
    assert found == {
        "MIG-11": "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        "MIG-22": "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        "GPU-bb": "NVIDIA H100 80GB HBM3",
    }


def test_the_shared_folder_is_anybodys_and_a_useless_one_is_refused(tmp_path):
    folder = slots.shared_folder({"LAB_SLOTS_DIR": str(tmp_path / "new/slots")})
    assert folder.stat().st_mode & 0o7777 == 0o1777
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.Environment, match="cannot keep device locks") as refusal:
        slots.shared_folder({"LAB_SLOTS_DIR": str(tmp_path / "file/slots")})
    assert "LAB_SLOTS_DIR" in refusal.value.hint


def test_a_lock_file_of_a_narrow_umask_can_still_be_locked_by_others(machine, tmp_path):
    before = os.umask(0o077)
    try:
        machine.queue().ticket(campaign="a", label="e1/0", kind="cpu").close()
    finally:
        os.umask(before)
    assert (tmp_path / "home/slots/device-cpu0.lock").stat().st_mode & 0o777 == 0o644
