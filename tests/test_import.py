"""Records in and out: our own JSON Lines, and the logs of other tools, through the command line."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from toy import Quick, Toy, slope

DATA = Path(__file__).parent / "data"
TSV = """\
commit\tval_bpb\tmemory_gb\tstatus\tdescription
a1b2c3d\t0.997900\t44.0\tkeep\tbaseline
b2c3d4e\t0.993200\t44.2\tkeep\tincrease LR to 0.04
c3d4e5f\t1.005000\t44.0\tdiscard\tswitch to GeLU activation
d4e5f6a\t0.000000\t0.0\tcrash\tdouble model width (OOM)
torn line without
e5f6a7b\tnot-a-number\t44.0\tdiscard\tswap the loader
"""


def second(quick: Quick, tmp_path: Path) -> Quick:
    """Return another clone with a notebook of its own."""
    shutil.copytree(quick.root, tmp_path / "second", ignore=shutil.ignore_patterns(".lab"))
    return Quick(tmp_path / "second")


def tsv(quick: Quick, text: str = TSV) -> Path:
    """Write a log of another tool."""
    path = quick.root.parent / "results.tsv"
    path.write_text(text)
    return path


# -- Our own -------------------------------------------------------------------------------


@pytest.fixture
def lived(quick: Quick) -> Quick:
    """A notebook with something of everything that needs no run."""
    quick.lab("hypothesis", "halve the lr", "-m", "noise 🚀", "--axis", "lr", "--observe", "a > 1")
    quick.lab("experiment", "h1")
    quick.lab("result", "e1", "-v", "keep", "--metrics", '{"loss": 0.5}')
    quick.lab("result", "e1", "-v", "discard", "--mechanism-refuted", "--theory-revision", "no")
    quick.lab("lesson", "seeds matter", "--evidence", "e1", "--everywhere")
    quick.lab("hypothesis", "never run", "-m", "why")
    quick.lab("import", str(tsv(quick)))
    return quick


def test_an_export_comes_in_whole_and_twice_changes_nothing(lived: Quick, tmp_path: Path) -> None:
    file = tmp_path / "notebook.jsonl"
    assert lived.lab("export", "-o", str(file)).out == f"wrote {file}\n"
    lines = file.read_text().splitlines()
    assert all(json.loads(line)["table"] for line in lines)
    other = second(lived, tmp_path)
    assert other.lab("import", str(file)).out == f"{len(lines)} new, 0 known already, 0 skipped\n"
    assert other.lab("export").out.splitlines() == lines
    for words in (["log"], ["show", "e1"], ["show", "h1"], ["failures"], ["log", "--events"]):
        assert other.lab(*words, "--json").out == lived.lab(*words, "--json").out
    assert other.lab("import", str(file)).out == f"0 new, {len(lines)} known already, 0 skipped\n"
    assert other.lab("export").out.splitlines() == lines
    assert other.lab("doctor", "--json").json["ok"]


def test_what_comes_into_a_lived_in_notebook_gets_ids_of_its_own(
    lived: Quick, tmp_path: Path
) -> None:
    file = tmp_path / "notebook.jsonl"
    lived.lab("export", "-o", str(file))
    other = second(lived, tmp_path)
    other.lab("hypothesis", "mine", "-m", "first here")
    other.lab("experiment", "h1")
    other.lab("import", str(file))
    shown = other.lab("show", "e2", "--json").json
    assert (shown["claim"], shown["hypothesis"], shown["verdict"]) == (
        "halve the lr",
        "h2",
        "discard",
    )
    events = other.lab("log", "--events", "--json", "-n", "100").json
    assert [e["subject"] for e in events if e["verb"] == "result"] == ["e2", "e2"]
    assert other.lab("failures", "smaller learning rate", "--json").json[0]["experiment"] == "e2"
    assert other.idea("next") == f"h{len(other.lab('log', '--json').json) + 2}"
    assert other.lab("doctor", "--json").json["ok"]


def test_measured_runs_survive_the_journey(toy: Toy, campaign: Path, tmp_path: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 0.5)
    toy.lab("run", idea, cwd=campaign)
    toy.lab("result", "e2", "-v", "discard", cwd=campaign)
    file = tmp_path / "notebook.jsonl"
    toy.lab("export", "-o", str(file))
    home = str(tmp_path / "home")
    toy.lab("import", str(file), LAB_HOME=home)
    for name in ("e1", "e2"):
        there = toy.lab("show", name, "--json", LAB_HOME=home).json
        assert there == toy.lab("show", name, "--json").json
    before, after = (toy.lab("context", "--json", **env).json for env in ({}, {"LAB_HOME": home}))
    assert after["noise"] == before["noise"]
    assert after["best"] == before["best"]
    assert toy.lab("doctor", "--json", LAB_HOME=home).json["ok"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{broken", "not JSON"),
        ("[1]", "no record"),
        ('{"table": "secrets", "uid": "x"}', "no record of a table we know"),
        ('{"table": "hypotheses", "claim": "x"}', "no uid"),
        ('{"table": "hypotheses", "uid": "x", "id": 7}', "no such column 'id'"),
        ('{"table": "hypotheses", "uid": "x", "a\\") --": 7}', "no such column"),
        ('{"table": "hypotheses", "uid": "x"}', "leaf"),
        ('{"table": "results", "uid": "x", "experiment": "nobody"}', "'nobody' is not here"),
        ('{"table": "results", "uid": "x", "value": 1e999}', "not finite"),
        ('{"table": "results", "uid": "x", "value": NaN}', "not finite"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_bad_line_is_named_and_skipped_and_the_others_come_in(
    lived: Quick, tmp_path: Path, line: str, why: str
) -> None:
    good = lived.lab("export").out.splitlines()
    file = tmp_path / "notebook.jsonl"
    file.write_text("\n".join([*good[:2], line, "", *good[2:]]) + "\n")
    other = second(lived, tmp_path)
    answer = other.lab("import", str(file), "--json")
    found = answer.json
    assert (found["new"], found["skipped"]) == (len(good), 1)
    assert f"{file}:3: skipped (" in answer.err
    assert why in answer.err
    assert other.lab("doctor", "--json").json["ok"]


# -- Other tools' -------------------------------------------------------------------------------


def test_a_results_tsv_comes_in_marked_and_is_never_an_incumbent(quick: Quick) -> None:
    path = tsv(quick)
    answer = quick.lab("import", str(path), "--leaf", "toy")
    assert answer.out == "5 new, 0 known already, 1 skipped\n"
    assert f"{path}:6: 1 columns where the header has 5; skipped" in answer.err
    assert f"{path}:7: val_bpb 'not-a-number' is not a number" in answer.err
    log = quick.lab("log", "--json").json
    assert [one["verdict"] for one in log] == ["discard", "crash", "discard", "keep", "keep"]
    assert all(one["imported"] for one in log)
    assert " imported " in quick.lab("log").out
    found = quick.lab("context", "--json").json
    assert (found["incumbent"], found["best"], found["noise"]) == (None, None, None)
    assert quick.lab("import", str(path)).out == "0 new, 5 known already, 1 skipped\n"


def test_an_imported_crash_is_unsettled_without_a_class_and_its_zero_no_value(
    quick: Quick,
) -> None:
    quick.lab("import", str(tsv(quick)))
    (crash,) = [one for one in quick.lab("log", "--json").json if one["verdict"] == "crash"]
    assert (crash["status"], crash["value"], crash["failure"]) == ("failed", None, None)
    (found,) = quick.lab("failures", "wider model", "-n", "1", "--json").json
    assert (found["experiment"], found["kind"], found["failure"]) == ("e4", "unsettled", None)
    assert "imported" in quick.lab("failures").out


def test_the_same_rows_in_a_longer_log_come_in_once(quick: Quick) -> None:
    quick.lab("import", str(tsv(quick)))
    longer = tsv(quick, TSV + "f6a7b8c\t0.9900\t44.0\tkeep\tdepth 9\n")
    assert quick.lab("import", str(longer)).out == "1 new, 5 known already, 1 skipped\n"


def test_a_log_needs_a_leaf_where_there_are_several(quick: Quick) -> None:
    quick.leaf("other")
    assert "--leaf" in quick.lab("import", str(tsv(quick)), code=2).err
    quick.lab("import", str(tsv(quick)), "--leaf", "other")
    assert quick.lab("log", "other", "-n", "1", "--json").json[0]["leaf"] == "other"


@pytest.mark.parametrize("what", ["picture", "empty", "folder", "nothing"])
def test_a_file_that_is_no_log_is_refused(quick: Quick, tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    elif what != "nothing":
        path.write_bytes(b"\x89PNG\r\n\0" * 20 if what == "picture" else b"")
    answer = quick.lab("import", str(path), code=None)
    assert answer.code in (2, 3)
    assert len(answer.err.splitlines()) == 2


PRAXLAB = """
    create table hypotheses (id text primary key, task_id text, title text, rationale text,
        mechanism_explanation text, created_at text);
    create table experiments (id text primary key, hypothesis_id text, task_id text, status text,
        created_at text);
    create table results (id integer primary key, experiment_id text, verdict text,
        metrics_json text, mechanism_confirmed text, theory_revision text, insight text,
        created_at text);
    insert into hypotheses values ('hyp-1', 'rl', 'longer completions', 'cut-off answers score 0',
        'truncation hides right answers', '2026-03-01T10:00:00');
    insert into experiments values ('exp-1', 'hyp-1', 'rl', 'completed', '2026-03-01T11:00:00');
    insert into results values (1, 'exp-1', 'keep', '{"eval_reward_mean": 0.93}', 'yes',
        'length was the limit', null, '2026-03-01T12:00:00');
    insert into hypotheses values ('hyp-2', 'rl', 'DRO loss', 'robust', null,
        '2026-03-02T10:00:00');
    insert into experiments values ('exp-2', 'hyp-2', 'rl', 'failed', '2026-03-02T11:00:00');
