"""Confined runs: tricks played by a training script, through the CLI, by each way to confine."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy import EVALUATE, LEAF, TRAIN, Toy

from lab.confine import methods

HERE = [kind for kind in ("bwrap", "unshare", "landlock") if methods._best(kind).confines]
SPACES = [kind for kind in HERE if methods._best(kind).has_namespaces]
confined = pytest.mark.skipif(not HERE, reason="this machine confines no run: lab doctor says why")
each = pytest.mark.parametrize("way", HERE or ["none"])
in_spaces = pytest.mark.skipif(not SPACES, reason=confined.kwargs["reason"])
each_space = pytest.mark.parametrize("way", SPACES or ["none"])
CHEAP = {"LAB_INFRA_PAUSE_S": "0"}


def run(toy: Toy, more: str, way: str, **files: str) -> dict:
    """Run a baseline whose training does `more` at its end, confined in that way."""
    text = TRAIN.replace('    print("trained")\n', f'    print("trained")\n{more}')
    toy.leaf(train=text, **files)
    toy.git("add", "-A")
    toy.git("commit", "-q", "--allow-empty", "-m", "a trick")
    words = ("run", "--baseline", "--json", "--leaf", "toy")
    return toy.lab(*words, code=None, LAB_CONFINE=way, **CHEAP).json


def seen(found: dict) -> dict:
    """Return what the script wrote down of what it saw."""
    return json.loads((Path(found["log"]).parent / "seen.json").read_text())


def note(expression: str) -> str:
    return f"    (run / 'seen.json').write_text(json.dumps({expression}))\n"


def record(toy: Toy, name: str = "e1") -> dict:
    return json.loads(toy.lab("show", name, "--json").json["runs"][-1]["machine"])


@in_spaces
@each_space
def test_a_run_sees_its_own_folders_and_nobody_elses_work(toy: Toy, way: str) -> None:
    home = toy.root.parent / "home"
    home.mkdir(exist_ok=True)
    (home / "thesis.tex").write_text("years")
    toy.campaign("bob")
    looks = note(
        "{'main': os.listdir(" + repr(str(toy.root)) + "), 'lab': "
        "os.listdir(" + repr(str(toy.root / ".lab")) + "), 'home': os.listdir(os.environ['HOME']), "
        "'exports': sorted(os.listdir(Path.cwd().parent.parent)), 'tmp': os.listdir('/tmp'), "
        "'shm': os.listdir('/dev/shm'), 'pids': [p for p in os.listdir('/proc') if p.isdigit()], "
        "'runs': os.listdir(run.parent.parent)}"
    )
    found = run(toy, looks, way)
    assert found["status"] == "finished", found["detail"]
    looked = seen(found)
    assert looked["main"] == [".lab"]
    assert set(looked["lab"]) == {"runs", "cache"}
    assert looked["runs"] == ["e1"]
    assert looked["home"] == []
    assert [name for name in looked["exports"] if not name.endswith("-path")] == [
        Path(name).name for name in looked["exports"][:1]
    ]
    ours = [path.parts[2] for path in (toy.root, Path(sys.prefix)) if path.is_relative_to("/tmp")]
    assert set(looked["tmp"]) <= set(ours)
    assert len(looked["pids"]) <= 3  # the one that holds the namespace, the shell's place, itself
    assert record(toy)["confined"] == way


@confined
@each
@pytest.mark.parametrize(
    "trick",
    [
        "open({site!r} + '/planted.pth', 'w').write('import os')",
        "open({db!r}, 'a').write('x')",
        "open({git!r} + '/config', 'a').write('x')",
        "os.kill(os.getppid(), 9) if os.getppid() > 1 else open('/nowhere/x', 'w')",
        "__import__('socket').create_connection(('192.0.2.1', 9), 2)",
        "open('/etc/planted', 'w').write('x')",
    ],
    ids=["site-packages", "notebook", "git", "supervisor", "network", "system"],
)
def test_a_run_can_write_stop_or_reach_nothing_of_ours(toy: Toy, way: str, trick: str) -> None:
    import sysconfig

    words = trick.format(
        site=sysconfig.get_paths()["purelib"],
        db=str(toy.root / ".lab" / "notebook.db"),
        git=str(toy.root / ".git"),
    )
    found = run(toy, f"    {words}\n", way)
    assert found["failure"] == "bug" or found["status"] == "failed", found
    assert toy.lab("doctor").code == 0
    assert not Path("/etc/planted").exists()


@confined
@each
def test_the_second_export_and_earlier_artefacts_are_out_of_reach(toy: Toy, way: str) -> None:
    exports = "[str(p) for p in Path('/').glob('dev/shm/*/*/*/toy/evaluate.py')]"
    artefacts = "[str(p) for p in run.parent.parent.rglob('model.json') if p.parent != run]"
    looks = note(f"{exports} + {artefacts}")
    run(toy, "", way)
    found = run(toy, looks, way)
    assert len([path for path in seen(found) if path.endswith("evaluate.py")]) <= 1
    assert [path for path in seen(found) if path.endswith("model.json")] == []


@in_spaces
@each_space
def test_a_chain_of_forks_ends_with_the_run(toy: Toy, way: str) -> None:
    chain = f"""
    if os.fork() == 0:
        os.setsid()
        os.environ.clear()
        for _ in range(200):
            if os.fork(): os._exit(0)
            os.setsid()
            words = ['python', '-S', '-c', 'import time; time.sleep(97)']
            os.execv({sys.executable!r}, words)
