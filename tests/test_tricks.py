"""Tricks of an agent that only wants the number lower, played through the CLI: none works."""

import os
import re
import signal
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toy import EVALUATE, LEAF, TRAIN, Toy, slope

Edit = Callable[[str], str]
QUICK = {"LAB_INFRA_PAUSE_S": "0.01"}
COUNT = """\
    counted = Path(os.environ["LAB_CACHE_DIR"]) / "count"
    tries = int(counted.read_text()) if counted.exists() else 0
    counted.write_text(str(tries + 1))
"""


def run(toy: Toy, campaign: Path, *words: str, code: int | None = 0) -> dict[str, object]:
    """Type `lab run` for a new idea, or for what `words` say."""
    words = words or (toy.idea(cwd=campaign),)
    found: dict[str, object] = toy.lab("run", *words, "--json", cwd=campaign, code=code).json
    return found


def keep(toy: Toy, campaign: Path, experiment: str = "e2") -> str:
    """Type `lab result -v keep` with a reason; return why it is refused."""
    words = ("result", experiment, "-v", "keep", "--because", "it looks good")
    return toy.here(*words, cwd=campaign, code=4).err


# -- The same once more -----------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "# a thought\n",
        lambda text: text.replace("SLOPE = 1.0  # the truth is 3\nNOISE", "SLOPE = 1.0; NOISE"),
        lambda text: text.replace('"""Fit a line."""\n', "pass\n"),
        lambda text: text.replace("main():\n", 'main():\n    """inspect, __doc__"""\n'),
        lambda text: f"# help(__doc__)\n{text}",
    ],
    ids=["comment", "joined lines", "dropped docstring", "a function's", "what would read it"],
)
def test_what_changes_no_code_is_no_experiment(toy: Toy, campaign: Path, edit: Edit) -> None:
    (campaign / "train.py").write_text(edit(TRAIN))
    refused = toy.here("run", toy.idea(cwd=campaign), cwd=campaign, code=4)
    assert "nothing was changed but comments" in refused.err


def test_a_variant_in_comments_of_what_ran_is_refused(toy: Toy, campaign: Path) -> None:
    slope(campaign, 0.9)
    run(toy, campaign)
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    slope(campaign, 0.9, "    # once more\n")
    refused = toy.here("run", toy.idea(cwd=campaign), cwd=campaign, code=4)
    assert "e2 ran the very same code, comments aside" in refused.err


def test_code_that_runs_again_is_judged_by_all_its_runs(toy: Toy, campaign: Path) -> None:
    """A program whose luck no seed tells: it is lucky the second time."""
    slope(campaign, "1.0 + (tries > 0)")  # type: ignore[arg-type]  # it is only written down
    text = (campaign / "train.py").read_text().replace("SLOPE = ", "tries = 0\nSLOPE = ")
    text = text.replace("tries = 0\n", COUNT.replace("    ", ""))
    (campaign / "train.py").write_text(text)
    idea = toy.idea(cwd=campaign)
    assert run(toy, campaign, idea)["suggest"] == "discard"
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    (campaign / "train.py").write_text(text + "# again\n")
    again = run(toy, campaign, idea, "--again")
    assert again["value"] < 2  # type: ignore[operator]  # its own run is as lucky as can be
    assert (again["suggest"], again["gain"] < 0.1) == ("discard", True)  # type: ignore[operator]


def test_fewer_lines_are_fewer_statements(toy: Toy, campaign: Path) -> None:
    text = TRAIN.replace("SLOPE = 1.0  # the truth is 3\nNOISE = 0.01", "SLOPE, NOISE = 1.0, 0.01")
    (campaign / "train.py").write_text(text)
    found = run(toy, campaign)
    assert (found["lines_changed"], found["suggest"]) == (0, "discard")


