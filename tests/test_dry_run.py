"""The dry run: an edit that cannot run gets no number, no commit and no device."""

import os
import time
from pathlib import Path

import pytest
import toy as toys
from toy import EVALUATE, LEAF, TRAIN, Toy

DRY = "\n[dry_run]\ntimeout_s = {}\n\n[data]\nsteps = 3\n"
LOAD = """

def load(run):
    return json.loads((run / "model.json").read_text())["w"]


if __name__"""
SHAPED = TRAIN.replace("\n\nif __name__", LOAD)
# The yardstick loads the model by a function of the experiment's.
JUDGE = EVALUATE.replace(
    'w = json.loads((Path(os.environ["LAB_RUN_DIR"]) / "model.json").read_text())["w"]',
    "sys.path.insert(0, str(Path(__file__).parent))\nfrom train import load\n\n"
    'w = load(Path(os.environ["LAB_RUN_DIR"]))',
).replace("import os\n", "import os\nimport sys\n")
END = '    print("trained")\n'
BAD = {
    "no Python": ("SLOPE = 1.0", "SLOPE = = 1.0"),
    "an open bracket": ("SLOPE = 1.0", "SLOPE = (1.0"),
    "indentation": ("    random.seed", "   random.seed"),
    "a tab": ("    random.seed", "\trandom.seed"),
    "no such name": (END, f"    print(sloope)\n{END}"),
    "no such module": ("import json\n", "import json\nimport jsonn\n"),
    "no such attribute": ("random.gauss", "random.gaus"),
    "a wrong argument": ("random.gauss(0, NOISE)", "random.gauss(0, NOISE, 1, 2)"),
    "an unknown keyword": ("random.gauss(0, NOISE)", "random.gauss(0, sd=NOISE)"),
    "a wrong type": ("SLOPE = 1.0", "SLOPE = '1.0'"),
    "no such key": (END, f"    print(os.environ['NOWHERE'])\n{END}"),
    "no such index": (END, f"    print([1, 2][SLOPE > 0 and 2])\n{END}"),
    "division by zero": (END, f"    print(1 / (SLOPE - SLOPE))\n{END}"),
    "shapes": (END, f"    print([a for a, in [(1, 2)]])\n{END}"),
    "an assertion": (END, f"    assert SLOPE == 3, 'shapes differ'\n{END}"),
    "no end of calls": (END, f"    main()\n{END}"),
    "too much memory": (END, f"    print(len(bytearray(1 << 60)))\n{END}"),
    "an exit": (END, f"    raise SystemExit('not now')\n{END}"),
    "an exit without a word": (END, f"    raise SystemExit(3)\n{END}"),
    "no end": (END, f"    while SLOPE:\n        pass\n{END}"),
    "a deleted function that the yardstick needs": (LOAD, "\n\nif __name__"),
    "a renamed one": ("def load(", "def load_model("),
    "no artefact": ("model.json\").write_text", "model.txt\").write_text"),
    "half an artefact": ('json.dumps({"w": SLOPE + random.gauss(0, NOISE)})', '"{"'),
    "no number": ("SLOPE + random.gauss(0, NOISE)", "float('nan')"),
    "a frozen file written": (END, f"    Path('evaluate.py').write_text('print(1)')\n{END}"),
    "a file that is not there": (END, f"    print(open('/nowhere/data.bin'))\n{END}"),
}  # fmt: skip


def dry_toy(folder: Path, timeout_s: float = 20) -> Toy:
    """Return a repository whose leaf has a dry run, its baseline measured."""
    toy = toys.make(folder)
    toy.leaf(toml=LEAF.replace("\n[profiles", DRY.format(timeout_s) + "\n[profiles", 1),
             train=SHAPED, evaluate=JUDGE)  # fmt: skip
    toy.commit("a dry run")
    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    return toy


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Toy, Path]:
    toy = dry_toy(tmp_path_factory.mktemp("dry"), 3)
    return toy, toy.campaign()


def test_bad_edits_get_no_number_and_no_device(tried: tuple[Toy, Path]) -> None:
    toy, where = tried
    through, wrong = [], []
    for name, (old, new) in BAD.items():
        assert SHAPED.count(old) == 1, name
        (where / "train.py").write_text(SHAPED.replace(old, new))
        answer = toy.here("run", toy.idea(name, cwd=where), "--detach", cwd=where, code=None)
        lines = answer.err.splitlines()
        if answer.code != 4:
            through.append(name)
            toy.lab("wait", cwd=where, code=None)
        elif "the dry run of h" not in lines[-2] or "--no-dry-run" not in lines[-1]:
            wrong.append((name, lines))
    assert not wrong
    assert len(through) <= 2, through
    assert len(toy.here("log", "--json", "-n", "99", cwd=where).json) == 1 + len(through)
    assert not list((toy.root / ".lab" / "exports").iterdir())


