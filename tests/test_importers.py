"""Other tools' logs, as messy as they are, become rows and named problems."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lab import importers
from lab.errors import Environment, LabError, NotFound, Usage
from lab.importers import ImportedRow, Problem

DATA = Path(__file__).parent / "data"
HEAD = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
KEEP = "a1b2c3d\t0.9979\t44.0\tkeep\tbaseline\n"


def log(folder: Path, text: str | bytes) -> Path:
    path = folder / "results.tsv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def rows(path: Path) -> list[ImportedRow]:
    return [found for found in importers.read(path) if isinstance(found, ImportedRow)]


def problems(path: Path) -> list[tuple[int, str, bool]]:
    return [
        (found.line, found.text, found.skipped)
        for found in importers.read(path)
        if isinstance(found, Problem)
    ]


def test_a_row_carries_commit_metrics_verdict_and_description(tmp_path):
    (row,) = rows(log(tmp_path, HEAD + KEEP))
    assert (row.line, row.commit, row.metric, row.value) == (2, "a1b2c3d", "val_bpb", 0.9979)
    assert row.metrics == {"val_bpb": 0.9979, "memory_gb": 44.0}
    assert (row.verdict, row.claim, row.mechanism) == ("keep", "baseline", "")
    assert (row.lesson, row.mechanism_outcome, row.at) == (None, None, None)


@pytest.mark.parametrize(
    ("line", "value", "metrics"),
    [
        ("na\t0.000000\t0.0\tcrash\tOOM", None, {}),
        ("na\t0.7600\t12.0\tcrash\tdied late", 0.76, {"val_bpb": 0.76, "memory_gb": 12.0}),
        ("na\t0.0\t0.0\tdiscard\tstopped early", None, {}),
        ("na\t0.0\t9.5\tdiscard\tscored nothing", 0.0, {"val_bpb": 0.0, "memory_gb": 9.5}),
    ],
    ids=["zero of a crash", "crash with a number", "nothing ran", "a real zero"],
)
def test_a_zero_counts_only_where_something_was_measured(tmp_path, line, value, metrics):
    (row,) = rows(log(tmp_path, HEAD + line + "\n"))
    assert (row.value, row.metrics) == (value, metrics)


@pytest.mark.parametrize(
    "text", ["0.86mv", "na", "inf", "nan", "1_000", "", "0x10", "--1", "1.2.3"]
)
def test_what_is_no_number_is_null_and_reported(tmp_path, text):
    path = log(tmp_path, HEAD + f"a1b2c3d\t{text}\t44.0\tkeep\tidea\n")
    (row,) = rows(path)
    assert (row.value, row.metrics) == (None, {"memory_gb": 44.0})
    assert problems(path) == [(2, f"val_bpb {text!r} is not a number", False)]


@pytest.mark.parametrize(
    ("status", "verdict", "known"),
    [
        ("keep", "keep", True),
        ("KEEP (best)", "keep", True),
        ("baseline", "keep", True),
        ("reverted", "discard", True),
        ("no gain", "discard", True),
        ("OOM", "crash", True),
        ("timed-out", "crash", True),
        ("inconclusive", None, True),
        ("baseline_reset", None, True),
        ("in progress", None, True),
        ("n/a", None, True),
        ("purple", None, False),
    ],
)
def test_statuses_seen_in_the_wild_become_verdicts(tmp_path, status, verdict, known):
    path = log(tmp_path, HEAD + f"a1b2c3d\t0.99\t44.0\t{status}\tidea\n")
    assert [row.verdict for row in rows(path)] == [verdict]
    assert (problems(path) == []) == known


def test_ragged_and_torn_lines_are_named_and_skipped_and_the_rest_is_read(tmp_path):
    torn = "bea057b\t0.98"
    wide = "bea057b\t0.98\t1.0\tkeep\tan\tidea\n"
    empty = "na\t-\t-\t\t\n"
    path = log(tmp_path, HEAD + wide + KEEP + empty + "\n" + KEEP + torn)
    assert [row.line for row in rows(path)] == [3, 6]
    assert problems(path) == [
        (2, "6 columns where the header has 5; skipped", True),
        (4, "neither a description nor a number; skipped", True),
        (7, "2 columns where the header has 5; skipped", True),
    ]


def test_windows_line_ends_a_bom_and_trailing_tabs_do_not_matter(tmp_path):
    plain = rows(log(tmp_path, HEAD + KEEP))
    dressed = (HEAD + KEEP).replace("\n", "\t\r\n").replace("description\t", "description")
    assert rows(log(tmp_path, b"\xef\xbb\xbf" + dressed.encode())) == plain


def test_bytes_that_are_not_utf8_are_replaced_and_reported(tmp_path):
    path = log(tmp_path, HEAD.encode() + b"a1b2c3d\t0.99\t44.0\tkeep\tcaf\xe9 schedule\n")
    assert [row.claim for row in rows(path)] == ["caf\ufffd schedule"]
    assert problems(path) == [(2, "bytes that are not UTF-8 were replaced", False)]


def test_a_repeated_header_is_no_row(tmp_path):
    path = log(tmp_path, HEAD + KEEP + HEAD + KEEP)
    assert [row.line for row in rows(path)] == [2, 4]
    assert problems(path) == []


def test_a_new_header_further_down_names_the_columns_from_there(tmp_path):
    later = "commit\tval_score\tstatus\tdescription\nbea057b\t0.5\tdiscard\tidea\n"
    first, second = rows(log(tmp_path, HEAD + KEEP + later))
    assert (first.metric, second.metric, second.value) == ("val_bpb", "val_score", 0.5)


def test_without_a_header_the_columns_are_guessed_and_said_to_be(tmp_path):
    path = log(tmp_path, KEEP)
    (row,) = rows(path)
    assert (row.metric, row.value, row.verdict, row.claim) == ("metric", 0.9979, "keep", "baseline")
    assert problems(path) == [(1, "no header; the columns were guessed", False)]


def test_richer_logs_give_mechanism_lesson_outcome_and_time(tmp_path):
    head = "commit\tkind\tscore\tstatus\thypothesis\tinterpretation\tagrees_with_hypothesis\t"
    line = "a1b2c3d\tlr\t0.5\tdiscard\ttoo hot\tit was not\tno\t2026-03-08 01:02:03\tlower lr\n"
    (row,) = rows(log(tmp_path, head + "timestamp\tdescription\n" + line))
    assert (row.claim, row.mechanism, row.lesson) == ("lower lr", "too hot", "it was not")
    assert (row.mechanism_outcome, row.at) == ("refuted", "2026-03-08T01:02:03.000Z")
    assert (row.metric, row.metrics) == ("score", {"score": 0.5})


def test_a_log_without_a_status_column_may_open_its_descriptions_with_the_verdict(tmp_path):
    text = "commit\trmse\tdescription\na1b2c3d\t2.5\tdiscard \u2014 deeper trees\n"
    assert [row.verdict for row in rows(log(tmp_path, text))] == ["discard"]


def test_the_same_rows_have_the_same_seeds_also_when_the_log_has_grown(tmp_path):
    before = [row.uid_seed for row in rows(log(tmp_path, HEAD + KEEP + KEEP))]
    after = [row.uid_seed for row in rows(log(tmp_path, HEAD + KEEP + "\n" + KEEP + KEEP))]
    assert len(set(after)) == 3  # a line repeated is an experiment repeated
    assert after[:2] == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"just words\n",
        b"\x89PNG\r\n\x00\t",
        b"def f():\n\treturn 1\n",
        "a\tb".encode("utf-16"),
    ],
    ids=["empty", "prose", "image", "code with tabs", "utf-16"],
)
def test_a_file_that_is_no_log_is_refused_in_two_lines(tmp_path, content):
    path = log(tmp_path, content)
    with pytest.raises(Usage) as refused:
        rows(path)
    assert str(path) in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.hint.startswith("A results.tsv begins with")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(NotFound):
        importers.kind(tmp_path / "nowhere.tsv")
    with pytest.raises(Environment):
        importers.kind(tmp_path)


def test_kinds_are_told_by_content_not_by_name(tmp_path):
    assert importers.kind(log(tmp_path, HEAD)) == "tsv"
    assert importers.kind(log(tmp_path, '\ufeff{"table": "hypotheses"}\n')) == "labtree-jsonl"
    assert importers.kind(database(tmp_path)) == "praxlab-db"


# -- experiments.db -------------------------------------------------------------


def database(folder: Path) -> Path:
    """Make a database with PraxLab's tables and column names, as its first version had them."""
    path = folder / "experiments.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table hypotheses (id text, title text, mechanism_explanation text)")
        db.execute("create table experiments (id text, hypothesis_id text, task_id text,"
                   " status text, created_at text)")  # fmt: skip
        db.execute("create table results (experiment_id text, metrics_json text, verdict text,"
                   " mechanism_confirmed integer, theory_revision text, interpretation text,"
                   " created_at text)")  # fmt: skip
    return path


