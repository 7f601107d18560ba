"""A device that is not left waiting: scoring without it, and kernels that stay compiled."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from toy import LEAF, TRAIN, Toy

GPU = "#!/bin/sh\necho 'GPU 0: NVIDIA Made Up (UUID: GPU-aaaa)'\n"
SECONDS = 4  # that the yardstick takes
COMPILES = """\
    folder = os.environ["TORCHINDUCTOR_CACHE_DIR"]
    os.makedirs(folder, exist_ok=True)
    open(os.path.join(folder, f"kernel-{SLOPE}"), "a").close()
    print("on", os.environ["CUDA_VISIBLE_DEVICES"])
    print("trained")
"""
SCORES = f"""\
import os
import time
time.sleep({SECONDS})
print("scored on", repr(os.environ["CUDA_VISIBLE_DEVICES"]))
"""


def on_gpu(toy: Toy, tmp_path: Path, more: str = "") -> None:
    """Make the toy leaf one that trains on a made-up GPU, with `more` in its leaf.toml."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nvidia-smi").write_text(GPU)
    (folder / "nvidia-smi").chmod(0o755)
    toy.env["PATH"] = f"{folder}:{os.environ['PATH']}"
    toy.leaf(
        toml=f'needs = "gpu"\n{more}{LEAF}',
        train=TRAIN.replace('    print("trained")\n', COMPILES),
    )
    scorer = toy.root / "toy/evaluate.py"
    scorer.write_text(SCORES + scorer.read_text())
    toy.commit("on a GPU")
    toy.lab("run", "--baseline", "--leaf", "toy", "--profile", "gpu")


def runs(toy: Toy, experiment: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = toy.here("show", experiment, "--json").json["runs"]
    return found


@pytest.mark.parametrize("needs", ['evaluate_needs = "cpu"\n', ""])
def test_the_next_training_has_the_gpu_while_one_is_scored(
    toy: Toy, tmp_path: Path, needs: str
) -> None:
    on_gpu(toy, tmp_path, needs)
    where = (toy.root / ".lab/runs/e1/1/evaluate.log").read_text()
    assert ("scored on ''" in where) == bool(needs)
    for name, value in (("ada", "1.1"), ("bob", "1.2")):
        campaign = toy.campaign(name)
        text = (campaign / "train.py").read_text()
        (campaign / "train.py").write_text(text.replace("SLOPE = 1.0", f"SLOPE = {value}"))
        toy.lab("run", toy.idea(name, cwd=campaign), "--detach", cwd=campaign, code=5)
    for name in ("e2", "e3"):
        toy.lab("wait", name)
    (first,), (second,) = sorted((runs(toy, "e2"), runs(toy, "e3")), key=lambda r: r[0]["started"])
    beside = datetime.fromisoformat(first["ended"]) - datetime.fromisoformat(second["started"])
    assert (beside.total_seconds() > SECONDS / 2) == bool(needs)


def test_a_run_tells_whether_its_kernels_were_compiled_before(toy: Toy, tmp_path: Path) -> None:
    on_gpu(toy, tmp_path)
    toy.lab("run", "e1", "--seeds", "1")
    assert [json.loads(run["machine"])["kernels"] for run in runs(toy, "e1")] == ["miss", "hit"]
    assert "kernels compiled anew" in toy.here("show", "e1").out


def test_what_scores_without_a_gpu_is_another_yardstick(toy: Toy) -> None:
    before = toy.here("context", "--leaf", "toy", "--json").json["yardstick"]
    toy.leaf(toml=f'evaluate_needs = "cpu"\n{LEAF}')
    toy.commit("scored elsewhere")
    assert toy.here("context", "--leaf", "toy", "--json").json["yardstick"] != before
    toy.leaf(toml=f'evaluate_needs = "gpu"\n{LEAF}')
    refused = toy.here("context", "--leaf", "toy", code=4)
    assert "evaluate_needs" in refused.err
