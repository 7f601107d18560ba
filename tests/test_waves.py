"""Waves: several changes of one parent at once, of which the best is kept and the rest wait."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_dry_run import dry_toy
from toy import Toy, slope

SLOW = "    import time\n    time.sleep(4)\n"


def begin(toy: Toy, where: Path, value: float, more: str = "", axis: str = "") -> str:
    """Edit a slope and run it as one of a wave; return the experiment's name."""
    idea = toy.idea(f"a slope of {value}", *(("--axis", axis) if axis else ()), cwd=where)
    slope(where, value, more)
    answer = toy.lab("run", idea, "--wave", "--detach", "--json", cwd=where, code=5)
    return str(answer.json["experiment"])


def ended(toy: Toy, where: Path, *names: str) -> list[dict[str, object]]:
    return [toy.lab("wait", name, "--json", cwd=where).json for name in names]


def test_the_best_of_a_wave_is_kept_and_the_rest_wait_in_the_bag(toy: Toy, campaign: Path) -> None:
    toy.env["LAB_CPU_SLOTS"] = "2"
    before = (campaign / "train.py").read_text()
    names = []
    for value in (1.5, 2.0, 1.8, 0.5, 1.6, 1.7, 1.4, 1.9):
        names.append(begin(toy, campaign, value, axis=f"as {value}" if value > 1.6 else "slope"))
        assert (campaign / "train.py").read_text() == before
    assert len({row["parent"] for row in toy.here("log", "--json").json[:8]}) == 1
    found = ended(toy, campaign, *names)
    assert [one["suggest"] for one in ended(toy, campaign, *names)] == [
        *("discard", "keep"),
        *["discard"] * 6,
    ]
    assert "e3 of the same wave is better" in str(ended(toy, campaign, "e2")[0]["why"])
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    kept = toy.here("result", "e3", "-v", "keep", "--json", cwd=campaign).json
    assert kept["moved"]
    assert toy.git("rev-parse", "HEAD", cwd=campaign).strip() == found[1]["commit"]
    assert "SLOPE = 2.0" in (campaign / "train.py").read_text()
    for name in names[2:]:
        toy.here("result", name, "-v", "discard", cwd=campaign)
    now = toy.here("context", "--json", cwd=campaign).json
    # The best of eight is 1.43 noises lucky, one alone is taken for 0.4.
    assert now["level"] == pytest.approx(found[1]["value"] + 1.434 * now["noise"]["sd"], rel=1e-3)
    assert [one["experiment"] for one in now["bag"]] == ["e9", "e4", "e7", "e6", "e2"]
    assert toy.here("doctor", "--json").json["ok"]
    assert {row["verdict"] for row in toy.here("log", "--json").json[:8]} == {"keep", "discard"}


def test_nothing_of_a_wave_is_kept_while_another_is_under_way(toy: Toy, campaign: Path) -> None:
    toy.env["LAB_CPU_SLOTS"] = "2"
    quick = begin(toy, campaign, 2.0)
    slow = begin(toy, campaign, 2.5, SLOW)
    assert ended(toy, campaign, quick)[0]["next"] == f"lab wait {slow}"
    told = toy.here("result", quick, "-v", "keep", cwd=campaign, code=5).err
    assert f"{slow} of the same wave has not ended" in told
    assert f"lab wait {slow}" in told
    assert ended(toy, campaign, slow)[0]["next"] == f"lab result {slow} -v keep"
    toy.here("result", slow, "-v", "keep", cwd=campaign)
    told = toy.here("result", quick, "-v", "keep", "--because", "x", cwd=campaign, code=4).err
    assert "has moved on since" in told
    assert f"lab apply {quick} --edit" in told


def test_edits_are_never_lost_to_a_verdict_on_a_wave(toy: Toy, campaign: Path) -> None:
    good, bad = begin(toy, campaign, 2.0), begin(toy, campaign, 0.5)
    ended(toy, campaign, good, bad)
    assert toy.here("show", bad, "--json").json["wave"] == [good, bad]
    assert toy.here("show", "e1", "--json").json["wave"] == []
    slope(campaign, 2.2)
    toy.here("result", bad, "-v", "discard", cwd=campaign)
    assert "SLOPE = 2.2" in (campaign / "train.py").read_text()
    told = toy.here("result", good, "-v", "keep", cwd=campaign, code=4).err
    assert "has edits that keeping" in told
    assert "SLOPE = 2.2" in (campaign / "train.py").read_text()
    late = toy.idea("steeper", cwd=campaign)
    told = toy.lab("run", late, "--wave", "--detach", "--json", cwd=campaign, code=5)
    (found,) = ended(toy, campaign, told.json["experiment"])  # the next wave, and the better one
    name = str(found["experiment"])
    assert "of the same wave is better" in str(ended(toy, campaign, good)[0]["why"])
    assert toy.here("result", name, "-v", "keep", "--json", cwd=campaign).json["moved"]