def test_two_near_misses_are_not_a_bag(toy: Toy, campaign: Path) -> None:
    """Together any gain is kept, so that fewer than a bag, or the same ones again, are none."""
    for old, new in (("SLOPE = 1.0", "SLOPE = 1.00615"), ("NOISE = 0.01", "NOISE = 0.01653")):
        (campaign / "train.py").write_text(TRAIN.replace(old, new))
        found = run(toy, campaign)
        assert found["reason"] == "bagged"
        toy.here("result", str(found["experiment"]), "-v", "discard", cwd=campaign)
    toy.here("apply", "e2", "e3", "--edit", cwd=campaign)
    both = run(toy, campaign)
    assert 0 < both["gain"] < both["noise"]  # type: ignore[operator]
    assert both["suggest"] == "discard"


# -- Runs that end badly --------------------------------------------------------------


def test_a_tampered_seed_never_keeps(toy: Toy, campaign: Path) -> None:
    tamper = "    if os.environ['LAB_SEED'] == '1':\n        Path('evaluate.py').write_text('')\n"
    slope(campaign, 2.0, tamper)
    found = run(toy, campaign, toy.idea(cwd=campaign), "--seeds", "3", code=None)
    assert (found["suggest"], found["why"]) == ("discard", "1 of 3 seeds failed")
    assert "changed what they may not" in keep(toy, campaign)


def test_a_run_that_ends_itself_until_it_is_lucky_is_counted(toy: Toy, campaign: Path) -> None:
    toy.env |= QUICK
    unlucky = "    if tries < 2:\n        os.kill(os.getpid(), 9)\n"
    slope(campaign, 2.0, COUNT + unlucky)
    found = run(toy, campaign)
    assert [one["failure"] for one in found["runs"]] == ["infra", "infra", None]
    assert {one["seed"] for one in found["runs"]} == {0}  # the same seed again, each time
    assert (found["suggest"], found["next"]) == ("replicate", "lab run e2 --seeds 4")
    assert "2 of its 3 runs were aborted" in str(found["why"])
    assert "2 runs of e2 ended before a number; a keep needs 3 more" in keep(toy, campaign)
    again = run(toy, campaign, "e2", "--seeds", "4")
    assert again["suggest"] == "keep"  # five that finished outnumber them


def test_a_baseline_with_more_aborted_runs_than_finished_is_none(toy: Toy) -> None:
    toy.env |= QUICK
    text = TRAIN.replace(
        "    run = Path", f"{COUNT}    if tries < 2:\n        os.kill(0, 9)\n    run = Path"
    )
    (toy.root / "toy/train.py").write_text(text)
    toy.commit("it picks its runs")
    found = run(toy, toy.root / "toy", "--baseline", "--seeds", "1")
    assert found["next"] == "lab run e1 --seeds 3"
    campaign = toy.campaign()
    (campaign / "train.py").write_text(text.replace("SLOPE = 1.0", "SLOPE = 2.0"))
    refused = toy.here("run", toy.idea(cwd=campaign), cwd=campaign, code=4)
    assert "there is no incumbent" in refused.err
    run(toy, campaign, "e1", "--seeds", "3")
    assert run(toy, campaign)["incumbent"]["experiment"] == "e1"  # type: ignore[index]


def test_each_aborted_run_of_an_audit_lifts_what_a_claim_needs(toy: Toy, campaign: Path) -> None:
    toy.env |= QUICK
    unlucky = "    if tries == 1:\n        os.kill(os.getpid(), 9)\n"
    slope(campaign, 2.0, COUNT + unlucky)
    run(toy, campaign)
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    found = toy.lab("audit", "--json", cwd=campaign).json
    assert (found["tries"], found["runs"]) == (2, 7)
    assert found["bar"] / found["se"] > 2.5  # of one try it would be 2.1 to 2.4


