"""Links that a script leaves where `lab` reads, writes or removes: nothing beyond is touched."""

import json
from pathlib import Path

import pytest
from toy import Toy, slope

REPLACED = """
    folder = run.with_name("moved")
    run.rename(folder)
    run.symlink_to({there!r})
"""
LEFT = "    import shutil\n    (run / 'more').symlink_to({there!r})\n"


@pytest.fixture
def there(toy: Toy) -> Path:
    """A folder of the person's, with work in it."""
    folder = toy.root.parent / "home" / "work"
    (folder / "deeper").mkdir(parents=True)
    (folder / "thesis.tex").write_text("years")
    (folder / "deeper" / "model.bin").write_text("weeks")
    (folder / "run.log").write_text("token=secret\n")
    return folder


def run(toy: Toy, campaign: Path, more: str) -> dict:
    slope(campaign, 2.0, more)
    words = ("run", toy.idea(cwd=campaign), "--json")
    return toy.lab(*words, cwd=campaign, code=None, LAB_CONFINE="none").json  # the trick is played


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("trick", [REPLACED, LEFT], ids=["the run's folder", "one within"])
@pytest.mark.parametrize(
    "command", [("result", "e2", "-v", "discard"), ("gc",)], ids=lambda w: w[0]
)
def test_nothing_beyond_a_link_is_removed(
    toy: Toy, campaign: Path, there: Path, trick: str, command: tuple[str, ...]
) -> None:
    before = listing(there)
    run(toy, campaign, trick.format(there=str(there)))
    toy.lab("result", "e2", "-v", "discard", cwd=campaign, code=None)
    toy.lab(*command, cwd=campaign, code=None)
    assert listing(there) == before


@pytest.mark.parametrize("which", ["e2", "e2/{run}", "runs"])
def test_a_link_made_later_is_not_followed_either(
    toy: Toy, campaign: Path, there: Path, which: str
) -> None:
    found = run(toy, campaign, "")
    runs = toy.root / ".lab" / "runs"
    inner = "" if which == "runs" else which.format(run=found["runs"][0]["run"])
    at = runs / inner if inner else runs
    beyond = there / "of another"
    at.rename(beyond)
    at.symlink_to(beyond)
    before = listing(beyond)
    toy.lab("result", "e2", "-v", "discard", cwd=campaign)
    toy.lab("gc", cwd=campaign)
    assert listing(beyond) == before


def test_a_folder_of_exports_names_no_folder_but_its_own(
    toy: Toy, campaign: Path, there: Path
) -> None:
    run(toy, campaign, "")
    folder = toy.root / ".lab" / "exports" / "job-2"
    folder.mkdir(parents=True)
    (folder / "where").write_text(str(there))
    toy.lab("gc", cwd=campaign)
    assert not folder.exists()
    assert (there / "thesis.tex").read_text() == "years"


def test_what_a_run_says_is_read_from_what_it_printed(
    toy: Toy, campaign: Path, there: Path
) -> None:
    more = f"""
    (run / "run.log").unlink(missing_ok=True)
    (run / "run.log").symlink_to({str(there / "run.log")!r})
    raise ValueError("no such layer")
"""
    found = run(toy, campaign, more)
    assert (found["failure"], found["detail"]["last"]) == ("bug", "ValueError: no such layer")
    assert "secret" not in toy.lab("output", "e2", cwd=campaign, code=None).out


def test_samples_and_steps_behind_a_link_are_nobodys(toy: Toy, campaign: Path, there: Path) -> None:
    (there / "samples.jsonl").write_text(json.dumps({"prompt": "secret", "completion": "x"}) + "\n")
    more = f"    (run / 'samples.jsonl').symlink_to({str(there / 'samples.jsonl')!r})\n"
    run(toy, campaign, more)
    assert "secret" not in toy.lab("samples", "e2", cwd=campaign, code=None).out
