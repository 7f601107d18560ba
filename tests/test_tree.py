"""Moving along the tree of experiments: diff, samples, move, apply, reproduce, gc."""

from pathlib import Path

import pytest
from toy import LEAF, TRAIN, Toy, slope

from lab.notebook import Notebook, lookup

pytestmark = pytest.mark.children

SAMPLES = """
    with (run / "samples.jsonl").open("w") as log:
        for reward in (0.0, 1.0, 0.5):
            said = "c" * 400 if reward else "c"
            row = {"prompt": f"p{reward}", "completion": said, "reward": reward, "answer": "42"}
            log.write(json.dumps(row) + "\\n")
"""


def keep(toy: Toy, campaign: Path, value: float, claim: str = "raise the slope") -> str:
    """Run an edit with two seeds and keep it, whatever is suggested; return its id."""
    slope(campaign, value)
    idea = toy.idea(claim, cwd=campaign)
    done = toy.lab("run", idea, "--seeds", "2", "--json", cwd=campaign).json
    name = done["experiment"]
    toy.lab("result", name, "-v", "keep", "--because", "a test", cwd=campaign)
    return str(name)


def test_a_campaign_that_is_there_goes_on_where_it_stands(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    assert toy.campaign("ada") == campaign
    assert "SLOPE = 2.0" in (campaign / "train.py").read_text()
    refused = toy.lab("worktree", "toy", "ada", "--from", "best", code=4)
    assert "goes on from its own branch" in refused.err


def test_an_experiment_s_verdict_is_told_to_whoever_waits_for_it(toy: Toy, campaign: Path) -> None:
    name = keep(toy, campaign, 2.0)
    assert "judged keep; suggested: keep" in toy.lab("wait", name, cwd=campaign).out


def test_diff_shows_what_an_experiment_changed(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, 2.0)
    shown = toy.lab("diff", "e2").out
    assert "-SLOPE = 1.0" in shown
    assert "+SLOPE = 2.0" in shown
    assert "no change of its own" in toy.lab("diff", "e1", code=4).err


def test_samples_are_the_best_the_worst_and_some(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0, SAMPLES)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    found = toy.lab("samples", "e2", "-n", "1", "--json", cwd=campaign).json
    assert [found[kind][0]["reward"] for kind in ("best", "worst")] == [1.0, 0.0]
    assert found["total"] == 3
    assert found["random"][0]["reward"] == 0.5  # neither of the two told already
    assert "answer: 42" in toy.lab("samples", "e2", cwd=campaign).out
    many = toy.lab("samples", "e2", "-n", "3", "--json", cwd=campaign).json
    assert [row["reward"] for row in many["best"]] == [1.0, 0.5]  # never the worst of all
    assert [row["reward"] for row in many["worst"]] == [0.0]
    assert "left no samples" in toy.lab("samples", "e1", code=3).err


def test_samples_of_one_seed_and_what_is_cut_of_them(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0, SAMPLES)
    toy.lab("run", toy.idea(cwd=campaign), "--seeds", "2", cwd=campaign)
    told = toy.here("samples", "e2", "--seed", "0", cwd=campaign).out
    assert told.startswith("e2 seed 0: 3 samples\n")
    assert "c… (of 400 characters: --json)" in told
    assert toy.here("samples", "e2", cwd=campaign).out.startswith("e2 seed 1: ")
    refused = toy.here("samples", "e2", "--seed", "7", cwd=campaign, code=3).err
    assert "Type --seed with one of: 0, 1" in refused


def test_two_campaigns_have_incumbents_of_their_own_until_one_moves(
    toy: Toy, campaign: Path
) -> None:
    other = toy.campaign("bob")
    best = keep(toy, campaign, 2.0)
    slope(other, 1.5)
    idea = toy.idea("a little", cwd=other)
    found = toy.lab("run", idea, "--json", cwd=other).json
    assert found["incumbent"]["experiment"] == "e1"
    refused = toy.lab("move", "best", cwd=other, code=4)
    assert "has no verdict yet.\nAs its numbers suggest: lab result e3 -v keep\n" in refused.err
    toy.lab("result", found["experiment"], "-v", "discard", cwd=other)
    (other / "notes.md").write_text("what bob saw\n")
    moved = toy.lab("move", "best", "--json", cwd=other).json
    assert moved["experiment"] == best
    assert "SLOPE = 2.0" in (other / "train.py").read_text()
    assert (other / "notes.md").read_text() == "what bob saw\n"
    slope(other, 2.5)
    found = toy.lab("run", toy.idea("more", cwd=other), "--json", cwd=other).json
    assert found["incumbent"]["experiment"] == best


def incumbent(toy: Toy, where: Path) -> str | None:
    """Return the incumbent that `lab context` names in a checkout."""
    found = toy.here("context", "--json", cwd=where).json["incumbent"]
    return found and str(found["experiment"])


def baseline_is_due(toy: Toy, where: Path) -> None:
    """See that nothing can be judged in a campaign before what is committed there is measured."""
    assert incumbent(toy, where) is None
    slope(where, 2.75)
    idea = toy.idea("steeper", cwd=where)
    refused = toy.here("run", idea, cwd=where, code=4).err.splitlines()
    assert "nobody measured what is committed here" in refused[0]
    assert refused[1].endswith("lab run --baseline --seeds 3")
    due = toy.lab("run", "--baseline", "--seeds", "3", "--json", cwd=where).json["experiment"]
    assert toy.lab("run", idea, "--json", cwd=where).json["incumbent"]["experiment"] == due


def test_what_was_applied_is_the_incumbent_and_a_mixture_is_measured_first(
    toy: Toy, campaign: Path
) -> None:
    other = toy.campaign("bob")
    first = keep(toy, campaign, 2.0)
    toy.here("apply", first, "--provisional")
    assert incumbent(toy, toy.root / "toy") == first
    slope(other, 1.0, '    print("longer")\n')
    toy.lab("run", toy.idea("print more", cwd=other), cwd=other)
    toy.here("result", "e3", "-v", "keep", "--because", "a test", cwd=other)
    toy.here("apply", "e3", "--only", "--provisional")
    baseline_is_due(toy, toy.campaign("cy"))


def test_what_a_campaign_applied_is_where_it_goes_on(toy: Toy, campaign: Path) -> None:
    bob = toy.campaign("bob")
    first = keep(toy, campaign, 2.0)
    toy.here("apply", first, "--provisional", cwd=bob)
    slope(bob, 2.5)
    found = toy.lab("run", toy.idea("more", cwd=bob), "--json", cwd=bob).json
    assert found["incumbent"]["experiment"] == first


def test_a_person_s_commit_is_measured_before_anything_is_judged(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, 2.0)
    (toy.root / "README").write_text("nothing that an experiment may change\n")
    toy.commit("words")
    assert incumbent(toy, toy.campaign("bob")) == "e1"
    slope(toy.root / "toy", 2.5)
    toy.commit("a person's idea")
    baseline_is_due(toy, toy.campaign("cy"))
    assert incumbent(toy, campaign) == "e2"


def test_what_waits_for_its_verdict_has_the_incumbent_it_was_built_on(
    toy: Toy, campaign: Path
) -> None:
    kept = keep(toy, campaign, 2.0)
    slope(campaign, 2.5)
    toy.lab("run", toy.idea("more", cwd=campaign), cwd=campaign)
    assert incumbent(toy, campaign) == kept
    toy.here("result", "e3", "-v", "keep", "--because", "a test", cwd=campaign)
    assert incumbent(toy, campaign) == "e3"


def test_of_the_same_contents_one_s_own_keep_counts_then_the_baseline(
    toy: Toy, campaign: Path
) -> None:
    keep(toy, campaign, 2.0)
    slope(campaign, 1.0)
    again = ("run", toy.idea("back", cwd=campaign), "--again", "--json")
    back = toy.lab(*again, cwd=campaign).json["experiment"]
    toy.here("result", back, "-v", "keep", "--because", "a test", cwd=campaign)
    assert incumbent(toy, campaign) == back
    assert incumbent(toy, toy.campaign("bob")) == "e1"


def test_a_move_never_loses_edits(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, 2.0)
    slope(campaign, 3.0)
    refused = toy.lab("move", "e1", cwd=campaign, code=4)
    assert "edits that a move would lose" in refused.err
    assert "SLOPE = 3.0" in (campaign / "train.py").read_text()


def test_apply_brings_the_kept_ancestors_in_order(toy: Toy, campaign: Path, tmp_path: Path) -> None:
    first = keep(toy, campaign, 2.0, "first")
    second = keep(toy, campaign, 2.5, "second")
    (toy.root / "README").write_text("main moved on\n")
    toy.commit("main moved on")
    body = tmp_path / "body.md"
    found = toy.lab("apply", second, "--provisional", "--pr", str(body), "--json").json
    assert found["applied"] == [first, second]
    subjects = toy.git("log", "--format=%s", "-3").splitlines()
    assert subjects == [f"{second}: second", f"{first}: first", "main moved on"]
    assert "SLOPE = 2.5" in (toy.root / "toy" / "train.py").read_text()
    assert "Measured: loss" in toy.git("log", "-1", "--format=%B")
    assert "**Mechanism.** the truth is 3" in body.read_text()
    assert "on this branch already" in toy.lab("apply", second, "--provisional", code=4).err


def test_apply_that_conflicts_changes_nothing(toy: Toy, campaign: Path) -> None:
    name = keep(toy, campaign, 2.0)
    slope(toy.root / "toy", 9.0)
    head = toy.commit("main went elsewhere")
    refused = toy.lab("apply", name, "--provisional", code=4)
    assert "conflicts" in refused.err
    assert "toy/train.py" in refused.err
    assert toy.git("rev-parse", "HEAD") == head
    assert toy.git("status", "--porcelain") == ""
    assert "apply-" not in toy.git("worktree", "list")


def test_apply_edit_puts_a_discarded_change_into_the_file(toy: Toy, campaign: Path) -> None:
    slope(campaign, 0.5)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    toy.lab("result", "e2", "-v", "discard", cwd=campaign)
    refused = toy.lab("apply", "e2", cwd=campaign, code=4)
    assert "lab apply e2 --edit" in refused.err
    toy.lab("apply", "e2", "--edit", cwd=campaign)
    assert "SLOPE = 0.5" in (campaign / "train.py").read_text()
    assert toy.git("status", "--porcelain", cwd=campaign) == "M toy/train.py"


def discard(toy: Toy, campaign: Path, train: str, **others: str) -> str:
    """Run an edit that is no good by itself; return the experiment's id."""
    (campaign / "train.py").write_text(train)
    for name, text in others.items():
        (campaign / f"{name}.txt").write_text(text)
    idea = toy.idea(f"edit number {hash((train, *others.values()))}", cwd=campaign)
    name = str(toy.lab("run", idea, "--json", cwd=campaign).json["experiment"])
    toy.here("result", name, "-v", "discard", cwd=campaign)
    return name


def test_neighbouring_changes_of_several_experiments_go_into_the_file_together(
    toy: Toy, campaign: Path, tmp_path: Path
) -> None:
    noise = "NOISE = 0.01"
    edits = [
        TRAIN.replace("SLOPE = 1.0", "SLOPE = 0.5"),
        TRAIN.replace(noise, "NOISE = 0.02"),
        TRAIN.replace(noise, f"{noise}\nEXTRA = 1  # and why").replace('"trained"', '"done"'),
    ]
    names = [discard(toy, campaign, edit) for edit in edits]
    found = toy.here("apply", *names, "--edit", "--json", cwd=campaign).json
    assert found == {"experiments": names, "edited": ["toy/train.py"], "commits": []}
    text = TRAIN.replace("SLOPE = 1.0", "SLOPE = 0.5").replace('"trained"', '"done"')
    text = text.replace(noise, "NOISE = 0.02\nEXTRA = 1  # and why")
    assert (campaign / "train.py").read_text() == text
    idea = toy.idea("all three", cwd=campaign)
    whole = toy.lab("run", idea, "--json", cwd=campaign).json["experiment"]
    assert parts(toy.root / ".lab", whole) == [int(name[1:]) for name in names]
    there = {"LAB_HOME": str(tmp_path / "other")}  # where an experiment was e1 already
    (tmp_path / "log.tsv").write_text("loss\tstatus\tdescription\n0.5\tkeep\tof a log\n")
    toy.here("import", str(tmp_path / "log.tsv"), "--leaf", "toy", **there)
    toy.here("export", "-o", str(tmp_path / "all.jsonl"))
    toy.here("import", str(tmp_path / "all.jsonl"), **there)
    moved = f"e{int(whole[1:]) + 1}"
    assert parts(tmp_path / "other", moved) == [int(name[1:]) + 1 for name in names]


def parts(home: Path, name: str) -> list[int]:
    """Return which experiments one is put together from."""
    with Notebook(home / "notebook.db") as book:
        row = lookup.experiment(book, int(name[1:]))
        return lookup.combination(book, row["parent"], row["contents"])


def test_two_changes_of_one_constant_are_refused_and_nothing_is_written(
    toy: Toy, campaign: Path
) -> None:
    names = [
        discard(toy, campaign, TRAIN.replace("SLOPE = 1.0", "SLOPE = 0.5")),
        discard(toy, campaign, TRAIN.replace("NOISE = 0.01", "NOISE = 0.02")),
        discard(toy, campaign, TRAIN.replace("SLOPE = 1.0", "SLOPE = 0.6")),
    ]
    refused = toy.here("apply", *names, "--edit", cwd=campaign, code=4).err.splitlines()
    assert refused[0] == "Error: e4 conflicts with e2 in SLOPE; nothing was changed."
    assert refused[1].endswith("Leave e4 out: lab apply e2 e3 --edit")
    assert (campaign / "train.py").read_text() == TRAIN
    slope(toy.root / "toy", 9.0)
    toy.commit("main went elsewhere")
    refused = toy.here("apply", *names[:2], "--edit", code=4).err.splitlines()
    assert "e2 conflicts with this branch in SLOPE" in refused[0]
    assert refused[1].endswith("lab apply e3 --edit")
    assert toy.git("status", "--porcelain") == ""
    toy.here("apply", "e3", "--edit")
    text = (toy.root / "toy" / "train.py").read_text()
    assert "SLOPE = 9.0" in text
    assert "NOISE = 0.02" in text
    several = toy.here("apply", "e2", "e3", code=2).err.splitlines()
    assert several[1].endswith("lab apply e2 e3 --edit")


def test_one_function_may_have_changed_on_the_branch_but_not_in_two_experiments(
    toy: Toy, campaign: Path
) -> None:
    first = TRAIN.replace("def main():", "def main():\n    left = 1")
    last = TRAIN.replace('print("trained")', 'print("done")')
    names = [discard(toy, campaign, edit) for edit in (first, last)]
    refused = toy.here("apply", *names, "--edit", cwd=campaign, code=4).err
    assert "e3 conflicts with e2 in main; nothing" in refused
    (toy.root / "toy" / "train.py").write_text(first)
    toy.commit("a person did the same")
    toy.here("apply", names[1], "--edit")
    text = (toy.root / "toy" / "train.py").read_text()
    assert text == first.replace('print("trained")', 'print("done")')


def test_other_text_is_merged_by_lines(toy: Toy) -> None:
    lines = [f"line {number}\n" for number in range(9)]
    toy.leaf(toml=LEAF.replace('["train.py"]', '["train.py", "words.txt"]'))
    (toy.root / "toy" / "words.txt").write_text("".join(lines))
    toy.commit("a leaf with words")
    toy.lab("run", "--baseline", "--leaf", "toy")
    ada = toy.campaign()
    edits = [[*lines[:at], f"{word}\n", *lines[at + 1 :]] for at, word in ((1, "a"), (7, "b"))]
    names = [discard(toy, ada, TRAIN, words="".join(edit)) for edit in edits]
    toy.here("apply", *names, "--edit", cwd=ada)
    whole = [*edits[0][:5], *edits[1][5:]]
    assert (ada / "words.txt").read_text() == "".join(whole)
    toy.git("checkout", "-q", "--", ".", cwd=ada)
    third = discard(toy, ada, TRAIN, words="".join([*lines[:1], "c\n", *lines[2:]]))
    refused = toy.here("apply", names[0], third, "--edit", cwd=ada, code=4)
    assert f"{third} conflicts with {names[0]} in toy/words.txt" in refused.err


def test_reproduce_says_whether_the_number_held(toy: Toy, campaign: Path) -> None:
    found = toy.lab("reproduce", "e1", "--json").json
    assert (found["held"], found["difference"], found["seed"]) == (True, 0.0, 0)
    board = toy.lab("board", "toy", "--json").json
    assert board["experiments"][0]["runs"] == 3  # a repetition adds nothing to the record
    assert toy.lab("doctor", "--json").json["ok"]


def test_gc_keeps_the_record_and_removes_what_lost(toy: Toy, campaign: Path) -> None:
    slope(campaign, 0.5)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    folder = toy.root / ".lab" / "runs" / "e2"
    assert list(folder.rglob("model.json"))
    toy.lab("result", "e2", "-v", "discard", cwd=campaign)
    assert not list(folder.rglob("model.json"))
    assert list(folder.rglob("steps.jsonl"))
    dry = toy.lab("gc", "--days", "0", "--dry-run", "--json").json
    assert dry["worktrees"] == [str(campaign.parent)]
    toy.lab("gc", "--days", "0")
    assert not campaign.exists()
    assert toy.git("rev-parse", "refs/lab/e2")
    assert (toy.root / "toy" / "train.py").read_text() == TRAIN


def test_gc_leaves_a_worktree_whose_commits_no_branch_has(toy: Toy, campaign: Path) -> None:
    toy.git("checkout", "-q", "--detach", cwd=campaign)
    slope(campaign, 9.0)
    toy.git("commit", "-qam", "by hand", cwd=campaign)
    assert toy.lab("gc", "--days", "0", "--json").json["worktrees"] == []
    assert campaign.exists()
