"""Sentences agree with the records: what is counted, what was learned, what was printed."""

import pytest
from nights import Idea, write
from toy import TRAIN, Quick, Toy

NIGHT = [
    Idea("raise the slope", 1.0, "keep"),
    Idea("lower it", -1.0, outcome="refuted", lesson="lower it is no better"),
    Idea("too close to call", 0.001, near=True, lesson="not settled: too close to call"),
    Idea("too big", None, "crash", failure="oom"),
    Idea("the lights went out", None, "crash", failure="interrupted"),
]
STEPS = """\
    import time

    with (run / "steps.jsonl").open("w") as log:
        for step in range(1, 4):
            log.write(json.dumps({"step": step, "elapsed_s": 0.1, "loss": 1.0 / step}) + "\\n")
            log.flush()
            print(f"said at step {step}", flush=True)
            time.sleep(1.2)
"""


def test_counts_agree_and_a_lost_run_is_no_crash(quick: Quick) -> None:
    write(quick, NIGHT)
    counts = quick.lab("board", "toy", "--json").json["counts"]
    assert (counts["crash"], counts["interrupted"], counts["baselines"]) == (1, 1, 1)
    told = "1 kept, 2 discarded, 1 crashed, 1 interrupted"
    assert f"5 ideas tried: {told}; 1 baseline" in quick.lab("board", "toy").out
    report = quick.lab("report", "toy", "--markdown", "--since", "e1").out
    assert told in report
    assert f"5 ideas tried: {told}" in quick.lab("leaves").out
    log = quick.lab("log").out
    assert " crash (oom) " in log
    assert " interrupted " in log
    assert "crash (interrupted)" not in log
    assert quick.lab("show", "e6").out.startswith("e6 interrupted: the lights went out")


def test_only_what_was_learned_is_called_learned(quick: Quick) -> None:
    write(quick, NIGHT)
    found = quick.lab("failures", "--leaf", "toy").out
    assert "  learned: lower it is no better\n" in found
    assert "  not settled: too close to call" in found
    assert "learned: not settled" not in found


def test_a_text_that_nothing_is_near_says_so(quick: Quick) -> None:
    write(quick, NIGHT)
    none = "None near 'xyzzy'. See all: lab failures\n"
    assert quick.lab("failures", "xyzzy", "--leaf", "toy").out == none


def test_a_plot_calls_no_row_a_crash_that_only_has_no_number(quick: Quick) -> None:
    pytest.importorskip("matplotlib")
    write(quick, NIGHT)
    idea = quick.idea("decided by a person")
    quick.lab("experiment", idea)
    quick.lab("result", "e7", "-v", "discard", cwd=quick.root / "toy")
    page = quick.root.parent / "page.html"
    quick.lab("report", "toy", "-o", str(page))
    legend = page.read_text().partition('class="legend"')[2].partition("</p>")[0]
    assert "without a number" in legend
    assert legend.count("crashed") <= 2  # its key and its name


def test_a_loop_in_the_foreground_leaves_what_it_printed(ready: Toy) -> None:
    done = ready.lab("loop", "toy", "--agent", "tuner", "--experiments", "1")
    printed = ready.lab("output", "tuner").out
    assert done.err.strip().splitlines()[-1] in printed
    assert done.out in printed


def test_following_an_experiment_tells_its_steps_to_the_last_seed(toy: Toy) -> None:
    begin, _, rest = TRAIN.partition('    with (run / "steps.jsonl")')
    rest = rest.partition("\n    (run")[2]
    toy.leaf(train=f"{begin}{STEPS}    (run{rest}")
    toy.commit("steps that take a while")
    toy.lab("run", "--baseline", "--seeds", "2", "--detach", cwd=toy.root / "toy", code=5)
    followed = toy.lab("output", "e1", "-f").out
    for seed in (0, 1):
        part = followed.partition(f"e1 seed {seed}:\n")[2]
        assert part.index("said at step 1") < part.index("step 3, loss 0.3333")
        assert f"e1 seed {seed}: " in part
    assert "step 1, loss 1\n" in followed


def test_one_experiment_is_not_a_night(toy: Toy) -> None:
    told = toy.lab("launch", "toy:ada", "--agent", "tuner", "--experiments", "1").err
    assert told.startswith("1 campaign, 1 CPU slot: about 4 runs each, a baseline's among them, in")


def test_the_tuner_calls_worse_only_what_the_numbers_do(toy: Toy) -> None:
    luck = TRAIN.replace('"w": SLOPE + random', '"w": 0 * SLOPE + 1 + random')
    toy.leaf(train=luck.replace("NOISE = 0.01", "NOISE = 0.5"))
    toy.commit("nothing but luck")
    toy.lab("loop", "toy", "--agent", "tuner", "--experiments", "3")
    words = {"worse": "is no better", "same": "changes nothing", "undecided": "not settled"}
    for row in toy.here("log", "toy", "--json").json:
        shown = toy.here("show", row["experiment"], "--json").json
        if row["verdict"] == "discard":
            expected = words.get(shown["judgements"][-1]["reason"], "not settled")
            assert expected in shown["lesson"]