"""
    assert run(toy, chain, way)["status"] == "finished"
    time.sleep(0.2)
    assert _alive(b"time.sleep(97)") == []


def _alive(mark: bytes) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "cmdline").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


@confined
@each
def test_a_run_that_is_killed_with_its_supervisor_leaves_nobody(toy: Toy, way: str) -> None:
    text = TRAIN.replace('    print("trained")\n', "    import time; time.sleep(96.5)\n")
    toy.leaf(train=text)
    toy.commit("long")
    toy.lab("run", "--baseline", "--leaf", "toy", "--detach", code=5, LAB_CONFINE=way)
    _until(lambda: (toy.root / ".lab/runs/e1/1/model.json").exists())
    (keeper,) = [
        pid
        for pid in _alive(b"lab.run.supervisor")
        if str(toy.root).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    children = _below(int(keeper))
    assert children
    os.kill(int(keeper), 9)
    _until(lambda: not any(map(_lives, children)))


def _below(pid: int) -> list[int]:
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(one for child in found for one in _below(child))]


def _lives(pid: object) -> bool:
    """Return whether a process is there and not only its exit status, which nobody may collect."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(true: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@confined
@each
def test_a_stopped_script_may_still_tidy_up(toy: Toy, way: str) -> None:
    more = """
    import signal, time
    signal.signal(signal.SIGTERM, lambda *_: ((run / 'tidied').write_text(''), os._exit(0)))
    (run / 'ready').write_text('')
    time.sleep(60)
"""
    toy.leaf(train=TRAIN.replace('    print("trained")\n', more))
    toy.commit("tidy")
    toy.lab("run", "--baseline", "--leaf", "toy", "--detach", code=5, LAB_CONFINE=way)
    _until(lambda: (toy.root / ".lab/runs/e1/1/ready").exists())
    toy.lab("stop", "e1", code=None)
    assert (toy.root / ".lab/runs/e1/1/tidied").exists()


@in_spaces
@each_space
def test_what_is_held_out_is_not_there_and_changed_data_are_found(toy: Toy, way: str) -> None:
    table = LEAF.replace("budget_s = 5", 'prepare = ["python", "prepare.py"]\nbudget_s = 5')
    folder = toy.leaf(toml=table)
    (folder / "prepare.py").write_text(
        "import os, pathlib\n"
        "(pathlib.Path(os.environ['LAB_CACHE_DIR']) / 'data.txt').write_text('truth')\n"
        "(pathlib.Path(os.environ['LAB_HELD_OUT_DIR']) / 'secret.txt').write_text('truth')\n"
    )
    cache = "Path(os.environ['LAB_CACHE_DIR'])"
    more = f"    assert list({cache}.parent.iterdir()) == [{cache}]\n"
    assert run(toy, more, way, toml=table)["status"] == "finished"
    found = run(toy, f"    ({cache} / 'data.txt').write_text('mine')\n", way, toml=table)
    assert found["failure"] == "tampered"


@confined
@each
def test_what_a_run_leaves_in_shared_memory_is_gone(toy: Toy, way: str) -> None:
    name = f"/dev/shm/left-{os.getpid()}"
    more = f"    open({name!r}, 'wb').write(bytes(50 << 20))\n"
    assert run(toy, more, way)["status"] == "finished"
    assert not Path(name).exists()


