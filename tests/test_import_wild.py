"""Logs as people and agents keep them come in whole, and what was measured stays in front."""

import itertools
import json
from pathlib import Path

import nights
import pytest
from nights import Idea
from toy import LEAF, Answer, Quick

FALLING = [4.5, 4.25, 4.75, 4.0]  # steps of a metric that should be low; the third is not kept
VERDICTS = ["keep", "keep", "discard", "keep"]
NAMES = ["as it is", "deeper", "wider", "longer"]


def take(quick: Quick, log: str | bytes, *words: str, code: int = 0, name: str = "log") -> Answer:
    path = quick.root.parent / name
    path.write_bytes(log.encode() if isinstance(log, str) else log)
    return quick.lab("import", str(path), "--leaf", "toy", *words, code=code)


def table(head: str, *rows: str) -> str:
    return "\n".join([head.replace(" ", "\t"), *(row.replace(" ", "\t") for row in rows)]) + "\n"


def numbers(quick: Quick) -> list[float | None]:
    """Return the values of what is in the notebook, oldest first."""
    return [one["value"] for one in quick.lab("log", "-n", "500", "--json").json[::-1]]


# -- Which column, which way -----------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "rows", "metric"),
    [
        ("commit score loss status notes", "{} 7 {} {} x", "loss"),  # the leaf's own
        ("run_id config_id wer status notes", "{} 4 {} {} x", "wer"),
        ("commit loss_before loss_after status notes", "{} 9 {} {} x", "loss_after"),
        ("commit accessibility_checks eval_fid status notes", "{} 5 {} {} x", "eval_fid"),
        ("commit epochs frobs status notes", "{} 5 {} {} x", "frobs"),
    ],
)
def test_the_metric_is_never_an_id_or_a_before(
    quick: Quick, head: str, rows: str, metric: str
) -> None:
    lines = [
        rows.format(f"aaaaaa{at}", value, verdict)
        for at, (value, verdict) in enumerate(zip(FALLING, VERDICTS, strict=True))
    ]
    answer = take(quick, table(head, *lines))
    assert answer.err.startswith(f"metric {metric} (")
    board = quick.lab("board", "toy", "--json").json
    assert (board["metric"], board["direction"]) == (metric, "minimize")
    assert [row["gain"] for row in board["experiments"]] == [None, 0.25, -0.5, 0.25]
    assert numbers(quick) == FALLING


@pytest.mark.parametrize(
    "log",
    [
        "# goal: minimize\ncommit\tscore\tnotes\naaaaaa1\t3\tx\n",
        "commit\tscore\tlower_is_better\tnotes\naaaaaa1\t3\ttrue\tx\n",
        "commit\tscore (lower is better)\tnotes\naaaaaa1\t3\tx\n",
        '{"type": "meta", "direction": "min"}\n{"commit": "aaaaaa1", "score": 3, "notes": "x"}\n',
    ],
    ids=["comment", "column", "header", "settings"],
)
def test_a_log_says_itself_which_way_is_better(quick: Quick, log: str) -> None:
    assert "minimize (" in take(quick, log).err
    assert quick.lab("board", "toy", "--json").json["direction"] == "minimize"


def test_metric_and_direction_can_be_set_and_a_column_that_is_not_there_is_named(
    quick: Quick,
) -> None:
    log = table("commit loss frobs notes", "aaaaaa1 3 7 x")
    refused = take(quick, log, "--metric", "frob", code=2)
    assert "no column 'frob'" in refused.err
    said = take(quick, log, "--metric", "frobs", "--direction", "maximize").err
    assert said.startswith("metric frobs (as asked), maximize (as asked)")
    assert numbers(quick) == [7]


# -- Every dress -----------------------------------------------------------------------


def rows_of(number: "str" = "{}") -> list[list[str]]:
    parts = zip(FALLING, VERDICTS, NAMES, strict=True)
    return [[f"bbbbbb{at}", number.format(v), w, n] for at, (v, w, n) in enumerate(parts)]


def tabbed(rows: list[list[str]], end: str = "\n", mark: str = "\t") -> str:
    return end.join(mark.join(row) for row in [["commit", "loss", "status", "description"], *rows])


def objects(**more: object) -> str:
    return "".join(
        json.dumps({"commit": c, "metrics": {"loss": float(v)}, "status": s, "summary": n, **more})
        + "\n"
        for c, v, s, n in rows_of()
    )


