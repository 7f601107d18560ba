"""`lab timing`: where a run's time went, as the harness saw it or as the training says."""

import json
from pathlib import Path
from typing import Any

import nights
import pytest
from nights import Idea
from test_pace import WORKS
from toy import EVALUATE, LEAF, Quick, Toy

IMPORTS = ("    random.seed(", "    time.sleep(1.5)\n    random.seed(")
LONGER = ("process_time() < 3", "process_time() < 4.5")  # seen late on a busy machine
SAID = {"startup_s": 1.25, "num_steps": 300.0, "cpu_s": 20.0, "wall_s": 25.0}


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A repository whose e1 sleeps before its steps, and e2 does all of them in one."""
    root = tmp_path_factory.mktemp("timed") / "repo"
    root.mkdir()
    toy = Toy(root)
    toy.git("init", "-q", "-b", "main")
    text = WORKS.replace(*LONGER).replace(*IMPORTS, 1)
    toy.leaf(
        toml=LEAF.replace("budget_s = 5", "budget_s = 120").replace("out_s = 30", "out_s = 150"),
        train=text,
        evaluate=EVALUATE + "import time\ntime.sleep(0.5)\n",
    )
    toy.commit("a leaf that takes its time")
    toy.lab("run", "--baseline", cwd=root / "toy")
    where = toy.campaign()
    (where / "train.py").write_text(text.replace("while time.process_time() < 4.5", "if step == 0"))
    toy.lab("run", toy.idea(cwd=where), cwd=where)
    return toy


def test_a_training_without_a_pace_says_why_it_has_none(ready: Toy) -> None:
    said = ready.here("timing", "e1").out
    assert "steps per second are not known: the step log was not seen to grow twice" in said
    assert "steps per CPU second" not in said


def spent(toy: Toy, *words: str) -> Any:
    """Return what `lab timing` prints."""
    return toy.here("timing", *words, "--json").json


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="CPU seconds are found through /proc")
def test_stages_are_told_apart_and_add_up(timed: Toy) -> None:
    found = spent(timed, "e1")
    mine = found["mine"]
    assert (found["theirs"], mine["seed"]) == (None, 0)
    assert mine["startup_s"] > 1.4
    assert mine["evaluation_s"] > 0.5
    assert mine["steps_s"] > 1.5
    stages = ("setup_s", "startup_s", "steps_s", "evaluation_s", "rest_s")
    assert sum(mine[name] for name in stages) == pytest.approx(mine["seconds"])
    assert mine["steps_per_cpu_s"] * mine["cpu_s"] == pytest.approx(mine["steps"], rel=0.3)
    assert mine["steps_per_s"] <= 1.05 * mine["steps_per_cpu_s"]


def test_it_stands_beside_the_incumbent_s(timed: Toy) -> None:
    found = spent(timed, "e2")
    mine, theirs = found["mine"], found["theirs"]
    assert (found["against"], theirs["experiment"], theirs["seed"]) == ("e1", "e1", 0)
    assert (mine["steps"], mine["steps_per_cpu_s"]) == (1, None)  # too few to tell
    lines = timed.here("timing", "e2").out.splitlines()
    assert lines[0].split() == ["e2", "seed", "0", "e1", "seed", "0"]
    (last,) = (line for line in lines if line.startswith("last step"))
    assert last.split()[2:] == ["1", f"{theirs['steps']:,.0f}"]
    assert spent(timed, "e1", "e2")["theirs"] == mine


def test_where_nobody_saw_the_steps_the_training_s_own_word_counts(quick: Quick) -> None:
    records = list(nights.records([Idea(verdict=None)], "toy", baseline=True))
    for row in [row for row in records if row["table"] == "runs"]:
        row |= {"train_wall_s": 30.0, "setup_s": 2.0, "machine": '{"eval_s": 3.0}'}
        told = (
            {"run": row["uid"], "name": n, "source": "train", "value": v} for n, v in SAID.items()
        )
        records += [{"table": "metrics", **one} for one in told]
    tables = (*nights.TABLES, "metrics")
    records.sort(key=lambda row: tables.index(row["table"]))
    file = quick.root.parent / "night.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in records))
    quick.lab("import", str(file))
    mine = spent(quick, "e2")["mine"]
    assert [mine[name] for name in ("startup_s", "steps_s", "rest_s")] == [1.25, 28.75, 25.0]
    assert (mine["steps_per_cpu_s"], mine["steps_per_s"], mine["wall_per_cpu_s"]) == (15, 12, 1.25)


def test_a_run_elsewhere_has_no_timing(quick: Quick) -> None:
    nights.write(quick, [Idea(verdict=None)])
    assert "e2 has no run here that ended" in quick.lab("timing", "e2", code=3).err
