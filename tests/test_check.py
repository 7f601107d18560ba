"""`lab check`: a sound leaf passes; one broken in any of many ways is refused for that reason."""

import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import toy as toys
from toy import Toy

from lab.checking import CHECKS
from lab.checking.yardstick import as_toml


@dataclass(frozen=True)
class Way:
    """A way to break the template's leaf: edits, the check that falls, and the reason it gives."""

    check: str
    reason: str
    edits: tuple[tuple[str, str, str], ...]


def way(check: str, reason: str, *edits: tuple[str, str, str]) -> Way:
    return Way(check, reason, edits)


def toml(old: str, new: str) -> tuple[str, str, str]:
    return "leaf.toml", old, new


def train(old: str, new: str) -> tuple[str, str, str]:
    return "train.py", old, new


def evaluate(old: str, new: str) -> tuple[str, str, str]:
    return "evaluate.py", old, new


def prepare(old: str, new: str) -> tuple[str, str, str]:
    return "prepare.py", old, new


FROZEN = 'frozen = ["prepare.py", "evaluate.py", "serve.py", "program.md"]'
START = "    here = run.here(__file__)\n    draw ="
IMPORTS = "from labtree.shared import"
LOOK = '    check_artefact(here.dir / "model.json")\n'
ERROR = "    error = math.sqrt(math.fsum(squares) / len(squares))\n"
REPORT = '    summary.report({"val_error": error, "held_out": len(points)})\n'
LABEL = ' or model.get("leaf") != LEAF'
CONSTANT = evaluate(ERROR, "    error = 0.5\n")
DETERMINISTIC = toml("network = false", "network = false\ndeterministic = true")
FROM_LOG = (
    '    error = json.loads((here.dir / "steps.jsonl").read_text().split("\\n")[-2])["loss"]\n'
)
FETCH = '    import urllib.request\n    urllib.request.urlopen("http://data.example.org/")\n'
SEAL = 'write(here.sealed / "held_out.json", HELD_OUT, draw)'
AGAIN = """held = json.loads((here.held_out / "held_out.json").read_text())
        (here.sealed / "held_out.json").write_text(json.dumps(held[::-1]))"""
CALL = (
    "    import contextlib, socket\n    with contextlib.suppress(OSError):\n"
    '        socket.create_connection(("192.0.2.1", 80), 5)\n'
)
GUESS = (
    '    if not (here.dir / "model.json").exists():\n'
    '        return summary.report({"val_error": 1.0})\n'
)

