"""`[mirror]`: steps and results where people already look, and never in the way of a run."""

import json
import socket
import sqlite3
import struct
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hopeless import pruning, tried
from test_sealed import kept, measured
from toy import LEAF, Toy, make, slope

from lab.confine import methods

SOON = {"LAB_MIRROR_LOOK_S": "0.05"}
# Logs four steps, and the rest as soon as the file PATH is there.
HELD = """\
    import time
    with (run / "steps.jsonl").open("w", buffering=1) as log:
        for step in range(1, 41):
            log.write(json.dumps({"step": step, "elapsed_s": step / 10, "loss": 1 / step}) + "\\n")
            while step == 4 and not Path("PATH").exists():
                time.sleep(0.05)
"""


def held(toy: Toy) -> Path:
    """Return the file that lets trainings of the leaf go on to their end."""
    go, train = toy.root.parent / "go", (toy.root / "toy/train.py").read_text()
    told = HELD.replace("PATH", str(go))
    toml = LEAF.replace("budget_s = 5", "budget_s = 250").replace(
        "timeout_s = 30", "timeout_s = 300"
    )
    toy.leaf(train=train.replace('    print("', f'{told}    print("'), toml=toml)
    toy.commit("held")
    toy.env["LAB_CONFINE"] = "none"  # else it could not see the file
    return go


def mirrored(toy: Toy, *targets: str, more: str = "") -> Toy:
    """Write `[mirror]` into the person's own settings."""
    own = toy.root.parent / "home/.config/lab/config.toml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(f"[mirror]\nto = {json.dumps(targets)}\n{more}")
    toy.env |= SOON
    return toy


def keepers(toy: Toy, module: str = "lab.mirror.keeper") -> list[str]:
    """Return the processes of mirrors of this repository."""
    listed = subprocess.run(["ps", "-ewwo", "pid,args"], capture_output=True, text=True).stdout
    rows = [line for line in listed.splitlines() if module in line and str(toy.root) in line]
    return [line.split()[0] for line in rows]


def until(what: Callable[[], Any], patience_s: float = 60.0) -> Any:
    """Wait until something is there, and return it."""
    deadline = time.monotonic() + patience_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


def settled(toy: Toy) -> Path:
    """Wait until all is mirrored; return the mirror's folder."""
    until(lambda: not keepers(toy))
    return toy.root / ".lab/mirror"


def board(folder: Path, run: str) -> Any:
    """Read a run back as TensorBoard does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(folder / "tensorboard" / run))
        found.Reload()
    return found


def scalars(folder: Path, run: str, name: str) -> list[tuple[int, float]]:
    """Return the points of a curve, as far as there are any by now."""
    if not (folder / "tensorboard" / run).is_dir():
        return []
    found = board(folder, run)
    told = found.Tags()["scalars"]
    return [(one.step, one.value) for one in found.Scalars(name)] if name in told else []


def texts(folder: Path, run: str) -> dict[str, str]:
    """Return the texts of a run, the newest of each name."""
    found = board(folder, run)
    names = [name for name in found.Tags()["tensors"] if not name.startswith("_")]
    return {name: found.Tensors(name)[-1].tensor_proto.string_val[0].decode() for name in names}


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask Trackio's own file."""
    with sqlite3.connect(folder / "trackio/repo.db") as db:
        return db.execute(query).fetchall()


# -- TensorBoard ---------------------------------------------------------------


def test_tensorboard_sees_the_curve_grow_then_result_and_verdict(toy: Toy) -> None:
    folder, go = toy.root / ".lab/mirror", held(toy)
    go.touch()
    mirrored(toy, "tensorboard").lab("run", "--baseline", "--seeds", "2", cwd=toy.root / "toy")
    where = toy.campaign()
    (where / "train.py").write_text((where / "train.py").read_text().replace("= 1.0", "= 3.0"))
    idea = toy.idea("a slope of 3", cwd=where)
    go.unlink()
    running = toy.start("run", idea, "--json", cwd=where)
    until(lambda: len(scalars(folder, "toy/e2/seed0", "loss")) == 4)
    assert running.poll() is None  # a person sees it grow
    go.touch()
    value = json.loads(running.communicate()[0])["value"]
    toy.lab("result", "e2", "-v", "keep", cwd=where)
    settled(toy)
    assert scalars(folder, "toy/e2/seed0", "loss")[-1] == (40, pytest.approx(1 / 40))
    assert scalars(folder, "toy/e2/seed0", "result/loss") == [(40, pytest.approx(value))]
    assert scalars(folder, "toy/e2/seed0", "result/gain")[0][1] > 3
    told = texts(folder, "toy/e2/seed0")
    assert (told["status"], told["suggested"], told["verdict"]) == ("finished", "keep", "keep")
    head = toy.git("rev-parse", "refs/lab/e2")
    for fact in ("SLOPE: 3.0", f"commit: {head}", "claim: a slope of 3", "mechanism: the truth is"):
        assert fact in told["config"]
    assert scalars(folder, "toy/e1/seed1", "result/loss")
    assert not keepers(toy, "lab.mirror.follower")


