"""Runs held by Landlock, where a machine has no namespaces: tricks by a training script."""

import ctypes
import errno
import json
import os
import platform
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from test_confinement import _alive, _until, note, record, run, seen
from toy import EVALUATE, LEAF, TRAIN, Toy

from lab.confine import landlock, methods
from lab.confine.system_calls import libc

HERE = methods._best("landlock").confines
pytestmark = pytest.mark.skipif(not HERE, reason="no Landlock here: lab doctor says why")
WAY = "landlock"
PREPARE = """
import os, pathlib
(pathlib.Path(os.environ['LAB_CACHE_DIR']) / 'data.txt').write_text('words')
(pathlib.Path(os.environ['LAB_HELD_OUT_DIR']) / 'secret.txt').write_text('truth')
"""
# Tries each path and writes down what could be read of it or written to it.
TRY = """
    def can(do):
        try: do()
        except OSError as error: return error.errno
        return True
    def look(path): return os.listdir(path) if os.path.isdir(path) else open(path).read()
    def read(path): return can(lambda: look(path))
    def write(path): return can(lambda: open(path, 'a').write('x'))
    def empty(path): return can(lambda: os.truncate(path, 0))
    def remove(path): return can(lambda: os.unlink(path))
"""


def tried(toy: Toy, paths: list[Path], **files: str) -> dict:
    """Return what a training could do to paths: True, or what kept it from it."""
    words = (
        "{p: [read(p), write(p), empty(p), remove(p)] for p in " + repr([*map(str, paths)]) + "}"
    )
    found = run(toy, TRY + note(words), WAY, **files)
    assert found["status"] == "finished", found["detail"]
    return seen(found)


def test_nobody_elses_work_can_be_read_changed_or_removed(toy: Toy) -> None:
    home = Path(toy.environ()["HOME"])
    (home / "thesis.tex").write_text("years")
    bobs = toy.campaign("bob")
    run(toy, "", WAY)
    earlier = toy.root / ".lab/runs/e1/1/model.json"
    private = [home / "thesis.tex", bobs / "train.py", earlier, toy.root / ".git/config"]
    private += [toy.root / ".lab/notebook.db", toy.root / "toy/evaluate.py"]
    found = tried(toy, private)
    assert found == {str(path): [errno.EACCES] * 4 for path in private}
    assert all(path.stat().st_size for path in private)
    assert record(toy)["confined"] == WAY
    assert record(toy)["landlock_abi"] == landlock.version()
    assert ", by Landlock" in toy.here("show", "e1").out
    assert toy.lab("doctor").code == 0


def test_folders_that_hold_what_is_private_cannot_be_listed(toy: Toy) -> None:
    folders = [toy.root, toy.root / ".lab", toy.root / ".lab/runs", toy.root.parent]
    found = tried(toy, [*folders, Path("/"), Path("/tmp"), Path("/dev/shm")])
    assert {path: row[0] for path, row in found.items() if row[0] is True} == {}


def test_what_is_held_out_is_for_the_yardstick_alone(toy: Toy) -> None:
    table = LEAF.replace("budget_s = 5", 'prepare = ["python", "prepare.py"]\nbudget_s = 5')
    (toy.leaf(toml=table) / "prepare.py").write_text(PREPARE)
    look = "(Path(os.environ['LAB_HELD_OUT_DIR']) / 'secret.txt').read_text()"
    evaluate = EVALUATE.replace("print(f", f"assert {look} == 'truth'\nprint(f")
    secret = (
        "str(next(Path(os.environ['LAB_CACHE_DIR']).parent / (Path(os.environ['LAB_CACHE_DIR'])"
    )
    secret += ".name + '.held-out') / name for name in ['secret.txt']))"
    looks = TRY + note("{'held out': read(" + secret + ")}")
    found = run(toy, looks, WAY, toml=table, evaluate=evaluate)
    assert found["status"] == "finished", found["detail"]
    assert seen(found) == {"held out": errno.EACCES}
    spoil = "    (Path(os.environ['LAB_CACHE_DIR']) / 'data.txt').write_text('mine')\n"
    assert run(toy, spoil, WAY, toml=table, evaluate=evaluate)["failure"] == "tampered"