DRESSES: dict[str, str | bytes] = {
    "plain": tabbed(rows_of()),
    "comment": "# my night\n" + tabbed(rows_of()),
    "windows": tabbed(rows_of(), "\r\n"),
    "old mac": tabbed(rows_of(), "\r"),
    "commas": tabbed(rows_of(), mark=","),
    "semicolons": tabbed([[cell.replace(".", ",") for cell in row] for row in rows_of()], mark=";"),
    "quoted": tabbed([[f'"{cell}"' for cell in row] for row in rows_of()]),
    "two lines": tabbed([[*row[:3], f'"{row[3]}\nand more"'] for row in rows_of()]),
    "utf-16": tabbed(rows_of()).encode("utf-16"),
    "utf-16 bare": tabbed(rows_of()).encode("utf-16-be"),
    "marked": b"\xef\xbb\xbf" + tabbed(rows_of()).encode(),
    "zeros": tabbed(rows_of()).encode() + b"\n" + b"\0" * 512,
    "percent": tabbed(rows_of("{}%")),
    "bold": tabbed(rows_of("**{}**")),
    "error": tabbed(rows_of("{} ± 0.01")),
    "decimal comma": tabbed([[cell.replace(".", ",") for cell in row] for row in rows_of()]),
    "empty notes": tabbed([[*row[:3], ""] for row in rows_of()]),
    "cut notes": tabbed([row[:3] for row in rows_of()]),
    "markdown": tabbed([["-"] * 4, *rows_of()], mark=" | "),
    "objects": objects(),
    "list": json.dumps([json.loads(line) for line in objects().splitlines()]),
    "newest first": tabbed([[*row, at] for row, at in zip(rows_of(), "9876", strict=True)]),
}


@pytest.mark.parametrize("dress", DRESSES)
def test_a_good_log_in_another_dress_comes_in_whole_and_twice_changes_nothing(
    quick: Quick, dress: str
) -> None:
    if dress == "newest first":
        head, *rows = DRESSES["plain"].splitlines()  # type: ignore[union-attr]
        dated = [f"{row}\t2026-03-08T0{at}:00:00" for at, row in enumerate(rows, 1)]
        DRESSES[dress] = "\n".join([f"{head}\ttimestamp", *dated[::-1]])
    assert take(quick, DRESSES[dress]).out == "4 new, 0 known already, 0 skipped\n"
    log = quick.lab("log", "--json").json[::-1]
    assert [one["value"] for one in log] == FALLING
    assert [one["gain"] for one in log] == [None, 0.25, -0.5, 0.25]
    assert take(quick, DRESSES[dress]).out == "0 new, 4 known already, 0 skipped\n"


def logs() -> list[tuple[str, str, int]]:
    """Return 126 logs of a few columns each, in every order and dress that nights have shown."""
    made = []
    metrics = ("loss", "val_bpb", "WER", "eval_reward", "acc@1", "metric", "throughput_tok_s")
    columns = ("status", "description", "notes", "commit", "timestamp", "memory_gb")
    for metric, left, way in itertools.product(metrics, range(6), range(3)):
        names = [*columns[:left], metric, *columns[left + 1 :]][:: (1, -1)[way % 2]]
        rows = [names]
        for at, (value, verdict, claim) in enumerate(zip(FALLING, VERDICTS, NAMES, strict=True)):
            cells = {
                "status": verdict, "description": claim, "notes": f"{claim}!", "memory_gb": "44.0",
                "commit": f"cccccc{at}", "timestamp": f"17800219{at}4", metric: f"{value}",
            }  # fmt: skip
            rows.append([cells[name] for name in names])
        mark = ("\t", "\t", ",")[way]
        made.append((metric, "\n".join(mark.join(row) for row in rows), len(rows) - 1))
    return made


def test_no_number_of_many_logs_is_lost_without_a_word(quick: Quick) -> None:
    assert len(logs()) == 126
    for at, (metric, log, count) in enumerate(logs()):
        home = str(quick.root / f"home{at}")
        path = quick.root.parent / "log"
        path.write_text(log)
        answer = quick.here("import", str(path), "--leaf", "toy", LAB_HOME=home)
        assert answer.out == f"{count} new, 0 known already, 0 skipped\n", log
        assert answer.err.startswith(f"metric {metric} ("), (log, answer.err)
        assert len(answer.err.splitlines()) == 1
        found = quick.here("log", "--json", LAB_HOME=home).json
        assert sorted(one["value"] for one in found) == sorted(FALLING), log


@pytest.mark.parametrize(
    ("log", "code"),
    [
        ("commit\tloss\tstatus\tdescription\n", 1),
        ('{"type": "config", "metricName": "x"}\n', 1),
        ("{broken\n{broken\n", 1),
        ("hello, world\nthis, is prose\n", 2),
    ],
    ids=["header", "settings", "torn", "prose"],
)
def test_a_file_of_which_nothing_can_be_read_is_no_success(
    quick: Quick, log: str, code: int
) -> None:
    answer = take(quick, log, code=code)
    assert "Error: " in answer.err
    assert numbers(quick) == []


def test_what_is_no_number_and_what_is_no_time_is_named(quick: Quick) -> None:
    log = table("at commit loss memory_gb notes", "soon aaaaaa1 2 44GB x", "1780021974 a 3 44 y")
    said = take(quick, log).err
    assert "time 'soon' is not one we can read" in said
    assert "memory_gb '44GB' is not a number" in said
    assert quick.lab("log", "--json").json[0]["at"].startswith("2026-05-29")