def test_a_run_that_crashed_is_told_with_its_failure(ready: Toy) -> None:
    where = mirrored(ready, "tensorboard").campaign()
    slope(where, 2.0, '    raise RuntimeError("no")\n')
    ready.lab("run", ready.idea(cwd=where), "--no-dry-run", cwd=where, code=None)
    told = texts(settled(ready), "toy/e2/seed0")
    assert (told["status"], told["verdict"]) == ("bug", "crash")
    assert scalars(ready.root / ".lab/mirror", "toy/e2/seed0", "loss") == [(1, 1.0)]


def test_a_run_that_was_pruned_keeps_the_curve_it_had(tmp_path: Path) -> None:
    toy = mirrored(pruning(tmp_path), "tensorboard")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    tried(toy, toy.campaign(), -1.0, code=1)
    folder = settled(toy)
    told = texts(folder, "toy/e2/seed0")
    assert (told["status"], told["verdict"]) == ("pruned", "discard")
    assert 5 <= len(scalars(folder, "toy/e2/seed0", "train_loss")) < 11


def test_a_run_whose_supervisor_was_killed_ends_in_the_mirror_too(toy: Toy) -> None:
    held(toy)
    running = mirrored(toy, "tensorboard").start("run", "--baseline", cwd=toy.root / "toy")
    until(lambda: scalars(toy.root / ".lab/mirror", "toy/e1/seed0", "loss"))
    subprocess.run(["kill", "-9", str(toy.supervisor())], check=True)
    running.communicate()
    assert texts(settled(toy), "toy/e1/seed0")["status"] == "lost"
    assert not keepers(toy, "lab.mirror.follower")


WILD = """\
    (run / "steps.jsonl").unlink()
    with (run / "steps.jsonl").open("w") as log:
        odd = {"bad": float("nan"), "list": [1], "word": "z", "n" * 500: 1, "a\\x1b[31mb": 2}
        many = dict.fromkeys(map(str, range(500)), 1)
        log.write(json.dumps({"step": 1, "ok": 1.5, **odd, **many}))
        log.write('\\n{"step": -3, "ok": 7}\\n{"step": 1e30, "ok": 7}\\nnonsense\\n[1]\\n')
        for step in range(2, 200_000):
            log.write(json.dumps({"step": step, "ok": step}) + "\\n")
        log.write('{"step": 7, "ok": 1')
"""


def test_whatever_a_script_logs_is_bounded(toy: Toy) -> None:
    train = (toy.root / "toy/train.py").read_text()
    toy.leaf(train=train.replace('    print("trained")', f'{WILD}    print("trained")'))
    toy.commit("wild")
    mirrored(toy, "tensorboard").lab("run", "--baseline", cwd=toy.root / "toy")
    folder = settled(toy)
    names = board(folder, "toy/e1/seed0").Tags()["scalars"]
    assert 200 <= len(names) < 210
    assert not [name for name in names if "\x1b" in name or len(name) > 120]
    ok = [step for step, _ in scalars(folder, "toy/e1/seed0", "ok")]
    assert (ok[0], max(ok) < 200_000) == (1, True)
    assert 1_000 < len(ok) <= 10_000  # EventAccumulator itself keeps ten thousand
    assert not list(folder.glob("*.fault"))


def test_a_link_in_the_place_of_the_log_is_not_followed(toy: Toy) -> None:
    train = (toy.root / "toy/train.py").read_text()
    link = (
        '    (run / "steps.jsonl").unlink()\n    (run / "steps.jsonl").symlink_to("/tmp/there")\n'
    )
    toy.leaf(train=train.replace('    print("trained")', f'{link}    print("trained")'))
    toy.commit("a link")
    mirrored(toy, "tensorboard").lab("run", "--baseline", cwd=toy.root / "toy", code=None)
    assert "status" in texts(settled(toy), "toy/e1/seed0")