def record(path: Path, number: int, **result: object) -> None:
    """Add one hypothesis and its experiment, with a result when one is given."""
    with closing(sqlite3.connect(path)) as db, db:
        at = "2026-03-08T01:02:03+00:00"
        db.execute("insert into hypotheses values (?, 'wider FFN', 'more room')", (f"h{number}",))
        db.execute(
            "insert into experiments values (?, ?, 'tinker-rl', 'running', ?)",
            (f"e{number}", f"h{number}", at),
        )
        if result:
            names = ", ".join(result)
            marks = ", ".join("?" * len(result))
            db.execute(
                f"insert into results (experiment_id, created_at, {names}) values (?, ?, {marks})",
                (f"e{number}", at, *result.values()),
            )


def test_an_experiment_of_a_database_carries_everything_it_has(tmp_path):
    path = database(tmp_path)
    record(path, 1, metrics_json='{"eval_reward_mean": 0.9, "steps": 75, "note": "x"}',
           verdict="discard", mechanism_confirmed=0, theory_revision="width is not it",
           interpretation="worse")  # fmt: skip
    (row,) = rows(path)
    assert (row.claim, row.mechanism, row.verdict) == ("wider FFN", "more room", "discard")
    assert (row.metric, row.value) == ("eval_reward_mean", 0.9)
    assert row.metrics == {"eval_reward_mean": 0.9, "steps": 75.0}
    assert (row.mechanism_outcome, row.lesson) == ("refuted", "width is not it")
    assert (row.at, row.leaf) == ("2026-03-08T01:02:03.000Z", "tinker-rl")