# -- Settled later ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("open_", "settled"),
    [
        ("aaaaaa2 - running wider", "aaaaaa2 2.5 discard wider"),
        ("aaaaaa2 2.5 tentative wider", "aaaaaa2 2.5 keep wider"),
        ("- - pending wider", "aaaaaa2 2.5 keep wider"),
        ("aaaaaa2 - pending wider", "aaaaaa2 2.5 keep wider:no"),
        ("aaaaaa2 2.5 discard wider", "aaaaaa2 2.5 keep wider"),
    ],
    ids=["ran", "judged", "committed", "reworded", "reconsidered"],
)
def test_a_row_is_one_experiment_before_and_after_it_is_settled(
    quick: Quick, open_: str, settled: str
) -> None:
    head, first = "commit loss status description", "aaaaaa1 3 keep start"
    take(quick, table(head, first, open_))
    longer = table(head, first, settled, "aaaaaa3 2.75 discard longer")
    assert take(quick, longer).out == "1 new, 2 known already, 1 settled, 0 skipped\n"
    assert numbers(quick) == [3, 2.5, 2.75]
    shown = quick.lab("show", "e2", "--json").json
    assert shown["verdict"] == settled.split()[2]
    assert take(quick, longer).out == "0 new, 3 known already, 0 skipped\n"
    assert quick.lab("doctor", "--json").json["ok"]


def test_rows_of_one_claim_and_other_numbers_stay_apart(quick: Quick) -> None:
    head = "loss status description"
    take(quick, table(head, "3 keep again", "2.5 keep again"))
    take(quick, table(head, "2.25 keep again"), name="other")
    assert numbers(quick) == [3, 2.5, 2.25]


def test_numbers_without_a_verdict_travel_in_an_export(quick: Quick, tmp_path: Path) -> None:
    take(quick, table("commit loss memory_gb notes", "aaaaaa1 3 44 x", "aaaaaa2 2 45 y"))
    file = tmp_path / "notebook.jsonl"
    quick.lab("export", "-o", str(file))
    home = str(tmp_path / "home")
    quick.lab("import", str(file), LAB_HOME=home)
    shown = quick.lab("show", "e2", "--json", LAB_HOME=home).json
    assert (shown["value"], shown["claimed"]) == (2, True)
    assert shown["reported"][0]["metrics"] == {"loss": 2, "memory_gb": 45}
    assert quick.lab("doctor", "--json", LAB_HOME=home).json["ok"]


# -- Beside what was measured ------------------------------------------------------------

OLD = [
    table("commit val_acc status description", "aaaaaa1 0.5 keep a", "aaaaaa2 0.7 keep b"),
    table("date loss status description", "2031-05-06 9 keep a", "2031-05-07 8 keep b"),
    table("loss notes", *(f"{9 - at / 1000} idea{at}" for at in range(1200))),
]


@pytest.mark.parametrize("kept", [True, False], ids=["a keep", "no keep yet"])
@pytest.mark.parametrize("log", OLD, ids=["another metric", "of 2031", "very long"])
def test_an_old_log_moves_nothing_that_was_measured(quick: Quick, log: str, kept: bool) -> None:
    ideas = [Idea("raise the slope", 0.5, "keep"), Idea("warm up", -0.1)]
    nights.write(quick, ideas if kept else ideas[1:])
    told = ("metric", "direction", "claimed_gain", "expected_gain", "best", "best_so_far")
    board, report = (quick.lab(word, "toy", "--json").json for word in ("board", "report"))
    context = quick.lab("context", "--leaf", "toy", "--json").json
    take(quick, log)
    now = quick.lab("board", "toy", "--json").json
    assert {name: now[name] for name in told} == {name: board[name] for name in told}
    assert now["imported"] > 0
    assert [row["claim"] for row in now["experiments"] if not row["imported"]] == [
        row["claim"] for row in board["experiments"]
    ]
    after = quick.lab("report", "toy", "--json").json["leaves"][0]
    since = ("experiments", "keep", "discard", "now", "then", "claimed_gain", "expected_gain")
    assert {name: after[name] for name in since if name in after} == {
        name: report["leaves"][0][name] for name in since if name in after
    }
    fresh = quick.lab("context", "--leaf", "toy", "--json").json
    same = ("since_keep", "best", "kept")
    assert {name: fresh[name] for name in same} == {name: context[name] for name in same}
    assert "imported" in quick.lab("board", "toy").out


def test_the_leafs_own_direction_counts_also_against_the_name(quick: Quick) -> None:
    quick.leaf(toml=LEAF.replace('"loss"', '"score"'))
    take(quick, table("commit score status notes", "aaaaaa1 3 keep a", "aaaaaa2 4 discard b"))
    board = quick.lab("board", "toy", "--json").json
    assert (board["direction"], board["experiments"][1]["gain"]) == ("minimize", -1)