# -- Trackio -------------------------------------------------------------------


def test_trackio_has_each_run_by_name_with_its_config(toy: Toy) -> None:
    mirrored(toy, "trackio").lab("run", "--baseline", "--seeds", "2", cwd=toy.root / "toy")
    where = toy.campaign()
    slope(where, 3.0)
    toy.lab("run", toy.idea(cwd=where), cwd=where, TRACKIO_SPACE_ID="me/mine", HF_TOKEN="hf_secret")
    toy.lab("result", "e2", "-v", "keep", cwd=where)
    folder = settled(toy)
    told = rows(folder, "select run_name, step, metrics from metrics order by id")
    assert sorted(row[:2] for row in told if b'"loss":1.0' in row[2]) == [
        *(("toy/e1/seed0", 1), ("toy/e1/seed1", 1), ("toy/e2/seed0", 1)),
    ]
    result = next(json.loads(row[2]) for row in told if row[0] == "toy/e2/seed0" and row[1] == 1)
    assert result == {"elapsed_s": 0.1, "loss": 1.0}
    found = {
        row[0]: json.loads(row[1]) for row in rows(folder, "select run_name, config from configs")
    }
    known = found["toy/e2/seed0"]
    assert (known["SLOPE"], known["seed"], known["verdict"]) == (3.0, 0, "keep")
    assert (known["status"], known["_Group"], known["_Username"]) == ("finished", "e2", None)
    assert b"hf_secret" not in (folder / "trackio/repo.db").read_bytes()


def test_trackio_goes_where_the_person_says(toy: Toy, tmp_path: Path) -> None:
    mirrored(toy, "trackio", more='project = "my runs"\n')
    toy.lab("run", "--baseline", cwd=toy.root / "toy", TRACKIO_DIR=str(tmp_path / "mine"))
    settled(toy)
    assert [path.name for path in (tmp_path / "mine").glob("*.db")] == ["my_runs.db"] or list(
        (tmp_path / "mine").glob("*runs*.db")
    )
    assert not (toy.root / ".lab/mirror/trackio").exists()


# -- W&B -----------------------------------------------------------------------


def records(path: Path) -> Iterator[Any]:
    """Read what W&B keeps for `wandb sync`: records in blocks of 32 kB, as LevelDB logs have."""
    from wandb.proto import wandb_internal_pb2

    data, at, whole = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        left = 0x8000 - at % 0x8000
        if left < 7:
            at += left
            continue
        size, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            found = wandb_internal_pb2.Record()
            found.ParseFromString(whole)
            yield found
            whole = b""


def test_wandb_is_written_offline_and_tells_nothing_more(toy: Toy) -> None:
    mirrored(toy, "wandb").lab("run", "--baseline", cwd=toy.root / "toy")
    folder = settled(toy)
    (path,) = (folder / "wandb/wandb").glob("offline-run-*/*.wandb")
    told = list(records(path))
    run = next(one.run for one in told if one.HasField("run"))
    assert (run.display_name, run.run_group, run.project) == ("toy/e1/seed0", "e1", "repo")
    assert (run.host, run.git.remote_url) == ("", "")
    config = {one.key: json.loads(one.value_json) for one in run.config.update}
    assert (config["SLOPE"], config["leaf"], config["kind"]) == (1.0, "toy", "baseline")
    steps = [{i.key or "/".join(i.nested_key): i.value_json for i in one.history.item}
             for one in told if one.HasField("history")]  # fmt: skip
    assert [row["loss"] for row in steps] == ["1"] or [float(row["loss"]) for row in steps] == [1.0]
    last = {i.key or "/".join(i.nested_key): i.value_json
            for one in told if one.HasField("summary") for i in one.summary.update}  # fmt: skip
    assert float(last["result/loss"]) > 3
    assert last["status"] == '"finished"'
    kinds = {one.WhichOneof("record_type") for one in told}
    assert not kinds & {"output", "output_raw", "stats", "files", "environment"}
    assert socket.gethostname().encode() not in path.read_bytes()


# -- Never in the way ----------------------------------------------------------