def test_what_crashes_in_a_wave_is_put_into_the_file_again(toy: Toy, campaign: Path) -> None:
    crashed = begin(toy, campaign, 2.0, "    1 / 0\n")
    found = toy.lab("wait", crashed, "--json", cwd=campaign, code=1).json
    assert found["next"].startswith(f"lab apply {crashed} --edit")
    toy.here("apply", crashed, "--edit", cwd=campaign)
    text = (campaign / "train.py").read_text()
    assert "1 / 0" in text
    (campaign / "train.py").write_text(text.replace("    1 / 0\n", ""))
    again = toy.lab("run", "h1", "--wave", "--json", cwd=campaign).json
    assert again["next"] == f"lab result {again['experiment']} -v keep"


def test_a_wave_has_an_end(toy: Toy, campaign: Path) -> None:
    toy.env["LAB_CPU_SLOTS"] = "2"
    names = [begin(toy, campaign, 1 + number / 100) for number in range(1, 17)]
    idea = toy.idea("one more", cwd=campaign)
    slope(campaign, 1.5)
    told = toy.lab("run", idea, "--wave", cwd=campaign, code=4).err
    assert "this wave has 16 changes already" in told
    assert "lab wait" in told
    assert "SLOPE = 1.5" in (campaign / "train.py").read_text()
    ended(toy, campaign, *names)


@pytest.mark.parametrize("after_s", [0.2, 0.5, 0.8, 1.1, 1.4, 1.7, 2.0])
def test_a_wave_survives_a_kill(toy: Toy, campaign: Path, after_s: float) -> None:
    first = begin(toy, campaign, 1.5)
    idea = toy.idea("a slope of 2", cwd=campaign)
    slope(campaign, 2.0)
    words = (sys.executable, "-P", "-m", "lab", "run", idea, "--wave", "--detach")
    process = subprocess.Popen(
        words, cwd=campaign, env=toy.environ(), stdout=-3, stderr=-3, start_new_session=True
    )
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ended(toy, campaign, first)
    made = [one for one in toy.here("log", "--json").json if one["hypothesis"] == idea]
    if made and made[0]["status"] in ("queued", "running", "finished"):
        found = ended(toy, campaign, made[0]["experiment"])[0]
    else:  # it was undone: the edit is where it was
        assert "SLOPE = 2.0" in (campaign / "train.py").read_text()
        found = toy.lab("run", idea, "--wave", "--json", cwd=campaign).json
    toy.here("result", found["experiment"], "-v", "keep", cwd=campaign)
    toy.here("result", first, "-v", "discard", cwd=campaign)
    assert "SLOPE = 2.0" in (campaign / "train.py").read_text()
    assert toy.here("doctor", "--json").json["ok"]
    assert toy.git("status", "--porcelain", cwd=campaign) == ""


def test_a_discard_goes_back_also_from_under_a_commit_of_notes(toy: Toy, campaign: Path) -> None:
    aside = begin(toy, campaign, 1.5)
    ended(toy, campaign, aside)
    idea = toy.idea("by itself", cwd=campaign)
    slope(campaign, 0.5)
    alone = toy.lab("run", idea, "--json", cwd=campaign).json["experiment"]
    (campaign / "notes.md").write_text("a thought\n")
    toy.here("result", aside, "-v", "discard", cwd=campaign)
    toy.git("add", "notes.md", cwd=campaign)
    toy.git("commit", "--quiet", "-m", "notes", cwd=campaign)
    told = toy.here("result", alone, "-v", "discard", "--json", cwd=campaign).json
    assert told["moved"]
    assert "SLOPE = 1.0" in (campaign / "train.py").read_text()
    assert (campaign / "notes.md").read_text() == "a thought\n"
    again = toy.idea("goes on", cwd=campaign)
    slope(campaign, 1.6)
    assert toy.lab("run", again, "--json", cwd=campaign).json["incumbent"]["experiment"] == "e1"