def test_temporary_files_and_home_are_fresh_for_each_command_and_go_with_the_run(toy: Toy) -> None:
    places = "{name: os.environ[name] for name in ('TMPDIR', 'HOME', 'LAB_SCRATCH_DIR')}"
    more = "    import tempfile; open(tempfile.mkstemp()[1], 'w').write('mine')\n"
    more += "    (Path(os.environ['HOME']) / '.config').mkdir()\n" + note(places)
    left = "[*Path(os.environ['TMPDIR']).glob('tmp*'), *Path.home().glob('.config')]"
    evaluate = EVALUATE.replace("print(f", f"assert {left} == []\nprint(f")
    found = run(toy, more, WAY, evaluate=evaluate)
    assert found["status"] == "finished", found["detail"]
    used = seen(found)
    assert used["HOME"] != toy.environ()["HOME"]
    assert used["LAB_SCRATCH_DIR"] == f"{used['TMPDIR']}/scratch"
    assert [path for path in used.values() if os.path.exists(path)] == []
    assert list(Path(toy.environ()["HOME"]).iterdir()) == []


def test_a_model_cache_in_the_home_folder_is_found_and_only_read(toy: Toy) -> None:
    cache = Path(toy.environ()["HOME"]) / ".cache/huggingface"
    cache.mkdir(parents=True)
    (cache / "model").write_text("weights")
    there = "os.path.expanduser('~/.cache/huggingface/model')"
    looks = TRY + note("{'read': read(" + there + "), 'write': write(" + there + ")}")
    assert seen(run(toy, looks, WAY)) == {"read": True, "write": errno.EACCES}


def test_workers_shared_memory_and_pipes_work(toy: Toy) -> None:
    more = """
    import multiprocessing, multiprocessing.shared_memory as memory, subprocess, tempfile
    for how in ("fork", "spawn"):
        with multiprocessing.get_context(how).Pool(2) as pool:
            assert pool.map(abs, [-1, -2]) == [1, 2]
    with multiprocessing.Manager() as manager:
        assert list(manager.list([1])) == [1]
    block = memory.SharedMemory(create=True, size=8)
    block.close(), block.unlink()
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nothing:
        os.mkdir(folder + "/a"), os.mkdir(folder + "/b"), open(folder + "/a/x", "w").close()
        os.rename(folder + "/a/x", folder + "/b/x")
        subprocess.run(["sh", "-c", "echo one > two"], cwd=folder, stdout=nothing, check=True)
"""
    found = run(toy, more, WAY, toml=LEAF.replace('"-S", "train.py"', '"train.py"'))
    assert found["status"] == "finished", found["detail"]


CONNECT = """
    import socket
    def opened(kind, *address):
        try:
            with socket.socket(socket.AF_INET, kind) as one: one.connect(address)
        except OSError as error: return error.errno
        return True
"""


@pytest.mark.parametrize("declared", [True, False])
def test_a_run_has_the_network_that_its_leaf_declares(toy: Toy, declared: bool) -> None:
    table = LEAF.replace("budget_s = 5", f"network = {str(declared).lower()}\nbudget_s = 5")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        kinds = ("STREAM", "DGRAM")
        tries = [f"opened(socket.SOCK_{kind}, '127.0.0.1', {port})" for kind in kinds]
        found = seen(run(toy, CONNECT + note(f"[{', '.join(tries)}]"), WAY, toml=table))
    assert found == ([True, True] if declared else [errno.ENETUNREACH] * 2)


def test_a_run_that_needs_a_network_is_told_where_to_say_so(toy: Toy) -> None:
    found = run(toy, "    __import__('socket').create_connection(('192.0.2.1', 9), 2)\n", WAY)
    assert "network = true" in found["detail"]["hint"]


@pytest.mark.skipif(HERE and landlock.version() < 6, reason="no Landlock here that holds signals")
def test_a_run_signals_nobody_but_its_own(toy: Toy) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        pids = f"(os.getppid(), {other.pid}, {os.getpid()}, 1)"
        tries = f"[can(lambda: os.kill(pid, 0)) for pid in {pids}]"
        looks = TRY + "    child = os.fork() or os._exit(0)\n"
        found = seen(run(toy, looks + note(f"[*{tries}, can(lambda: os.kill(child, 0))]"), WAY))
        other.kill()
    assert found == [errno.EPERM] * 4 + [True]