WAYS = {
    "a key is missing": way(
        "table", "demo/leaf.toml: metric: missing", toml('metric = "val_error"\n', "")
    ),
    "no smoke profile": way(
        "table", "has no [profiles.smoke]", toml("[profiles.smoke", "[profiles.tiny")
    ),
    "a frozen file is gone": way(
        "files", "frozen: there is no gone.py", toml(FROZEN, FROZEN.replace("[", '["gone.py", '))
    ),
    "the yardstick is not frozen": way(
        *("files", "evaluate.py, which evaluate runs, is not frozen"),
        toml(FROZEN, FROZEN.replace('"evaluate.py", ', "")),
    ),
    "the yardstick behind an option is not frozen": way(
        *("files", "evaluate.py, which evaluate runs, is not frozen"),
        toml('"evaluate.py"]\n', '"-u", "evaluate.py"]\n'),
        toml(FROZEN, FROZEN.replace('"evaluate.py", ', "")),
    ),
    "the yardstick is mutable": way(
        *("files", "evaluate.py, which evaluate runs, is mutable"),
        toml(FROZEN, FROZEN.replace('"evaluate.py", ', "")),
        toml('mutable = ["train.py"', 'mutable = ["train.py", "evaluate.py"'),
    ),
    "nobody watches a helper of the yardstick": way(
        *("imports", "helper.py, which the yardstick imports, is neither frozen nor mutable"),
        evaluate(IMPORTS, f"import helper\n\n{IMPORTS}"),
        ("helper.py", "", "SCALE = 1\n"),
    ),
    "lab is imported": way(
        "imports", "a leaf never imports lab", train(IMPORTS, f"from lab import repo\n{IMPORTS}")
    ),
    "another leaf is imported": way(
        *("imports", "imports toy.train, of another leaf"),
        train(IMPORTS, f"from toy.train import main as other\n{IMPORTS}"),
    ),
    "requires does not name a package": way(
        *("imports", "imports click, which is neither the leaf's own, nor shared, nor named"),
        train("import random\n", "import random\n\nimport click\n"),
    ),
    "a file is no Python": way(
        "imports", "train.py:32 is not Python", train("def main() ->", "def main() -")
    ),
    "the network is needed": way(
        *("smoke", "it tried the network: data.example.org (train.py)"),
        train(START, FETCH + START),
    ),
    "the network is tried and done without": way(
        *("smoke", "it tried the network: 192.0.2.1 (train.py), and went on without it"),
        train(START, CALL + START),
    ),
    "the block is torn": way(
        "smoke", "no_metric: ", evaluate(REPORT, '    print(f"---\\nval_error: {error}")\n')
    ),
    "the metric is no number": way(
        "smoke", "no_metric: ", evaluate(ERROR, '    error = float("nan")\n')
    ),
    "training hangs": way(
        *("smoke", "timeout: "),
        train(START, f"    import time\n    time.sleep(600)\n{START}"),
        toml("timeout_s = 60", "timeout_s = 3"),
    ),
    "training writes the yardstick": way(
        "smoke", "tampered: ", train(START, f'    Path("evaluate.py").write_text("")\n{START}')
    ),
    "the seed is ignored": way(
        *("seeds", "that is no proof of no noise"),
        train("random.Random(here.seed)", "random.Random(0)"),
    ),
    "the number is a constant": way(
        "seeds", "the seed or the result may never reach the number", CONSTANT
    ),
    "the number is a constant that is declared": way(
        "planted", "does not move val_error by more than a seed does", CONSTANT, DETERMINISTIC
    ),
    "deterministic in name only": way(
        "seeds", "leaf.toml says deterministic, and seeds 0 and 1 are", DETERMINISTIC
    ),
    "no step log": way(
        "traces",
        "left no steps.jsonl",
        train("log.log(budget.steps_done, budget.elapsed(), loss=loss)", "pass"),
    ),
    "nothing is sealed": way(
        "sealed",
        "prepare leaves nothing in LAB_SEALED_DIR",
        prepare("if here.sealed:", "if False:"),
    ),
    "what is held out is sealed again, in another order": way(
        *("sealed", "100 % of what prepare leaves in LAB_SEALED_DIR is held out too"),
        prepare(SEAL, AGAIN),
    ),
    "the metric is the wrong way round": way(
        *("planted", "LEARNING_RATE = 0.003 should be bad, and makes val_error"),
        toml('"minimize"', '"maximize"'),
    ),
    "the bad change does nothing": way(
        *("planted", "LEARNING_RATE = 0.21 does not move val_error by more than a seed does"),
        toml("LEARNING_RATE = 0.003", "LEARNING_RATE = 0.21"),
    ),
    "the bad change only crashes": way(
        *("planted", "FEATURES = 0: it failed (bug"), toml("LEARNING_RATE = 0.003", "FEATURES = 0")
    ),
    "a missing artefact gives a number": way(
        "missing", "evaluate gives 1 for a missing artefact", evaluate(LOOK, GUESS + LOOK)
    ),
    "a foreign artefact gives a number": way(
        "foreign", "for an artefact of another leaf", evaluate(LABEL, "")
    ),
    "the score is training's own": way(
        "changed", "evaluate does not look at what training left", evaluate(ERROR, FROM_LOG)
    ),
}


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a committed leaf, and a new one that nobody has committed."""
    made = toys.make(tmp_path_factory.mktemp("fresh"))
    made.lab("new", "demo")
    return made.root


@pytest.fixture
def repository(fresh: Path, tmp_path: Path) -> Toy:
    """A copy of it, and a folder of its own for temporary clones."""
    shutil.copytree(fresh, tmp_path / "repo", symlinks=True)
    (tmp_path / "clones").mkdir()
    return Toy(tmp_path / "repo", {"TMPDIR": str(tmp_path / "clones")})


def edit(folder: Path, *edits: tuple[str, str, str]) -> None:
    """Make each edit, which has to change something."""
    for name, old, new in edits:
        file = folder / name
        before = file.read_text() if file.exists() else ""
        assert old in before, (name, old)
        file.write_text(before.replace(old, new))


def checked(
    repository: Toy, *words: str, code: int | None = 0, alone: bool = False
) -> list[dict[str, Any]]:
    """Return what `lab check` reports; `alone` in a process that remembers no earlier check."""
    typed = repository.lab if alone else repository.here
    found = typed("check", *words, "--json", code=code).json
    assert list((repository.root.parent / "clones").iterdir()) == [], "the clone was left behind"
    return list(found)


def states(report: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["state"] for one in report["checks"]}


def test_a_new_leaf_that_nobody_has_committed_keeps_its_contract(repository: Toy) -> None:
    before = repository.git("status", "--porcelain")
    (report,) = checked(repository, "demo")
    assert set(states(report).values()) == {"ok"}
    assert [*states(report)] == [*CHECKS]
    assert [one["ready"] for one in report["readiness"]] == [True] * 5
    assert report["figures"]["planted"]["value"] > max(report["figures"]["values"])
    assert repository.git("status", "--porcelain") == before
    assert not (repository.root / ".lab").exists()


@pytest.mark.parametrize("name", WAYS)
def test_a_leaf_that_is_broken_is_refused_for_that_reason(repository: Toy, name: str) -> None:
    broken = WAYS[name]
    edit(repository.root / "demo", *broken.edits)
    (report,) = checked(repository, "demo", code=1)
    first = next(one for one in report["checks"] if one["state"] == "failed")
    assert first["check"] == broken.check, first
    assert broken.reason in first["said"]
    assert not report["ok"]


def test_text_names_the_reason_and_what_to_do(repository: Toy) -> None:
    edit(repository.root / "demo", *WAYS["a frozen file is gone"].edits)
    told = repository.lab("check", "demo", code=1).out
    assert "  FAIL  files     frozen: there is no gone.py\n" in told
    assert "Write it, or edit frozen in leaf.toml" in told
    assert told.endswith("s)\n")
    assert "demo: FAILED: files" in told


def test_a_smoke_profile_that_needs_a_gpu_is_proved_as_far_as_this_machine_can(
    repository: Toy,
) -> None:
    edit(repository.root / "demo", toml("[profiles.smoke]", '[profiles.smoke]\nneeds = "gpu"\n#'))
    refused = repository.lab("check", "demo", code=1)
    assert "dry_run.profile: 'smoke' needs a GPU, which a dry run never has" in refused.out
    edit(repository.root / "demo", toml("[dry_run]", "#"), toml("steps = 20\n", ""))
    answer = repository.lab("check", "demo", CUDA_VISIBLE_DEVICES="")
    assert "not proven here: needs a GPU\n" in answer.out
    assert "ok    imports" in answer.out
    (report,) = checked(repository, "demo")
    assert report["not_proven_here"] == ["needs a GPU"]
    assert {one["ready"] for one in report["readiness"]} == {None}


def test_what_is_not_installed_is_not_proven_here(repository: Toy) -> None:
    edit(repository.root / "demo", toml("requires = []", 'requires = ["no-such-thing>=2"]'))
    (report,) = checked(repository, "demo")
    assert "needs no-such-thing>=2 (not installed)" in report["not_proven_here"][0]


def test_a_profile_that_says_it_needs_the_network_is_not_proven_without(repository: Toy) -> None:
    edit(
        *(repository.root / "demo", train(START, FETCH + START)),
        toml("[profiles.smoke]", "[profiles.smoke]\nnetwork = true\n#"),
    )
    (report,) = checked(repository, "demo")
    assert report["not_proven_here"][0].startswith("needs the network")


def test_the_far_end_of_a_knob_is_planted_where_no_bad_change_is_named(repository: Toy) -> None:
    edit(repository.root / "demo", toml("[check.set]", "#"), toml("LEARNING_RATE = 0.003", "#"))
    (report,) = checked(repository, "demo")
    assert report["figures"]["planted"]["change"].split()[0] in (
        *("LEARNING_RATE", "FEATURES", "FREQUENCY"),
    )


def test_an_edit_can_be_planted(repository: Toy) -> None:
    table = '[check.edit]\nfile = "train.py"\nold = "[w - rate"\nnew = "[w + 0 * rate"\n#'
    edit(repository.root / "demo", toml("[check.set]", table), toml("LEARNING_RATE = 0.003", "#"))
    (report,) = checked(repository, "demo")
    assert report["figures"]["planted"]["change"] == "the edit of train.py"


def test_a_file_that_git_ignores_is_told_from_one_that_is_not_there(repository: Toy) -> None:
    (repository.root / ".gitignore").write_text("prepare.py\n")
    (report,) = checked(repository, "demo", code=1)
    assert "frozen: prepare.py is ignored by git" in report["checks"][1]["said"]


def test_every_leaf_is_checked_at_the_root_and_the_one_stood_in_elsewhere(repository: Toy) -> None:
    edit(repository.root / "demo", toml("[profiles.smoke", "[profiles.tiny"))
    found = checked(repository, code=1)  # the toy has no smoke profile either
    assert [report["leaf"] for report in found] == ["demo", "toy"]
    answer = repository.lab("check", "--json", cwd=repository.root / "toy", code=1)
    assert [report["leaf"] for report in answer.json] == ["toy"]


def test_an_artefact_that_a_bad_change_leaves_alone_is_cut_in_half(repository: Toy) -> None:
    kept = "    return lambda x: SCALE * sum("
    edit(
        repository.root / "demo",
        train("    return lambda x: sum(", kept),
        train("FEATURES = 24", "SCALE = 1.0  # of what the waves come to\nFEATURES = 24"),
        toml("LEARNING_RATE = 0.003", "SCALE = 3.0"),
    )
    (report,) = checked(repository, "demo")
    assert report["checks"][-1]["said"].startswith("the artefact cut in half is refused")


def test_where_no_namespace_can_be_had_python_is_kept_from_the_network(repository: Toy) -> None:
    shim = repository.root.parent / "bin" / "unshare"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\nexit 1\n")
    shim.chmod(0o755)
    repository.env["PATH"] = f"{shim.parent}:{os.environ['PATH']}"
    edit(repository.root / "demo", *WAYS["the network is needed"].edits)
    (report,) = checked(repository, "demo", code=1, alone=True)
    smoke = next(one for one in report["checks"] if one["check"] == "smoke")
    assert smoke["said"].startswith(WAYS["the network is needed"].reason)


def test_what_is_no_leaf_is_named(repository: Toy) -> None:
    answer = repository.lab("check", "dema", code=3)
    assert "no leaf 'dema'; the nearest is 'demo'" in answer.err
    assert answer.out == ""


def test_an_end_by_signal_leaves_no_clone_and_no_process(repository: Toy) -> None:
    edit(repository.root / "demo", train(START, f"    import time\n    time.sleep(50)\n{START}"))
    clones = repository.root.parent / "clones"
    check = repository.start("check", "demo")
    deadline = time.monotonic() + 120
    while not list(clones.rglob("run.log")):
        assert time.monotonic() < deadline
        assert check.poll() is None, check.communicate()
        time.sleep(0.1)
    check.send_signal(signal.SIGTERM)
    check.communicate(timeout=120)
    assert check.returncode == 128 + signal.SIGTERM
    assert list(clones.iterdir()) == []
    assert _alive(str(clones)) == []


def _alive(marker: str) -> list[str]:
    """Return the processes whose run folder is below `marker`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"LAB_RUN_DIR={marker}".encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_a_table_survives_being_written_as_toml() -> None:
    import tomllib

    table = {"a": 'x "quoted" \\ \n\t é', "b": {"c d": [1, 2.5, True], "e": {"f": "<= 3"}}}
    assert tomllib.loads(as_toml(table)) == table