def test_a_keep_can_be_taken_back_after_its_notes_were_committed(toy: Toy, campaign: Path) -> None:
    best = begin(toy, campaign, 2.0)
    other = begin(toy, campaign, 1.2)
    ended(toy, campaign, best, other)
    (campaign / "notes.md").write_text("a thought\n")
    toy.here("result", best, "-v", "keep", cwd=campaign)
    toy.here("result", best, "-v", "discard", cwd=campaign)
    assert "SLOPE = 1.0" in (campaign / "train.py").read_text()
    assert (campaign / "notes.md").read_text() == "a thought\n"
    assert toy.here("context", "--json", cwd=campaign).json["incumbent"]["experiment"] == "e1"


def test_the_best_of_several_waves_is_as_lucky_as_that_of_one(toy: Toy, campaign: Path) -> None:
    for value in (1.2, 1.3):
        pair = begin(toy, campaign, value), begin(toy, campaign, value - 0.15)
        ended(toy, campaign, *pair)
        for name in pair:
            toy.here("result", name, "-v", "discard", cwd=campaign)
    last = begin(toy, campaign, 2.0)
    (found,) = ended(toy, campaign, last)
    toy.here("result", last, "-v", "keep", cwd=campaign)
    now = toy.here("context", "--json", cwd=campaign).json
    of_five = 1.18  # noises: Blom's for the best of five
    assert now["level"] == pytest.approx(found["value"] + of_five * now["noise"]["sd"], rel=0.01)


def test_an_edit_made_during_the_dry_run_is_not_committed_for_another_idea(
    tmp_path: Path,
) -> None:
    toy = dry_toy(tmp_path)
    campaign = toy.campaign()
    idea = toy.idea("steeper", cwd=campaign)
    file = campaign / "train.py"
    slow = "    import time\n    time.sleep(3)\n    print"
    text = file.read_text().replace("SLOPE = 1.0", "SLOPE = 2.0").replace("    print", slow, 1)
    file.write_text(text)
    process = toy.start("run", idea, "--wave", "--detach", cwd=campaign)
    time.sleep(2)
    file.write_text(text.replace("SLOPE = 2.0", "SLOPE = 2.5"))
    out, err = process.communicate()
    assert process.returncode == 4, (out, err)
    assert "the files were edited while they were tried" in err
    assert "SLOPE = 2.5" in file.read_text()
    assert toy.lab("run", idea, "--json", cwd=campaign).json["status"] == "finished"


def test_a_second_edit_for_what_runs_is_not_taken_for_the_first(toy: Toy, campaign: Path) -> None:
    name = begin(toy, campaign, 1.5, SLOW)
    slope(campaign, 1.7)
    told = toy.here("run", "h1", "--wave", cwd=campaign, code=4).err
    assert f"{name} runs for h1, and the files hold another edit by now" in told
    toy.git("checkout", "--quiet", "--", "train.py", cwd=campaign)
    assert toy.lab("run", "h1", "--json", cwd=campaign).json["experiment"] == name


def test_a_wave_does_not_hang_on_a_branch_that_went_elsewhere(toy: Toy, campaign: Path) -> None:
    early, closes = begin(toy, campaign, 2.5), begin(toy, campaign, 0.5)
    ended(toy, campaign, early, closes)
    toy.here("result", closes, "-v", "discard", cwd=campaign)
    late = begin(toy, campaign, 2.0)
    (found,) = ended(toy, campaign, late)
    assert f"{early} of the same wave is better" in str(found["why"])
    slope(campaign, 1.8)
    alone = toy.lab("run", toy.idea("alone", cwd=campaign), "--json", cwd=campaign).json
    toy.here("result", alone["experiment"], "-v", "keep", cwd=campaign)
    for name in (early, late):
        found = ended(toy, campaign, name)[0]
        assert f"{alone['experiment']} was kept on the same incumbent" in str(found["why"])
        assert found["next"] == f"lab result {name} -v discard"
        toy.here("result", name, "-v", "discard", cwd=campaign)
    assert toy.here("context", "--json", cwd=campaign).json["mine"] == []


def test_a_wave_is_of_new_changes(toy: Toy, campaign: Path) -> None:
    for words in (("--baseline",), ("e1",)):
        told = toy.here("run", *words, "--wave", cwd=campaign, code=2).err
        assert "--wave is for a new change" in told
