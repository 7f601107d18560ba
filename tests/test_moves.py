"""The move that a stuck search is told fits the code as it is, what was tried, and the budget."""

from pathlib import Path

import pytest
from toy import PROGRAM, TRAIN, Toy, slope

IDEA = "lab hypothesis CLAIM -m MECHANISM  # "
OLDER = """\
WARM = 5
FORGIVING = 0.5
DEAD = 7
BURIED = 8


def nobody_calls_this():
    return BURIED


def main():
    assert WARM and FORGIVING
"""
PAGE = "**Levers.** `FORGIVING` is flat from 0.1 to\n0.9 and forgives. `WARM` is not flat.\n"


@pytest.fixture
def grown(toy: Toy) -> Path:
    """A campaign on a leaf with constants that are read, and some that are not any more."""
    toy.leaf(train=TRAIN.replace("def main():\n", OLDER), program=f"{PROGRAM}\n{PAGE}")
    toy.commit("more constants")
    toy.lab("run", "--baseline", "--leaf", "toy")
    return toy.campaign()


def discard(toy: Toy, where: Path, times: int, axis: str = "idea") -> None:
    """Discard so many ideas, each along an axis of its own."""
    for number in range(times):
        idea = toy.idea(f"{axis} {number}", "--axis", f"{axis} {number}", cwd=where)
        made = toy.here("experiment", idea, cwd=where).out.strip()
        toy.here("result", made, "-v", "discard", cwd=where)


def keep(toy: Toy, where: Path, value: float) -> None:
    """Keep a slope."""
    idea = toy.idea(f"slope {value}", cwd=where)
    slope(where, value)
    made = toy.lab("run", idea, "--seeds", "2", "--json", cwd=where).json["experiment"]
    toy.here("result", made, "-v", "keep", "--because", "it fits", cwd=where)


def told(toy: Toy, where: Path) -> str | None:
    """Return what `lab context` suggests."""
    return toy.here("context", "--json", cwd=where).json["suggestion"]


def test_a_constant_that_nothing_reads_or_the_page_calls_flat_is_not_proposed(
    toy: Toy, grown: Path
) -> None:
    discard(toy, grown, 5)
    assert told(toy, grown) == (
        f"{IDEA}5 experiments without a keep: change direction; not yet tried: SLOPE, NOISE, WARM. "
        "Axes so far: idea 0 x1, idea 1 x1, idea 2 x1, idea 3 x1."
    )


def test_a_constant_that_an_edit_turned_was_tried_whatever_its_axis(toy: Toy, grown: Path) -> None:
    toy.idea("steeper", "--axis", "steepness", cwd=grown)
    file = grown / "train.py"
    file.write_text(file.read_text().replace("SLOPE = 1.0", "SLOPE = 0.5"))
    toy.lab("run", "h1", cwd=grown)
    toy.here("result", "e2", "-v", "discard", cwd=grown)
    discard(toy, grown, 4)
    assert "not yet tried: NOISE, WARM. " in str(told(toy, grown))


def test_what_later_changes_stand_on_is_not_to_be_taken_out(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, 2.0)
    keep(toy, campaign, 2.5)
    discard(toy, campaign, 8)
    assert told(toy, campaign) == (
        f"{IDEA}8 experiments without a keep: take the kept change e3 out again, to see if it "
        "still carries."
    )


def test_near_misses_are_combined_where_one_goes_in_on_top_of_the_other(
    toy: Toy, grown: Path
) -> None:
    start = "    random.seed("
    for old, new in [
        (start, f"    global SLOPE\n    SLOPE += 0.002\n{start}"),
        ("SLOPE = 1.0", "SLOPE = 1.002"),
        ("SLOPE = 1.0", "SLOPE = 1.003"),
    ]:
        made = toy.idea(f"nearly: {new.strip()}", cwd=grown)
        file = grown / "train.py"
        file.write_text(file.read_text().replace(old, new))
        found = toy.lab("run", made, "--json", cwd=grown).json["experiment"]
        toy.here("result", found, "-v", "discard", cwd=grown)
    discard(toy, grown, 5)
    assert told(toy, grown) == (
        "lab apply e4 e2 --edit  # 8 experiments without a keep: combine these near-misses"
    )
    assert "train.py edited" in toy.here("apply", "e4", "e2", "--edit", cwd=grown).out


def test_a_bug_is_no_stagnation(toy: Toy, campaign: Path) -> None:
    toy.idea("divide by nothing", cwd=campaign)
    slope(campaign, 2.0, "    1 / 0\n")
    toy.lab("run", "h1", cwd=campaign, code=None)
    toy.here("result", "e2", "-v", "crash", cwd=campaign)
    discard(toy, campaign, 4)
    found = toy.here("context", "--json", cwd=campaign).json
    assert (found["since_keep"], found["suggestion"]) == (4, None)
    discard(toy, campaign, 1, "one more")
    assert str(told(toy, campaign)).startswith(
        f"{IDEA}5 experiments without a keep: change direction"
    )


@pytest.mark.parametrize("tokens", ["400", "1500"])
def test_a_move_is_told_whole_or_not_at_all(toy: Toy, campaign: Path, tokens: str) -> None:
    discard(toy, campaign, 6, f"a direction with a very long name {'and more ' * 60}"[:58])
    whole = told(toy, campaign)
    assert whole is not None
    assert whole.endswith(".")
    assert len(whole) < 300
    found = toy.here("context", "--json", "--tokens", tokens, cwd=campaign)
    assert found.json["suggestion"] == whole
    assert f"Next: {whole}\n" in toy.here("context", "--tokens", tokens, cwd=campaign).out