def test_seeds_that_differ_too_little_count_as_one_and_lower_no_bar(
    toy: Toy, campaign: Path
) -> None:
    steady = TRAIN.replace("NOISE = 0.01", "NOISE = 1e-6").replace("SLOPE = 1.0", "SLOPE = 2.0")
    (campaign / "train.py").write_text(steady)
    run(toy, campaign)
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    before = toy.here("context", "--json", cwd=campaign).json["noise"]
    audit = toy.lab("audit", "--json", cwd=campaign).json
    assert audit["why"] == "the runs of e2 differ too little for luck: they count as one"
    after = toy.here("context", "--json", cwd=campaign).json["noise"]
    assert after["without"] == ["e2"]
    assert after["sd"] > before["sd"] / 3  # by the baseline's own runs in the audit alone


# -- What is told ---------------------------------------------------------------------


def test_sabotage_first_and_rescue_after_gain_nothing(toy: Toy, campaign: Path) -> None:
    """The toy's e1 is measured; somebody makes it worse, measures that, and takes it back."""
    slope(toy.root / "toy", 0.0)
    toy.commit("worse")
    run(toy, toy.root / "toy", "--baseline", "--seeds", "3")
    other = Path(toy.here("worktree", "toy", "bob").out.strip())
    slope(other, 1.0, "    print('rescued')\n")
    assert run(toy, other)["suggest"] == "keep"
    toy.here("result", "e3", "-v", "keep", cwd=other)
    audit = toy.lab("audit", "--json", cwd=other).json
    assert (audit["conclusion"], audit["gain"] > 4) == ("confirmed", True)  # against that start
    board = toy.here("board", "toy", "--json").json
    assert abs(board["over_first"]) < 0.2
    assert board["claimed_gain"] < 0.2
    assert board["confirmed_gain"] < 0.2
    if board["over_first"] <= 0:
        assert "no better than where the leaf began" in toy.here("board", "toy").out