def test_what_failed_is_found_again(tmp_path: Path) -> None:
    toy = dry_toy(tmp_path)
    where = toy.campaign()
    idea = toy.idea("a steeper line", cwd=where)
    (where / "train.py").write_text(SHAPED.replace(END, f"    print(sloope)\n{END}"))
    refused = toy.here("run", idea, cwd=where, code=4)
    assert "failed (bug) at train.py:18: NameError: name 'sloope' is not defined" in refused.err
    assert "sloope" in (where / "train.py").read_text()  # the edit stays
    assert "dry run failed (bug) at train.py:18" in toy.here("show", idea, cwd=where).out
    for text in ("sloope", "a steep line"):
        found = toy.here("failures", text, cwd=where).out
        assert f"{idea} dry run failed (bug)" in found
        assert "learned: train.py:18: NameError: name 'sloope'" in found
    context = toy.here("context", cwd=where).out
    assert "1 failed in a dry run" in context
    assert toy.here("context", "--json", cwd=where).json["counts"]["attempts"] == 1
    assert idea in context  # still open
    (where / "train.py").write_text(SHAPED.replace("SLOPE = 1.0", "SLOPE = 2.0"))
    assert toy.lab("run", idea, "--json", cwd=where).json["experiment"] == "e2"


def test_no_dry_run_runs_it_all_the_same(tmp_path: Path) -> None:
    toy = dry_toy(tmp_path)
    where = toy.campaign()
    (where / "train.py").write_text(SHAPED.replace(END, f"    print(sloope)\n{END}"))
    words = ("run", toy.idea(cwd=where), "--no-dry-run", "--json")
    found = toy.lab(*words, cwd=where, code=1).json
    assert (found["experiment"], found["failure"]) == ("e2", "bug")


def test_what_hangs_is_ended_and_not_blamed(tmp_path: Path) -> None:
    toy = dry_toy(tmp_path, 2)
    where = toy.campaign()
    (where / "train.py").write_text(SHAPED.replace(END, f"    while SLOPE:\n        pass\n{END}"))
    began = time.monotonic()
    refused = toy.here("run", toy.idea(cwd=where), cwd=where, code=4)
    assert time.monotonic() - began < 15
    assert "did not end within 2 s" in refused.err
    assert "or it is only slow: lab run h1 --no-dry-run" in refused.err
    assert toy.here("board", "toy", "--json").json["counts"]["crash"] == 0


def test_what_ended_with_a_number_is_not_tried_again(tmp_path: Path) -> None:
    """A training that tells how often it ran: by a dry run once, and never for `--again`."""
    toy = dry_toy(tmp_path)
    where = toy.campaign()
    (where / "train.py").write_text(SHAPED.replace("SLOPE = 1.0", "SLOPE = 0.5"))
    toy.lab("run", toy.idea(cwd=where), cwd=where)
    toy.here("result", "e2", "-v", "discard", cwd=where)
    toml = (toy.root / "toy" / "leaf.toml").read_text()
    assert "timeout_s = 20" in toml
    (where / "train.py").write_text(SHAPED.replace("SLOPE = 1.0", "SLOPE = 0.5"))
    cache = toy.root / ".lab" / "cache" / "toy" / "smoke"
    before = cache.stat().st_mtime_ns
    for one in cache.iterdir():
        one.rename(one.with_name(f"{one.name}-old"))
    toy.lab("run", toy.idea("once more", cwd=where), "--again", cwd=where)
    assert before  # a dry run would have made the smoke profile's folders anew
    assert all("-old" in one.name for one in cache.iterdir())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("profil = 'smoke'", "dry_run.profil: no such key"),
        ("profile = 'moon'", "dry_run.profile: no such profile"),
        ("profile = 'gpu'", "dry_run.profile: 'gpu' needs a GPU"),
        ("steps = 0", "dry_run.steps: must be a whole number"),
    ],
)
def test_a_dry_run_that_leaf_toml_says_wrongly(tmp_path: Path, line: str, said: str) -> None:
    toy = toys.make(tmp_path)
    toy.leaf(toml=f"{LEAF}\n[dry_run]\n{line}\n")
    refused = toy.here("check", "toy", cwd=toy.root, code=None)
    assert said in refused.err + refused.out


def test_the_tuner_lets_go_of_what_cannot_run(tmp_path: Path) -> None:
    toy = dry_toy(tmp_path)
    guard = "    assert SLOPE <= 1.0, 'too steep'\n"
    toy.leaf(
        toml=(toy.root / "toy" / "leaf.toml").read_text(),
        train=SHAPED.replace(END, guard + END),
        evaluate=JUDGE,
    )
    toy.commit("a bound")
    toy.lab("loop", "toy", "--agent", "tuner", "--experiments", "2", code=None)
    runs = [one for one in toy.here("log", "--json").json if one["hypothesis"]]
    assert len(runs) == 2
    assert not [one for one in runs if one["failure"]]
    assert "too steep" in toy.here("failures", "too steep", "--json").json[0]["lesson"]