@confined
@each
def test_a_leaf_names_what_else_its_runs_see(toy: Toy, way: str, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("words")
    more = f"    assert open({str(tmp_path / 'corpus' / 'a.txt')!r}).read() == 'words'\n"
    found = run(toy, more, way)
    assert found["failure"] == "bug"
    assert f'[sandbox] read = ["{tmp_path}/corpus"]' in found["detail"]["hint"]
    table = LEAF + f'\n[sandbox]\nread = ["{tmp_path}/corpus"]\n'
    found = run(toy, more, way, toml=table)
    assert found["status"] == "finished", found["detail"]
    spoil = f"    open({str(tmp_path / 'corpus' / 'a.txt')!r}, 'w')\n"
    assert run(toy, spoil, way, toml=table)["failure"] == "bug"


@in_spaces
@each_space
@pytest.mark.parametrize("declared", [True, False])
def test_a_run_has_the_network_that_its_leaf_declares(toy: Toy, way: str, declared: bool) -> None:
    looks = note("os.listdir('/sys/class/net') and open('/proc/net/dev').read().count(':')")
    table = LEAF.replace("budget_s = 5", f"network = {str(declared).lower()}\nbudget_s = 5")
    interfaces = Path("/proc/net/dev").read_text().count(":")
    assert seen(run(toy, looks, way, toml=table)) == (interfaces if declared else 1)


# -- Everywhere --------------------------------------------------------------------


def test_a_run_that_is_not_confined_says_so_wherever_it_is_shown(toy: Toy) -> None:
    found = run(toy, "", "none")
    assert found["status"] == "finished"
    assert record(toy)["confined"] == "none"
    assert record(toy)["unconfined_because"]
    assert [one["confined"] for one in found["runs"]] == ["none"]
    assert "not confined" in toy.lab("show", "e1").out
    assert "none (LAB_CONFINE=none)" in toy.lab("doctor", LAB_CONFINE="none").out


def test_a_leaf_may_require_confined_runs(toy: Toy) -> None:
    toy.leaf(toml=LEAF + "\n[sandbox]\nrequire = true\n")
    toy.commit("it matters here")
    words = ("run", "--baseline", "--leaf", "toy")
    refused = toy.lab(*words, code=None, LAB_CONFINE="none")
    assert refused.code == 4 or refused.code == 6, refused
    assert "requires confined runs" in refused.err
    assert toy.lab("log", "--json").json in ([], {"experiments": []})


@pytest.mark.parametrize("way", [*HERE, "none"])
def test_variables_that_change_what_python_loads_reach_no_run(
    toy: Toy, way: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "print('---\\nloss: -9\\n---'); import os; os._exit(0)"
    )
    looks = note("{k: v for k, v in os.environ.items() if k.startswith(('PYTHON', 'LD_', 'MY_'))}")
    toy.leaf(
        train=TRAIN.replace('    print("trained")\n', looks),
        toml=LEAF.replace('"-S", ', ""),
        evaluate=EVALUATE,
    )
    toy.commit("variables")
    planted = {"PYTHONSTARTUP": "x", "LD_PRELOAD": "", "LD_LIBRARY_PATH": "/x", "MY_TOKEN": "s"}
    words = ("run", "--baseline", "--json", "--leaf", "toy")
    found = toy.lab(*words, LAB_CONFINE=way, **planted).json
    ours = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    assert set(seen(found)) <= ours


def test_a_module_on_the_callers_path_never_meets_the_yardstick(toy: Toy, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if os.environ.get('LAB_RUN_DIR') and 'evaluate.py' in ' '.join(sys.orig_argv):\n"
        "    print('---\\nloss: -9\\n---', flush=True); os._exit(0)\n"
    )
    toy.leaf(toml=LEAF.replace('"-S", ', ""))
    toy.commit("site")
    words = ("run", "--baseline", "--json", "--leaf", "toy")
    assert toy.lab(*words, PYTHONPATH=str(tmp_path)).json["value"] > 0


def test_enter_says_what_keeps_it_from_working() -> None:
    words = [sys.executable, "-I", "-S", str(methods.ENTER)]
    told = {"steps": [["read", "/nowhere"]], "devices": [], "network": False, "cwd": "/"}
    done = subprocess.run([*words, json.dumps(told), "true"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("enter: ")


@confined
@each
@pytest.mark.parametrize("name", ["HF_HOME", "PYTHONPATH"])
def test_no_variable_shows_a_run_what_is_private(toy: Toy, way: str, name: str) -> None:
    private = toy.root / ".lab" / "cache"
    private.mkdir(parents=True)
    (private / "secret").write_text("3")
    toy.env[name] = str(private)
    secret = repr(str(private / "secret"))
    looks = "    try: text = open(" + secret + ").read()\n    except OSError: text = ''\n"
    looks += note("{'seen': bool(text)}")
    assert seen(run(toy, looks, way)) == {"seen": False}
