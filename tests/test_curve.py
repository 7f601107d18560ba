"""`lab curve`: step logs at equal steps and equal time, the same seed, whatever runs left there."""

import random
from typing import Any

import pytest
from toy import TRAIN, Toy

from lab.judge.curve import side_by_side

# A training that logs as many steps as its seconds allow; its loss scatters by the seed.
LOGGED = TRAIN.replace(
    """        log.write(json.dumps({"step": 1, "elapsed_s": 0.1, "loss": 1.0}) + "\\n")
""",
    """        for step in range(1, STEPS + 1):
            loss = 2 / (1 + step / 40) + random.gauss(0, 0.01) - LEAD * (step < 150)
            row = {"step": step, "elapsed_s": step * STEP_S, "loss": loss, "rate": 1 / step}
            log.write(json.dumps(row) + "\\n")
        random.seed(int(os.environ["LAB_SEED"]))
""",
).replace("NOISE = 0.01\n", "NOISE = 0.01\nSTEPS = 300\nSTEP_S = 0.05\nLEAD = 0.0\n")
LOOP = LOGGED[LOGGED.index("        for step in") : LOGGED.index("        random.seed")]
DIVERGES = ('"loss": loss', '"loss": loss if step < 100 else float("nan")')
# What a training may leave in place of its step log, and what `lab curve` says of it.
LOGS = {
    "nothing": (b"", "left no step log: none of its runs wrote a step"),
    "no step": (b'[]\nnull\n\xff\n{"step": 1e999}\n{"loss": 1}\n', "left no step log"),
    "another number": (
        b'{"step": 1, "other": 1}\n{"step": 2, "other": 2}\n',
        "no number in common",
    ),
    "one step": (b'{"step": 7, "elapsed_s": 0.1, "loss": 2}\n', "too few steps with 'loss'"),
    "one step, then more": (
        b'{"step": 7, "loss": 2}\n{"step": 8, "loss": null}\n',
        "too few steps",
    ),
    "later steps": (b'{"step": 900, "loss": 2}\n{"step": 901, "loss": 1}\n', "too few steps"),
    "a number beyond all": (b'{"step": 1, "loss": 1%s}\n' % (b"0" * 400), "no number in common"),
}


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A repository with a baseline of two seeds that logs 300 steps; e2 and e3 change its log."""
    root = tmp_path_factory.mktemp("logged") / "repo"
    root.mkdir()
    toy = Toy(root)
    toy.git("init", "-q", "-b", "main")
    toy.leaf(train=LOGGED)
    toy.commit("a leaf that logs")
    toy.lab("run", "--baseline", "--seeds", "2", cwd=root / "toy")
    toy.campaign()
    return toy


def tried(toy: Toy, *changes: tuple[str, str], code: int = 0) -> Any:
    """Run an edit of the logging training; return what `lab run --json` prints, and its text."""
    where = toy.root / ".lab/worktrees/toy/ada/toy"
    text = LOGGED.replace("SLOPE = 1.0", "SLOPE = 1.001")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (where / "train.py").write_text(text)
    found = toy.lab("run", toy.idea(str(changes), cwd=where), "--json", cwd=where, code=None).json
    toy.here("result", found["experiment"], "-v", "crash" if code else "discard", cwd=where)
    return found


def test_a_lead_that_is_lost_again_is_told_with_the_steps(logged: Toy) -> None:
    found = tried(logged, ("LEAD = 0.0", "LEAD = 0.2"))
    number = found["experiment"]
    assert found["curve"].startswith("loss against e1, seed 0: ahead by 0.2 at step ")
    assert found["curve"].endswith((", level from step 150", ", level from step 180"))
    text = logged.here("wait", number).out
    assert f"curve: {found['curve']}\n" in text
    table = logged.here("curve", number).out
    assert table.splitlines()[0].startswith(f"{number} against e1: loss, lower is better; seed 0")
    assert len(table.splitlines()) == 1 + 11 + 2
    told = logged.here("curve", number, "--json").json
    assert len(told["by_step"]) == len(told["by_time"]) == 10
    assert [row["apart"] for row in told["by_step"]] == [True] * 5 + [False] * 5
    assert told["by_step"][0]["difference"] == pytest.approx(-0.2, abs=0.02)
    assert told["line"] == found["curve"]


def test_a_quicker_step_is_level_at_equal_steps_and_ahead_at_equal_time(logged: Toy) -> None:
    found = tried(logged, ("STEPS = 300", "STEPS = 600"), ("STEP_S = 0.05", "STEP_S = 0.025"))
    assert "level throughout" in found["curve"] or "very same" in found["curve"]
    assert "; at equal time ahead " in found["curve"]
    assert found["curve"].endswith("; 600 steps, e1 300")


@pytest.mark.parametrize("name", LOGS)
def test_a_log_that_cannot_be_compared_is_refused_in_words(logged: Toy, name: str) -> None:
    written, said = LOGS[name]
    found = tried(logged, (LOOP, f"        log.buffer.write({written!r})\n"))
    assert found["curve"] is None
    refused = logged.here("curve", found["experiment"], code=None)
    assert refused.code in (3, 4)
    assert said in refused.err
    assert len(refused.err.splitlines()) == 2


def test_a_curve_that_ends_in_no_number_is_told_up_to_there(logged: Toy) -> None:
    ends = ('print("trained")', 'raise SystemExit("diverged at step 100: loss is nan")')
    found = tried(logged, DIVERGES, ends, ("LEAD = 0.0", "LEAD = -0.2"), code=1)
    assert (found["status"], found["failure"]) == ("failed", "diverged")
    assert found["curve"].startswith(
        "loss against e1, seed 0: behind throughout, by 0.2 at the end"
    )
    assert f"curve: {found['curve']}" in logged.here("wait", found["experiment"], code=1).out
    table = logged.here("curve", found["experiment"])
    assert (
        "note: " + found["experiment"] + " seed 0: loss is no number from step 100 on" in table.out
    )
    told = logged.here("curve", found["experiment"], "--json").json
    assert told["by_step"][-1]["end"] == 99


def test_logs_of_other_spacing_are_compared_by_what_lies_between(logged: Toy) -> None:
    found = tried(logged, ("range(1, STEPS + 1)", "range(1, STEPS + 1, 7)"))
    assert "level" in found["curve"]
    told = logged.here("curve", found["experiment"], "--json").json
    assert len(told["by_step"]) == 10
    assert all(abs(row["difference"]) < 0.05 for row in told["by_step"])


def test_another_number_of_the_log_is_compared_when_asked_for(logged: Toy) -> None:
    number = tried(logged, ('"rate": 1 / step', '"rate": 2 / step'))["experiment"]
    assert "loss against e1" in logged.here("wait", number).out
    told = logged.here("curve", number, "--metric", "rate", "--json").json
    assert (told["metric"], told["better"]) == ("rate", None)
    assert "higher throughout" in told["line"]
    refused = logged.here("curve", number, "--metric", "grad", code=3)
    assert refused.err.endswith("Both have: loss, rate (--metric)\n")


def test_two_experiments_are_compared_that_are_not_each_others_incumbent(logged: Toy) -> None:
    numbers = [tried(logged, ("STEP_S = 0.05", f"STEP_S = 0.05{n}"))["experiment"] for n in (1, 2)]
    told = logged.here("curve", *numbers, "--json").json
    assert (told["against"], told["seeds"]) == (numbers[1], [0])
    assert told["line"].endswith("the very same throughout")
    logged.lab("run", numbers[0], "--seeds", "1", cwd=logged.root / "toy")
    both = logged.here("curve", numbers[0], "--json").json
    assert (both["seeds"], both["their_seeds"]) == ([0, 1], [0, 1])
    assert "mean of seeds 0, 1" in both["line"]


def test_equal_programs_are_seldom_told_apart() -> None:
    draw = random.Random(0)

    def curve(gap: float) -> list[tuple[float, float]]:
        return [(n, 3 + 2 / (1 + n / 30) + gap + draw.gauss(0, 0.1)) for n in range(300)]

    def apart(gap: float) -> list[int]:
        tables = (side_by_side([(curve(gap), curve(0.0))]) for _ in range(100))
        return [sum(row.apart for row in rows) for rows in tables]

    assert sum(rows > 0 for rows in apart(0.0)) <= 12  # one in twenty, and what chance adds
    assert sum(apart(0.1)) > 600  # of a thousand rows, a gap as wide as one line scatters


def test_other_seeds_are_told_in_every_line(logged: Toy) -> None:
    experiment = tried(logged, ("STEPS = 300", "STEPS = 299"))["experiment"]
    log = logged.root / ".lab/runs/e1/1/steps.jsonl"
    text = log.read_text()
    log.unlink()
    told = logged.here("curve", experiment, "e1").out
    log.write_text(text)
    assert f"no seed in common: {experiment}'s seed 0 beside e1's seed 1;" in told
    assert "seed 0 beside e1's seed 1; each row" in told
    assert "seed 0 beside its seed 1, none in common: " in told.splitlines()[-1]
    assert f"{experiment} logged step 299 last" in told


def test_a_baseline_has_nothing_to_be_compared_with(logged: Toy) -> None:
    assert "judged against nothing" in logged.here("curve", "e1", code=2).err
    assert logged.here("wait", "e1", "--json").json["curve"] is None


def test_an_imported_experiment_left_no_log(logged: Toy) -> None:
    log = logged.root.parent / "results.tsv"
    log.write_text("commit\tloss\tmemory_gb\tstatus\tdescription\nabc1234\t0.5\t4\tkeep\tx\n")
    logged.here("import", str(log), "--leaf", "toy")
    number = logged.here("log", "--json").json[0]["experiment"]
    for words in ((number, "e1"), ("e1", number)):
        assert "came from another tool's log" in logged.here("curve", *words, code=3).err


def test_another_profile_is_told(logged: Toy) -> None:
    where = logged.root / "toy"
    other = logged.lab("run", "--baseline", "--profile", "smoke", "--json", cwd=where).json
    words = ("curve", other["experiment"], "e1")
    assert logged.here(*words, "--json").json["notes"] == ["not run alike: profile smoke and cpu"]
    assert "note: not run alike: profile smoke and cpu\n" in logged.here(*words).out


def test_the_mean_of_the_pairs_is_over_the_seeds_that_it_names(logged: Toy) -> None:
    """Last of all, since the baseline has more seeds from here on."""
    logged.lab("run", "--baseline", "--seeds", "4", cwd=logged.root / "toy")
    number = tried(logged, ("LEAD = 0.0", "LEAD = 0.3"))["experiment"]
    logged.lab("run", number, "--seeds", "5", cwd=logged.root / ".lab/worktrees/toy/ada/toy")
    found = logged.here("curve", number, "--json").json
    assert found["seeds"] == [0, 1, 2, 3, 4]
    assert "the first 5 of 6 seeds in common" in found["notes"]
    assert "mean of seeds 0, 1, 2, 3, 4: " in found["line"]
    runs = logged.here("show", number, "--json").json["runs"]
    (logged.root / f".lab/runs/{number}/{runs[1]['id']}/steps.jsonl").unlink()
    again = logged.here("curve", number, "--json").json
    assert (again["seeds"], again["notes"]) == (
        [0, 2, 3, 4, 5],
        ["without seed 1: a log is missing"],
    )