HANGS = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)\n"
SPINS = "while True:\n    pass\n"
RAISES = "def init(**kwargs):\n    raise RuntimeError('no\\nmore')\n"
LATER = "def init(**kwargs): pass\ndef log(*a, **k): raise OSError('disk')\ndef finish(): pass\n"
DIES = "import os\nos.kill(os.getpid(), 9)\n"
WHILES = {
    "hangs": (HANGS, "took nothing in for 8 s"),
    "raises": (RAISES, "RuntimeError: no"),
    "raises at each step": (LATER, "OSError: disk"),
    "dies": (DIES, "its process ended by signal 9"),
}
UNLIKE = {"at", "uid", "started", "ended", "seconds", "train_wall_s", "setup_s", "waited_s", "log"}
UNLIKE |= {"machine", "worktree", "commit", "parent", "restore", "keeper", "logs", "versions"}


def record(toy: Toy) -> list[dict[str, Any]]:
    """Return what the notebook holds of runs, metrics and judgements, but for times and paths."""
    db = sqlite3.connect(toy.root / ".lab/notebook.db")
    db.row_factory = sqlite3.Row
    names = ("runs", "metrics", "judgements", "results", "experiments", "jobs")
    found = [dict(row) for name in names for row in db.execute(f"select * from {name}")]
    db.close()
    return [{k: v for k, v in row.items() if k not in UNLIKE} for row in found]


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The record of a baseline that nothing mirrors."""
    toy = make(tmp_path_factory.mktemp("without"))
    toy.lab("run", "--baseline", "--seeds", "2", cwd=toy.root / "toy")
    return record(toy)


@pytest.mark.parametrize("what", WHILES)
def test_a_mirror_that_fails_changes_no_run(
    toy: Toy, tmp_path: Path, without: list[dict[str, Any]], what: str
) -> None:
    package, told = WHILES[what]
    (tmp_path / "other").mkdir()
    (tmp_path / "other/trackio.py").write_text(package)
    mirrored(toy, "trackio", "tensorboard")
    other = f"{tmp_path / 'other'}:{Path(__file__).parent.parent}"
    env = {"PYTHONPATH": other, "LAB_MIRROR_GRACE_S": "8"}
    toy.lab("run", "--baseline", "--seeds", "2", cwd=toy.root / "toy", **env)
    if what == "hangs":
        assert keepers(toy)  # nobody waited for it, and nobody has to
        db = sqlite3.connect(toy.root / ".lab/notebook.db", timeout=0, isolation_level=None)
        db.execute("begin immediate")
        db.close()
    assert record(toy) == without
    folder = settled(toy)
    assert not keepers(toy, "lab.mirror.follower")
    assert scalars(folder, "toy/e1/seed1", "result/loss")  # the other one had them all
    note, where = toy.here("config").err.splitlines()
    assert note.startswith("note: [mirror] did not reach trackio: toy/e1/seed")
    assert told in note
    assert where.endswith(".lab/mirror/trackio.log")
    assert [told in one for one in toy.here("doctor", "--json").json["notes"]] == [True]
    assert f"{note}\n{where}\n" in toy.here("doctor").out
    if what == "raises":
        toy.lab("run", "e1", cwd=toy.root / "toy")  # with the real one
        settled(toy)
        assert toy.here("config").err == ""


def test_what_a_mirror_uses_is_never_the_runs(toy: Toy, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    spin = "import os, subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'while 1: pass'],"
    (tmp_path / "other/trackio.py").write_text(f"{spin} start_new_session=True)\n{SPINS}")
    sleeps = '    import time\n    time.sleep(3)\n    print("trained")'
    train = (toy.root / "toy/train.py").read_text().replace('    print("trained")', sleeps)
    toy.leaf(train=train)
    toy.commit("it sleeps")
    env = {"PYTHONPATH": f"{tmp_path / 'other'}:{Path(__file__).parent.parent}"}
    env["LAB_MIRROR_GRACE_S"] = "1"
    mirrored(toy, "trackio")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy", **env)
    with sqlite3.connect(toy.root / ".lab/notebook.db") as db:
        used = [json.loads(row[0])["cpu_s"] for row in db.execute("select machine from runs")]
    assert max(used) < 1.0  # the mirrors of seeds 0 and 1 spun for seconds, and were ended
    settled(toy)
    ps = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True).stdout
    assert "-c while 1: pass" not in ps


def test_a_package_that_is_missing_is_told_once_and_missed_by_no_run(
    toy: Toy, tmp_path: Path, without: list[dict[str, Any]]
) -> None:
    (tmp_path / "sitecustomize.py").write_text('import sys\nsys.modules["trackio"] = None\n')
    env = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parent.parent}"}
    mirrored(toy, "trackio", "tensorboard")
    toy.lab("run", "--baseline", "--seeds", "2", cwd=toy.root / "toy", **env)
    assert record(toy) == without
    assert scalars(settled(toy), "toy/e1/seed1", "loss")
    done = toy.lab("config", **env)
    assert done.err.splitlines() == [
        "note: [mirror] names trackio, which is not installed: runs go on without it.",
        "Install it: pip install 'labtree[trackio]'",
    ]


def test_settings_that_will_not_do_are_refused_where_a_person_types(
    toy: Toy, without: list[dict[str, Any]]
) -> None:
    own = toy.root / ".lab/config.toml"
    own.parent.mkdir(exist_ok=True)
    for line, said, hint in (
        (
            'to = ["tensorbord"]',
            "to = ['tensorbord'] will not do in [mirror]",
            'Write: to = ["tens',
        ),
        (
            'folder = "here"',
            "folder = 'here' will not do in [mirror]",
            'Write: folder = "~/metrics"',
        ),
        ("colour = 1", "no setting 'colour' in [mirror]", "There are: to, folder, project"),
        ('project = ""', "project = '' will not do", 'Write: project = "'),
    ):
        own.write_text(f"[mirror]\n{line}\n")
        refused = toy.here("config", code=4).err.splitlines()
        assert said in refused[0]
        assert refused[1].startswith(hint)
    toy.lab("run", "--baseline", "--seeds", "2", cwd=toy.root / "toy")
    assert record(toy) == without
    assert not (toy.root / ".lab/mirror").exists()
    assert "will not do in [mirror]" in toy.here("doctor", "--json").json["notes"][0]


def test_a_folder_that_cannot_be_written_stops_no_run(
    toy: Toy, tmp_path: Path, without: list[dict[str, Any]]
) -> None:
    (tmp_path / "file").write_text("")
    mirrored(toy, "tensorboard", more=f'folder = "{tmp_path / "file"}"\n')
    toy.lab("run", "--baseline", "--seeds", "2", cwd=toy.root / "toy")
    assert record(toy) == without
    settled(toy)
    assert "NotADirectoryError" in toy.here("config").err


@pytest.mark.skipif(
    not methods.best().confines, reason="this machine confines no run: lab doctor says why"
)
def test_a_run_sees_nothing_of_its_mirror(toy: Toy) -> None:
    mirrored(toy, "tensorboard").lab("run", "--baseline", cwd=toy.root / "toy")
    peek = (
        f'    assert not Path("{toy.root}/.lab/mirror/tensorboard").exists()\n'
        '    assert not [name for name in os.environ if "MIRROR" in name or "TRACKIO" in name]\n'
    )
    settled(toy)
    where = toy.campaign()
    slope(where, 2.0, peek)
    found = toy.lab("run", toy.idea(cwd=where), "--no-dry-run", "--json", cwd=where).json
    assert found["status"] == "finished"


def test_the_sealed_set_is_never_mirrored(toy: Toy) -> None:
    mirrored(toy, "tensorboard", "trackio")
    where = measured(toy)
    kept(toy, where)
    toy.lab("audit", cwd=where)
    folder = settled(toy)
    with sqlite3.connect(toy.root / ".lab/notebook.db") as db:
        found = [row[0] for row in db.execute("select value from sealed")]
    assert len(found) >= 4
    told = {json.dumps(v) for (m,) in rows(folder, "select metrics from metrics")
            for v in json.loads(m).values()}  # fmt: skip
    assert not told & {json.dumps(value) for value in found}
    runs = [path for path in (folder / "tensorboard/toy").glob("*/*") if path.is_dir()]
    assert len(runs) == 3 + 1 + len(found)
    for run in runs:
        values = [
            value
            for _, value in scalars(folder, f"toy/{run.parent.name}/{run.name}", "result/loss")
        ]
        assert values
        assert not [v for v in values for s in found if v == pytest.approx(s, rel=1e-6)]