def test_a_run_looks_into_no_other_process_and_limits_none(toy: Toy) -> None:
    looks = "    import resource\n" + TRY
    looks += "    def limit(pid): return can(lambda: resource.prlimit(pid, resource.RLIMIT_CPU))\n"
    looks += note(
        "{'environ': read(f'/proc/{os.getppid()}/environ'), 'limit': limit(os.getppid()), "
        "'own': limit(0)}"
    )
    found = seen(run(toy, looks, WAY))
    assert found == {"environ": errno.EACCES, "limit": errno.EPERM, "own": True}


def test_a_run_gains_no_capability_and_mounts_nothing(toy: Toy) -> None:
    looks = TRY + note(
        "{'caps': [line.split()[1] for line in open('/proc/self/status') if 'Cap' in line], "
        "'mount': __import__('ctypes').CDLL(None).mount(b'none', b'/mnt', b'tmpfs', 0, b'')}"
    )
    assert seen(run(toy, looks, WAY)) == {"caps": ["0" * 16] * 5, "mount": -1}


# -- Which way is taken ------------------------------------------------------------

RESTRICT = (
    "import sys; sys.path.insert(0, {tests!r}); import test_landlock, os; "
    "test_landlock.refuse({calls!r}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
MOUNT, UNSHARE, CREATE_RULESET = 165, 272, landlock.CREATE_RULESET  # of x86_64
on_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="no Landlock here by number")


def refuse(calls: list[int]) -> None:
    """Refuse system calls to this process and all below, as the sandboxes of containers do."""
    lines = [(landlock.LOAD, 0, 0, landlock.NUMBER)]
    lines += [(landlock.IF_EQUAL, len(calls) - place, 0, call) for place, call in enumerate(calls)]
    lines += [
        (landlock.RETURN, 0, 0, landlock.ALLOW),
        (landlock.RETURN, 0, 0, 0x50000 | errno.EPERM),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in lines))
    libc.prctl(38, 1, 0, 0, 0)  # no new privileges
    words = struct.pack("HP", len(lines), ctypes.addressof(program))
    assert libc.prctl(landlock.PR_SET_SECCOMP, landlock.MODE_FILTER, words, 0, 0) == 0


def doctor(toy: Toy, *calls: int, **env: str) -> str:
    """Return what `lab doctor` says of confinement where system calls are refused."""
    words = RESTRICT.format(tests=str(Path(__file__).parent), calls=[*calls])
    argv = [sys.executable, "-c", words, "-P", "-m", "lab", "doctor"]
    env = {**toy.environ(**env), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(argv, cwd=toy.root, env=env, capture_output=True, text=True, check=True)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("confinement"))
    return line


@on_x86
def test_landlock_is_taken_where_namespaces_are_refused_and_the_doctor_says_why(toy: Toy) -> None:
    line = doctor(toy, MOUNT, UNSHARE)
    assert "landlock (" in line
    assert "unshare: enter: " in line


@on_x86
def test_a_kernel_without_landlock_is_told_by_its_name(toy: Toy) -> None:
    line = doctor(toy, CREATE_RULESET, LAB_CONFINE="landlock")
    assert "none (landlock: " in line
    assert "this kernel has no Landlock" in line


def test_the_program_says_what_keeps_it_from_working() -> None:
    words = [sys.executable, "-I", "-S", str(methods.LANDLOCK), "--chdir", "/nowhere", "--", "true"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("landlock: ")


def test_a_killed_supervisor_leaves_no_temporary_folder(toy: Toy) -> None:
    more = note("os.environ['TMPDIR']") + "    import time; time.sleep(60)\n"
    toy.leaf(train=TRAIN.replace('    print("trained")\n', more))
    toy.commit("long")
    toy.lab("run", "--baseline", "--leaf", "toy", "--detach", code=5, LAB_CONFINE=WAY)
    told = toy.root / ".lab/runs/e1/1/seen.json"
    _until(lambda: told.exists() and told.read_text())
    folder = json.loads(told.read_text())
    assert os.path.isdir(folder)
    (keeper,) = (
        pid
        for pid in _alive(b"lab.run.supervisor")
        if str(toy.root).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(int(keeper), 9)
    _until(lambda: not _alive(f"LAB_RUN_DIR={told.parent}".encode()))
    toy.lab("status")
    assert not os.path.exists(folder)