"""


def test_a_praxlab_database_comes_in_with_mechanisms_and_lessons(
    quick: Quick, tmp_path: Path
) -> None:
    path = tmp_path / "experiments.db"
    with sqlite3.connect(path) as db:
        db.executescript(PRAXLAB)
    db.close()
    before = path.read_bytes()
    assert quick.lab("import", str(path)).out.startswith("2 new, ")
    kept = quick.lab("show", "e1", "--json").json
    assert (kept["claim"], kept["verdict"], kept["value"]) == ("longer completions", "keep", 0.93)
    assert (kept["mechanism_outcome"], kept["lesson"]) == ("confirmed", "length was the limit")
    assert (kept["direction"], kept["at"]) == ("maximize", "2026-03-01T12:00:00.000Z")
    (crash,) = quick.lab("failures", "--json").json
    assert (crash["claim"], crash["kind"]) == ("DRO loss", "unsettled")
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.glob("experiments.db*")) == ["experiments.db"]
    assert quick.lab("import", str(path)).out.startswith("0 new, 2 known already")


# -- Found again ----------------------------------------------------------------------------------


def test_old_ideas_are_found_in_other_words_among_the_first_five(quick: Quick) -> None:
    questions = [json.loads(line) for line in (DATA / "recall.jsonl").read_text().splitlines()]
    for path in sorted(DATA.glob("*.tsv")):
        quick.lab("import", str(path), LAB_HOME=str(quick.root / path.stem))
    right = 0
    for question in questions:
        home = str(quick.root / Path(question["notebook"]).stem)
        found = quick.lab("failures", question["query"], "--json", LAB_HOME=home).json[:5]
        right += any(one["claim"] in question["hits"] for one in found)
    assert len(questions) > 20
    assert right / len(questions) >= 0.85