def test_a_leaf_whose_dry_runs_became_slow_goes_without(tmp_path: Path) -> None:
    toy = dry_toy(tmp_path)
    where = toy.campaign()

    def edit(*change: str) -> toys.Answer:
        (where / "train.py").write_text(SHAPED.replace(*change))
        return toy.here("run", toy.idea(change[1], cwd=where), cwd=where, code=None)

    first = edit("SLOPE = 1.0", "SLOPE = 0.9")
    assert first.code == 0
    toy.here("result", "e2", "-v", "discard", cwd=where)
    (lasted,) = (toy.root / ".lab" / "cache").rglob("*.dry_s")
    lasted.write_text("30\n1\n30\n")  # one quick one: the machine was busy
    assert edit(*BAD["division by zero"]).code == 4
    lasted.write_text("1\n30\n31\n32\n")
    assert "e3" in edit(*BAD["no such name"]).out


def test_a_limit_that_no_training_changes_is_held_before_a_device_is_taken(tmp_path: Path) -> None:
    toy = toys.make(tmp_path)
    rules = '\n[constraints]\nsize = "<= 20"\n\n[dry_run]\nconstraints = ["size"]\n'
    size = TRAIN.replace('    print("trained")', '    print(f"---\\nsize: {SLOPE * 10}\\n---")')
    toy.leaf(toml=LEAF.replace("\n[profiles", rules + "\n[profiles", 1), train=size)
    toy.commit("a limit of size")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    campaign = toy.campaign()
    idea = toy.idea("larger", cwd=campaign)
    (campaign / "train.py").write_text(size.replace("SLOPE = 1.0", "SLOPE = 2.5"))
    told = toy.here("run", idea, cwd=campaign, code=4).err
    assert "the dry run of h1 failed (constraint): size <= 20 does not hold: 25" in told
    assert [row["experiment"] for row in toy.here("log", "--json").json] == ["e1"]
    (campaign / "train.py").write_text(size.replace("SLOPE = 1.0", "SLOPE = 1.9"))
    assert toy.lab("run", idea, "--json", cwd=campaign).json["suggest"] == "keep"
    page = toy.root / "toy/leaf.toml"
    page.write_text(page.read_text().replace('["size"]', '["weight"]'))
    told = toy.here("check", "toy", code=1).out
    assert "dry_run.constraints: no constraint of 'weight'; there are: size" in told


# -- What a run on a GPU will need ------------------------------------------------------

ESTIMATE = """\
import os
from train import SLOPE
if SLOPE == 9.0:
    raise SystemExit("torch.OutOfMemoryError: it needs 99 GB of 80")
if SLOPE == 7.0:
    raise KeyError("no such layer")
print("profile", os.environ["LAB_PROFILE"])
print(f"---\\npeak_memory_mb: {SLOPE * 10000!r}\\n---")
"""


def sized(toy: Toy, tmp_path: Path) -> Path:
    """Return a campaign of a leaf that says what its training will need; its GPU is made up."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: NVIDIA Made Up (UUID: GPU-a)'\n")
    (folder / "nvidia-smi").chmod(0o755)
    toy.env["PATH"] = f"{folder}:{os.environ['PATH']}"
    dry = '[dry_run]\nprofile = "cpu"\nestimate = ["python", "estimate.py"]\n'
    limit = '\n[constraints]\npeak_memory_mb = "<= 30000"\n\n'
    toy.leaf(
        toml=LEAF.replace("\n[profiles", f"{limit}{dry}\n[profiles", 1),
        train=TRAIN.replace(END, f'{END}    print("---\\npeak_memory_mb: 9\\n---")\n'),
    )
    (toy.root / "toy/estimate.py").write_text(ESTIMATE)
    toy.commit("a leaf with an estimate")
    toy.lab("run", "--baseline", "--leaf", "toy", "--profile", "gpu")
    return toy.campaign()


def test_what_a_run_on_a_gpu_will_need_is_estimated_beforehand(toy: Toy, tmp_path: Path) -> None:
    campaign = sized(toy, tmp_path)

    def tried(value: float, code: int) -> str:
        text = TRAIN.replace(END, f'{END}    print("---\\npeak_memory_mb: 9\\n---")\n')
        (campaign / "train.py").write_text(text.replace("SLOPE = 1.0", f"SLOPE = {value}"))
        idea = toy.idea(f"slope {value}", cwd=campaign)
        return toy.lab("run", idea, cwd=campaign, code=code).err

    assert "peak_memory_mb <= 30000 does not hold: 40000" in tried(4.0, 4)
    assert "(oom)" in tried(9.0, 4)
    assert "no estimate of what it needs: KeyError" in tried(7.0, 0)
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    assert "no estimate" not in tried(2.0, 0)
