"""Coding agents, played by scripts that behave as real ones do, each handled and explained."""

import json
import os
import sqlite3
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from toy import TRAIN, Answer, Toy

from lab.agents import messages, output_parser, presets
from lab.errors import LabError
from lab.system import processes
from lab.workspace import Workspace

AGENTS = Path(__file__).parent / "agents"
QUICK = {"LAB_PAUSE_S": "0.1", "LAB_GRACE_S": "1", "LAB_STALL_S": "60", "LAB_BACKOFF_S": "1"}


@pytest.fixture
def ready(ready: Toy) -> Toy:
    """The toy repository with its baseline e1 measured, and quick clocks."""
    ready.env |= QUICK
    return ready


def command(script: str, *words: str) -> str:
    return " ".join([sys.executable, str(AGENTS / script), *words])


def loop(toy: Toy, agent: str, *words: str, code: int | None = 0, **env: str) -> Answer:
    return toy.lab("loop", "toy", "--agent", agent, "--name", "bot", *words, code=code, **env)


def play(toy: Toy, how: str, *words: str, code: int | None = 0, **env: str) -> Answer:
    """Run the misbehaving agent HOW; it may leave a note."""
    return loop(toy, command("misbehaving.py", how, str(note(toy))), *words, code=code, **env)


def note(toy: Toy) -> Path:
    return toy.root.parent / "note"


def rows(toy: Toy, query: str) -> list[Any]:
    with sqlite3.connect(toy.root / ".lab" / "notebook.db") as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def sessions(toy: Toy) -> list[str]:
    """How each session ended, in order."""
    return [row[0] for row in rows(toy, "select how from sessions order by id")]


def verdicts(toy: Toy) -> list[str]:
    return [row[0] for row in rows(toy, "select verdict from results order by id")]


# -- What should go well --------------------------------------------------------


def test_the_tuner_has_a_share_of_the_runs_after_each_keep_of_the_agent(ready: Toy) -> None:
    both = f"{command('researcher.py', '1')}+tuner"
    found = loop(ready, both, "--experiments", "5", "--json").json
    assert found["experiments"] == 5
    query = "select claim from hypotheses h join experiments e on e.hypothesis = h.id order by e.id"
    tuned = [" -> " in claim for (claim,) in rows(ready, query)]
    assert tuned[:2] == [False, True]  # the agent's first idea is a keep
    assert sum(tuned) <= 2


@pytest.mark.children
def test_the_context_of_a_campaign_says_what_its_limits_leave(ready: Toy) -> None:
    look = f"sh -c '{sys.executable} -P -m lab context > {note(ready)}'"
    loop(ready, look, "--experiments", "10", "--hours", "2", code=None)
    assert "\nThis campaign: 10 of 10 experiments left, 2 h 0 min left\n" in note(ready).read_text()
    loop(ready, look, "--experiments", "1", code=None)
    assert "\nThis campaign: 1 of 1 experiment left\n" in note(ready).read_text()
    assert "This campaign" not in ready.here("context", "--leaf", "toy").out


@pytest.mark.children
def test_three_sessions_of_two_experiments_each_from_the_brief_alone(toy: Toy) -> None:
    toy.env |= QUICK | {"LAB_SESSION_VERDICTS": "2", "LAB_GRACE_S": "60"}
    found = loop(toy, command("researcher.py", "9"), "--experiments", "6", "--json").json
    assert (found["ending"], found["experiments"]) == ("limit", 6)
    assert sessions(toy) == ["ended"] * 3
    assert found["cost_usd"] == 0.75
    assert rows(toy, "select sum(tokens), max(exit_code) from sessions") == [(3300, 0)]
    log = toy.lab("log", "toy", "--json", "-n", "50").json
    judged = [one for one in log if one["hypothesis"]]
    assert all(one["verdict"] in ("keep", "discard") for one in judged)
    assert found["value"] < 0.1
    tree = toy.root / ".lab/worktrees/toy/bot"
    assert toy.git("status", "--porcelain", cwd=tree) == ""


def test_the_prompt_may_come_in_a_file(ready: Toy) -> None:
    agent = f"{command('researcher.py', '1')} {{prompt_file}}"
    loop(ready, agent, "--experiments", "1")
    assert len(verdicts(ready)) == 1


def test_the_cost_ends_the_campaign(ready: Toy) -> None:
    found = loop(ready, command("researcher.py", "1"), "--max-cost", "0.4", "--json").json
    assert found["ending"] == "limit"
    assert found["why"] == "0.50 of 0.4 US dollars are spent"
    assert len(sessions(ready)) == 2