def test_an_experiment_without_a_result_has_no_verdict(tmp_path):
    path = database(tmp_path)
    record(path, 1)
    assert [(row.verdict, row.value, row.metrics) for row in rows(path)] == [(None, None, {})]


@pytest.mark.parametrize(
    ("metrics", "kept", "reported"),
    [
        ("not json", {}, 1),
        ("[1]", {}, 1),
        ('{"loss": NaN, "steps": 1e999, "acc": 1}', {"acc": 1.0}, 0),
        ('{"loss": 1' + "0" * 500 + "}", {}, 0),
        (None, {}, 0),
    ],
    ids=["broken", "a list", "not finite", "huge", "missing"],
)
def test_broken_metrics_of_a_database_are_reported_and_the_row_is_kept(
    tmp_path, metrics, kept, reported
):
    path = database(tmp_path)
    record(path, 1, metrics_json=metrics, verdict="keep")
    assert [row.metrics for row in rows(path)] == [kept]
    assert len(problems(path)) == reported


def test_orphans_of_a_database_are_reported_and_skipped(tmp_path):
    path = database(tmp_path)
    record(path, 1, verdict="keep")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("update experiments set hypothesis_id = 'h9'")
    assert rows(path) == []
    assert [text for _, text, _ in problems(path)] == [
        "experiment e1 has no hypothesis; skipped",
        "hypothesis h1 was never tried; skipped",
    ]


def test_reading_a_database_in_use_sees_the_newest_rows_and_leaves_no_file_behind(tmp_path):
    path = database(tmp_path)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("pragma journal_mode = wal")
        writer.execute("insert into hypotheses values ('h1', 'wider FFN', '')")
        writer.execute("insert into experiments values ('e1', 'h1', 't', 'running', '')")
        writer.commit()
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        assert [row.claim for row in rows(path)] == ["wider FFN"]
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("damage", ["other tables", "cut off"])
def test_a_database_that_is_not_praxlabs_is_refused(tmp_path, damage):
    path = tmp_path / "experiments.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table songs (title text)")
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(LabError) as refused:
        rows(path)
    assert (refused.value.exit_code, bool(refused.value.hint)) == (2, True)


# -- Whole logs ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "counts", "metric", "without_value"),
    [
        ("autoresearch-h100-mar8.tsv", (23, 102, 1), "val_bpb", 1),
        ("lookalike-sft.tsv", (21, 19, 0), "eval_loss", 10),
        ("lookalike-rl.tsv", (3, 3, 0), "eval_reward_mean", 0),
        ("lookalike-tools.tsv", (5, 3, 1), "eval_reward_mean", 0),
        ("lookalike-prompts.tsv", (5, 4, 0), "val_score", 0),
    ],
)
def test_a_whole_log_is_read_to_its_end(name, counts, metric, without_value):
    found = rows(DATA / name)
    verdicts = [row.verdict for row in found]
    assert tuple(map(verdicts.count, ("keep", "discard", "crash"))) == counts
    assert {row.metric for row in found} == {metric}
    assert sum(row.value is None for row in found) == without_value
    assert not any(skipped for _, _, skipped in problems(DATA / name))
    assert len({row.uid_seed for row in found}) == len(found)