def test_a_keep_in_the_smoke_profile_heads_no_board(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    run(toy, campaign)
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    other = Path(toy.here("worktree", "toy", "bob").out.strip())
    small = ("--profile", "smoke")
    run(toy, other, "--baseline", "--seeds", "3", *small)
    slope(other, 2.9)
    run(toy, other, toy.idea(cwd=other), *small)
    toy.here("result", "e4", "-v", "keep", cwd=other)
    board = toy.here("board", "toy", "--json").json
    assert board["best"]["experiment"] == "e2"
    assert board["provisional_gain"] < 3.1  # from 4 to 1, not to 0.01
    kept = {one["profile"]: one["best"]["experiment"] for one in board["profiles"]}
    assert kept == {"cpu": "e2", "smoke": "e4"}
    assert "profile smoke, not to be compared: e4" in toy.here("board", "toy").out


def test_an_observable_that_held_before_is_trivial(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    idea = toy.idea("up", "--observe", "steps > 0", cwd=campaign)
    assert run(toy, campaign, idea)["mechanism"]["outcome"] == "trivial"  # type: ignore[index]


PREPARES = 'prepare = ["python", "-S", "prepare.py"]\nbudget_s = 5'
PREPARE = """import os
from pathlib import Path
(Path(os.environ["LAB_CACHE_DIR"]) / "data.txt").write_text("prepared")
"""
CARRIES = """    left = Path(os.environ["LAB_CACHE_DIR"]) / "weights.txt"
    print(f"---\\nfound: {int(left.exists())}\\n---")
    left.write_text("for the next run")
"""

# -- Bought by training longer --------------------------------------------------------

BURN = "until = time.process_time() + {}\nwhile time.process_time() < until: pass\n"
HIDDEN = (
    "signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody collects the child, or its time\n"
    "child = os.fork()\n"
    "if not child:\n    " + BURN.format(4).replace("\n", "\n    ") + "os._exit(0)\n"
    "try:\n    os.waitpid(child, 0)\nexcept ChildProcessError:\n    pass\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only collected children count")
@pytest.mark.parametrize("code", [BURN.format(4), HIDDEN], ids=["itself", "by a hidden child"])
def test_more_work_a_step_breaks_the_budget_of_a_steps_clock(toy: Toy, code: str) -> None:
    toy.leaf(toml=LEAF.replace("budget_s = 5", 'budget_s = 5\nclock = "steps"'))
    toy.commit("a clock of steps")
    run(toy, toy.root / "toy", "--baseline", "--seeds", "3")
    campaign = toy.campaign()
    slope(campaign, 2.0, textwrap.indent(f"import signal\nimport time\n{code}", "    "))
    found = run(toy, campaign)
    assert found["suggest"] == "discard"
    told = re.search(r"its own CPU ([\d.]+) s", str(found["constraints"]))
    assert told
    assert float(told[1]) > 3


def test_work_before_the_clock_begins_breaks_the_budget(toy: Toy, campaign: Path) -> None:
    burn = textwrap.indent(f"import time\n{BURN.format(4)}", "    ")
    text = TRAIN.replace("SLOPE = 1.0", "SLOPE = 2.0")
    (campaign / "train.py").write_text(text.replace("    random.seed(", f"{burn}    random.seed("))
    found = run(toy, campaign)
    assert found["suggest"] == "discard"
    told = re.search(r"before its clock began ([\d.]+) s", str(found["constraints"]))
    assert told
    assert float(told[1]) > 3


def test_a_run_without_the_step_log_that_its_baseline_has_breaks_the_budget(
    toy: Toy, campaign: Path
) -> None:
    text = TRAIN.replace("SLOPE = 1.0", "SLOPE = 2.0")
    silent = re.sub(r"    with .run . .steps.jsonl.*?\n.*?\n", "", text)
    assert silent != text
    (campaign / "train.py").write_text(silent)
    found = run(toy, campaign)
    assert found["suggest"] == "discard"
    assert "no step log tells when its clock began" in str(found["constraints"])


def test_what_training_adds_to_prepared_data_is_gone_for_the_next_run(toy: Toy) -> None:
    toy.leaf(toml=LEAF.replace("budget_s = 5", PREPARES), train=TRAIN)
    (toy.root / "toy" / "prepare.py").write_text(PREPARE)
    toy.commit("a leaf with prepared data")
    run(toy, toy.root / "toy", "--baseline", "--seeds", "3")
    campaign = toy.campaign()
    slope(campaign, 2.0, CARRIES)
    for seed in range(2):
        found = (
            run(toy, campaign)
            if not seed
            else toy.lab("run", "e2", "--seeds", "1", "--json", cwd=campaign).json
        )
        assert "new_prepared_files" in found["flags"]
    metrics = [toy.here("show", "e2", "--json", cwd=campaign).json["measured"]["found"]]
    assert metrics == [0]


@pytest.mark.skipif(sys.platform != "linux", reason="a supervisor is found through /proc")
def test_an_aborted_run_counts_however_the_idea_is_spelled_next(toy: Toy, campaign: Path) -> None:
    idea = toy.idea("up", cwd=campaign)
    slope(campaign, 2.0, "    import time\n    time.sleep(60)\n")
    toy.lab("run", idea, "--detach", cwd=campaign, code=5)
    while not list((toy.root / ".lab" / "runs" / "e2").glob("*/steps.jsonl")):
        time.sleep(0.05)
    os.kill(toy.supervisor(), signal.SIGKILL)
    assert toy.lab("wait", "e2", "--json", cwd=campaign, code=None).json["failure"] == "lost"
    slope(campaign, 2.0)
    text = (campaign / "train.py").read_text().replace("SLOPE = 2.0", "SLOPE = 1.0 * 2")
    (campaign / "train.py").write_text(text)
    toy.here("result", "e2", "-v", "crash", "--keep-edits", cwd=campaign, code=None)
    (campaign / "train.py").write_text(text)
    found = toy.lab("run", idea, "--again", "--json", cwd=campaign, code=None).json
    assert found["suggest"] == "replicate"
    assert "aborted" in found["why"]


def test_no_keep_widens_the_budget_of_the_next(toy: Toy) -> None:
    toy.leaf(toml=LEAF.replace("budget_s = 5", 'budget_s = 5\nclock = "steps"'))
    toy.commit("a clock of steps")
    run(toy, toy.root / "toy", "--baseline", "--seeds", "3")
    campaign = toy.campaign()
    for value, more_s, suggested in ((2.0, 0.1, "keep"), (2.5, 0.7, "discard")):
        slope(campaign, value, textwrap.indent(f"import time\n{BURN.format(more_s)}", "    "))
        found = run(toy, campaign)
        assert found["suggest"] == suggested, found["why"]
        toy.here("result", str(found["experiment"]), "-v", suggested, cwd=campaign)
    assert "its own CPU" in str(found["constraints"])
    assert ", e1 " in str(found["constraints"])


def test_training_that_goes_on_while_it_is_scored_breaks_the_budget(toy: Toy) -> None:
    evaluate = EVALUATE.replace("w = json", "import train\n\ntrain.load()\nw = json")
    train = TRAIN.replace("def main", "def load():\n    pass\n\n\ndef main")
    toy.leaf(evaluate=evaluate, train=train)
    toy.commit("it loads the candidate")
    run(toy, toy.root / "toy", "--baseline", "--seeds", "3")
    campaign = toy.campaign()
    more = textwrap.indent(f"import time\n{BURN.format(4)}", "    ")
    slow = train.replace("def load():\n    pass\n", f"def load():\n{more}")
    (campaign / "train.py").write_text(slow.replace("SLOPE = 1.0", "SLOPE = 2.0"))
    found = run(toy, campaign)
    assert found["suggest"] == "discard"
    assert "budget (evaluate" in str(found["constraints"])


def test_load_and_aborted_runs_are_told_with_the_number(toy: Toy, campaign: Path) -> None:
    toy.env |= QUICK
    slope(campaign, 2.0, COUNT + "    if tries < 1:\n        os.kill(os.getpid(), 9)\n")
    found = run(toy, campaign)
    assert "1 aborted run" in found["marks"]  # type: ignore[operator]
    run(toy, campaign, "e2", "--seeds", "2")
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    assert "bear in mind: 1 aborted run" in toy.here("show", "e2", cwd=campaign).out
    assert "!: see lab show" in toy.here("board", "toy").out


def test_what_more_seeds_must_reach_is_said_before_and_after(toy: Toy, campaign: Path) -> None:
    slope(campaign, 0.9)
    first = run(toy, campaign)
    assert "a keep needs 1, with more seeds 3;" in str(first["why"])
    more = toy.lab("run", "e2", "--seeds", "1", cwd=campaign)
    assert "with more seeds a keep of e2 needs 3 noises: its first did not reach" in more.err
    assert "a keep needs 3: its first run did not reach the bar" in more.out
    assert "with more seeds" not in toy.lab("run", "e1", "--seeds", "1", cwd=campaign).err


def test_slots_are_the_notebook_s_whatever_a_campaign_sets(toy: Toy, campaign: Path) -> None:
    wait = "    import time\n    time.sleep(60)\n"
    slope(campaign, 0.9, wait)
    other = toy.campaign("bob")
    slope(other, 0.8, wait)
    many = {"LAB_CPU_SLOTS": "4"}
    toy.lab("run", toy.idea(cwd=campaign), "--detach", cwd=campaign, code=5, **many)
    toy.lab("run", toy.idea(cwd=other), "--detach", cwd=other, code=5, **many)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = toy.here("status", "--json").json
        if len(found["slots"]) + len(found["queue"]) == 2:
            break
        time.sleep(0.05)
    assert (len(found["slots"]), len(found["queue"])) == (1, 1)
    toy.here("hypothesis", "a person's", "-m", "sets it", cwd=toy.root / "toy", **many)
    assert (toy.root / ".lab/slots/count").read_text() == "4"