def test_the_task_is_read_afresh_for_each_session(ready: Toy) -> None:
    (ready.root / "toy/program.md").write_text("# toy\n\nTonight: leave NOISE alone.\n")
    play(ready, "forgets", code=1)
    assert "Tonight: leave NOISE alone." in note(ready).read_text()


def test_the_session_log_keeps_what_the_agent_printed(ready: Toy) -> None:
    loop(ready, command("researcher.py", "1"), "--experiments", "1")
    log = (ready.root / ".lab/campaigns/toy/bot/session-1.log").read_text()
    assert '"total_cost_usd": 0.25' in log


def test_the_protocol_fits_a_page_and_every_brief_its_budget(ready: Toy) -> None:
    root = Path(__file__).parents[1]
    assert os.readlink(root / "PROTOCOL.md") == "lab/PROTOCOL.md"
    assert len((root / "lab/PROTOCOL.md").read_text().splitlines()) <= 150
    (ready.root / "toy/program.md").write_text("# toy\n\n" + "a very long task\n" * 5000)
    brief = ready.lab("brief", "toy").out
    assert len(brief) <= 8000 * 4
    for part in ("# Protocol", "# Facts of toy", "a very long task", "# Where it stands"):
        assert part in brief


# -- What goes wrong ---------------------------------------------------------------


def test_a_slow_start_is_no_stall(ready: Toy) -> None:
    play(ready, "slow", "--experiments", "1", LAB_STALL_S="4")
    assert sessions(ready) == ["ended"]


def test_a_run_in_flight_at_a_sessions_end_is_waited_for_and_told(ready: Toy) -> None:
    done = play(ready, "goes_on", "--experiments", "1")
    assert sessions(ready) == ["ended", "ended"]
    assert len(verdicts(ready)) == 1
    brief = note(ready).read_text()
    assert "# Since the last session" in brief
    assert "e2 ran to its end meanwhile" in brief
    assert "suggested: " in brief
    assert "1 experiment" in done.err


def test_three_sessions_in_a_row_without_an_experiment_stop_with_the_reason(ready: Toy) -> None:
    done = play(ready, "nothing", code=1)
    assert sessions(ready) == ["ended"] * 3
    assert "3 sessions in a row without an experiment" in done.out
    assert "decided to think about it" in done.out


@pytest.mark.children
def test_a_hanging_agent_is_ended_with_all_it_started_and_the_next_begins(ready: Toy) -> None:
    play(ready, "hangs", "--experiments", "2", LAB_GRACE_S="60", LAB_STALL_S="8")
    assert sessions(ready)[0] == "stalled"
    assert len(verdicts(ready)) == 2
    assert all(processes.start_id(pid) is None for pid in json.loads(note(ready).read_text()))


def test_an_agent_that_does_not_end_when_it_should_is_ended(ready: Toy) -> None:
    done = play(ready, "hangs", "--experiments", "1")
    assert sessions(ready) == ["ended by the driver (the campaign has its 1 experiment)"]
    assert "limit (1 experiment)" in done.out


def test_a_flood_of_output_is_capped_and_its_end_still_heard(ready: Toy) -> None:
    play(ready, "floods", "--experiments", "1")
    log = ready.root / ".lab/campaigns/toy/bot/session-1.log"
    assert log.stat().st_size < output_parser.LOG_LIMIT + output_parser.TAIL + 100
    assert b"bytes left out" in log.read_bytes()[-output_parser.TAIL - 100 :]
    assert rows(ready, "select tokens, cost_usd from sessions") == [(10, 0.5)]


def test_a_frozen_file_is_refused_and_the_hint_puts_it_back(ready: Toy) -> None:
    play(ready, "frozen", "--experiments", "1")
    assert "toy/evaluate.py is frozen" in note(ready).read_text()
    assert sessions(ready) == ["ended"]
    assert len(verdicts(ready)) == 1


def test_own_commits_are_refused_and_the_hint_undoes_them(ready: Toy) -> None:
    play(ready, "commits", "--experiments", "1")
    assert "commits here that lab did not make" in note(ready).read_text()
    assert len(verdicts(ready)) == 1
    tree = ready.root / ".lab/worktrees/toy/bot"
    assert "my work" not in ready.git("log", "--format=%s", "main..HEAD", cwd=tree)


def test_a_forgotten_verdict_opens_the_next_brief(ready: Toy) -> None:
    done = play(ready, "forgets", code=1)
    assert "e2 has no verdict yet" in note(ready).read_text()
    assert "without an experiment" in done.out
    assert verdicts(ready) == []


@pytest.mark.children
def test_a_usage_limit_is_waited_for_and_is_no_failure(ready: Toy) -> None:
    done = play(ready, "limited", "--experiments", "1")
    assert sessions(ready) == ["usage limit", "ended"]
    assert "waiting until" in done.err
    told = ready.lab("log", "--events", "-n", "50", "--json").json
    assert any(one["verb"] == "waiting" for one in told)


def test_a_usage_limit_without_a_time_is_tried_again_later(ready: Toy) -> None:
    play(ready, "unnamed_limit", "--experiments", "1")
    assert sessions(ready) == ["usage limit", "ended"]


@pytest.mark.children
def test_a_missing_sign_in_stops_at_once_with_the_reason(ready: Toy) -> None:
    failed = play(ready, "unsigned", code=1)
    assert "Invalid API key · Please run /login" in failed.err
    assert "Sign in" in failed.err
    assert sessions(ready) == ["not signed in"]


def test_the_hours_end_the_campaign(ready: Toy) -> None:
    done = play(ready, "hangs", "--hours", "0.002")
    assert "limit (0.002 hours)" in done.out
    assert sessions(ready)[0].startswith("ended by the driver")


# -- Ends from outside --------------------------------------------------------------


def hanging(toy: Toy) -> Any:
    """Start a loop whose agent hangs after one experiment; return it once it does."""
    agent = command("misbehaving.py", "hangs", str(note(toy)))
    process = toy.start("loop", "toy", "--agent", agent, "--name", "bot", LAB_STALL_S="600")
    until = time.monotonic() + 120
    while not note(toy).exists() or not note(toy).read_text():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    return process


@pytest.mark.children
def test_a_stopped_loop_ends_its_agent_and_says_so_in_the_record(ready: Toy) -> None:
    process = hanging(ready)
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped on request" in out
    assert sessions(ready) == ["stopped"]
    assert all(processes.start_id(pid) is None for pid in json.loads(note(ready).read_text()))


def test_after_a_killed_driver_the_next_one_ends_the_agent_it_left(ready: Toy) -> None:
    process = hanging(ready)
    process.kill()
    process.communicate()
    left = json.loads(note(ready).read_text())
    assert all(processes.start_id(pid) for pid in left)
    loop(ready, command("researcher.py", "9"), "--experiments", "2")  # one of the two is done
    assert sessions(ready) == ["lost", "ended"]
    assert all(processes.start_id(pid) is None for pid in left)
    assert rows(ready, "select count(*) from state where hypothesis is not null") == [(2,)]


def test_a_run_that_an_agent_started_outlives_it(ready: Toy) -> None:
    slow = TRAIN.replace('    print("trained")', "    import time\n\n    time.sleep(3)")
    ready.leaf(train=slow)
    ready.commit("a run that takes three seconds")
    ready.lab("run", "--baseline", "--seeds", "1", cwd=ready.root / "toy")
    play(ready, "goes_on", "--experiments", "1")
    assert rows(ready, "select distinct status from state") == [("finished",)]


# -- Presets and sandboxes -----------------------------------------------------------


def test_an_agent_of_ones_own_is_a_table(ready: Toy) -> None:
    words = json.dumps([sys.executable, str(AGENTS / "researcher.py"), "1", "{prompt_file}"])
    text = f'[ada]\ncommand = {words}\nenv = {{ ADA = "{{top}}" }}\n'
    (ready.root / ".lab/agents.toml").write_text(text)
    ready.lab("loop", "toy", "--agent", "ada", "--experiments", "1")
    assert rows(ready, "select name, agent from campaigns") == [("toy/ada", "ada")]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[ada]\n", "no command"),
        ("[ada\n", "agents.toml"),
        ('[ada]\ncommand=["x"]\nwait=3\n', "'wait_s'"),
    ],
)
def test_a_bad_table_of_agents_is_refused(ready: Toy, text: str, wrong: str) -> None:
    (ready.root / ".lab/agents.toml").write_text(text)
    assert wrong in loop(ready, "ada", code=4).err


@pytest.mark.children
def test_lab_answers_from_inside_a_sandbox_and_the_run_outlives_it(ready: Toy) -> None:
    words = json.dumps(
        [sys.executable, str(AGENTS / "misbehaving.py"), "sandboxed", str(note(ready))]
    )
    (ready.root / ".lab/agents.toml").write_text(f"[boxed]\ncommand = {words}\nrelay = true\n")
    ready.lab("loop", "toy", "--agent", "boxed", "--experiments", "1")
    assert len(verdicts(ready)) == 1
    folder, refused = json.loads(note(ready).read_text())
    assert "not open to an agent's sandbox" in refused
    assert os.listdir(folder) == []
    assert rows(ready, "select name from campaigns") == [("toy/boxed",)]


@pytest.mark.parametrize("name", ["claude", "codex", "gemini"])
def test_a_preset_fills_every_place_and_widens_only_with_yolo(
    toy: Toy, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    workspace = Workspace(toy.root / "toy")
    wide = ("--dangerously", "yolo")
    places = {key: f"/{key}" for key in ("prompt_file", "files", "relay", "leaf", "top", "home")}
    least, most = (presets.find(workspace, name, yolo).filled(places) for yolo in (False, True))
    assert least[0] == name
    assert not any("{" in word for word in least + most)
    assert not any(mark in word for word in least for mark in wide)
    assert any(mark in word for word in most for mark in wide)


def test_yolo_without_a_yolo_command_is_refused(ready: Toy) -> None:
    (ready.root / ".lab/agents.toml").write_text('[ada]\ncommand = ["true"]\n')
    with pytest.raises(LabError, match="no --yolo"):
        presets.find(Workspace(ready.root / "toy"), "ada", yolo=True)


# -- What agents say -----------------------------------------------------------------

NOW = datetime(2026, 7, 1, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "until"),
    [
        ("Claude AI usage limit reached|1782950400", "2026-07-02T00:00:00+00:00"),
        ("You've hit your session limit · resets 12:50am (UTC)", "2026-07-02T00:50:00+00:00"),
        ("You've hit your limit · resets 1am (Europe/Berlin)", "2026-07-02T01:00:00+02:00"),
        (
            "You've hit your usage limit. Try again in 1 day 2 hours 3 minutes.",
            "2026-07-03T00:03:00+00:00",
        ),
        ('{"type": "usage_limit_reached", "resets_in_seconds": 3600}', "2026-07-01T23:00:00+00:00"),
        ("usage limit; try again at Aug 23rd, 2026 11:43 AM (UTC)", "2026-08-23T11:43:00+00:00"),
        ("weekly limit reached · resets Jul 6, 5:59am (UTC)", "2026-07-06T05:59:00+00:00"),
        ("TerminalQuotaError: Your quota will reset after 3h21m5s.", "2026-07-02T01:21:05+00:00"),
        ("429 RESOURCE_EXHAUSTED. Please retry in 30s", "2026-07-01T22:00:30+00:00"),
        ("usage limit reached until 2026-07-01T23:30:00Z", "2026-07-01T23:30:00+00:00"),
        ("You exceeded your current quota, please check your plan", None),
    ],
)
def test_a_usage_limit_is_told_with_its_end(line: str, until: str | None) -> None:
    assert messages.meaning(["hello", line]) == messages.Message("limit", line)
    end = messages.until(line, NOW)
    assert (end and end.isoformat()) == until
    assert end is None or end - NOW < timedelta(days=60)


@pytest.mark.parametrize(
    "line",
    [
        "raising the learning rate limit to 0.1 helped",
        "the batch reached its limit of 64",
        "I reset the schedule at 3pm in the notes",
    ],
)
def test_talk_of_limits_is_no_usage_limit(line: str) -> None:
    assert messages.meaning([line]) is None


@pytest.mark.parametrize(
    "line",
    [
        "Invalid API key · Please run /login",
        "error: 401 Unauthorized",
        "Not logged in. Run `codex login`",
        "Please set an Auth method in your settings.json",
    ],
)
def test_a_missing_sign_in_is_told(line: str) -> None:
    assert messages.meaning([line]) == messages.Message("sign_in", line)


def test_an_agent_is_told_what_may_be_spent_and_finds_the_folders_it_may_read(toy: Toy) -> None:
    toy.env |= QUICK
    write = f"import os, sys; open({str(note(toy))!r}, 'w').write(str((os.path.isdir(sys.argv[1])"
    words = json.dumps([sys.executable, "-c", f"{write}, sys.argv[2:])))", "{home}/runs"])
    preset = f'[thrifty]\ncommand = {words}\nfuse = ["--usd", "{{usd_left}}"]\n'
    (toy.root / ".lab").mkdir()
    (toy.root / ".lab/agents.toml").write_text(preset)
    loop(toy, "thrifty", "--max-cost", "5", code=1)
    assert note(toy).read_text() == "(True, ['--usd', '5.00'])"
    loop(toy, "thrifty", code=1)
    assert note(toy).read_text() == "(True, [])"


def test_a_limit_that_ends_in_this_minute_is_no_limit_until_tomorrow() -> None:
    now = datetime(2026, 3, 1, 14, 51, 40, tzinfo=UTC)
    assert messages.until("try again at 2:51 PM (UTC).", now) == now.replace(second=0)
    assert messages.until("try again at 2:40 PM (UTC).", now) == datetime(
        2026, 3, 2, 14, 40, tzinfo=UTC
    )
