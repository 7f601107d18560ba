"""What vendors of coding agents say on a bad night, and what a healthy agent says on a good one."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from toy import Answer, Toy

from lab.agents.messages import ORDER, meaning
from lab.agents.output_parser import OutputParser

QUICK = {"LAB_PAUSE_S": "0.1", "LAB_BACKOFF_S": "0.2"}
FOREVER = {"LAB_BACKOFF_S": "600"}
AGENT = """\
#!/bin/sh
cat > /dev/null
cat "{said}"
exit {code}
"""


@pytest.fixture
def ready(ready: Toy) -> Toy:
    """The toy repository with its baseline e1 measured, and quick clocks."""
    ready.env |= QUICK
    return ready


def agent(toy: Toy, said: str, code: int) -> str:
    """Return an agent that says so and ends so, in every session."""
    folder = toy.root.parent
    (folder / "said").write_text(said + "\n")
    program = folder / "agent"
    program.write_text(AGENT.format(said=folder / "said", code=code))
    program.chmod(0o755)
    return str(program)


def night(toy: Toy, said: str, code: int, **env: str) -> Answer:
    """Let that agent work until its campaign ends, for a few seconds at most."""
    words = ("loop", "toy", "--agent", agent(toy, said, code), "--name", "bot")
    return toy.lab(*words, "--hours", "0.001", code=None, **env)


def sessions(toy: Toy) -> list[str]:
    with sqlite3.connect(toy.root / ".lab/notebook.db") as db:
        found = [row[0] for row in db.execute("select how from sessions order by id")]
    db.close()
    return found


def heard(tmp_path: Path, *lines: Any, failed: bool = False) -> str | None:
    """Return the kind of message in the lines of one agent: texts, or objects as JSON."""
    parser = OutputParser(tmp_path / "log", ())
    for line in lines:
        text = line if isinstance(line, str) else json.dumps(line)
        parser.feed("out", text.encode() + b"\n")
    parser.close()
    found = meaning(parser.error_lines(failed))
    return found.kind if found else None


# -- Through the door -----------------------------------------------------------


def test_a_limit_with_an_end_is_waited_for(ready: Toy) -> None:
    said = "You have exhausted your capacity on this model. Your quota will reset after 3h21m5s."
    answer = night(ready, said, 1)
    assert "waiting until" in answer.err
    assert sessions(ready) == ["usage limit"]
    assert "limit (0.001 hours)" in answer.out


def test_an_outage_is_tried_again_after_growing_pauses(ready: Toy) -> None:
    answer = night(ready, "API Error: 502 Bad Gateway", 1)
    assert 2 <= len(sessions(ready)) <= 5
    assert set(sessions(ready)) == {"outage"}
    assert "limit (0.001 hours)" in answer.out


def test_an_outage_of_hours_is_given_up_with_its_last_words(ready: Toy) -> None:
    answer = night(ready, "socket hang up", 1, LAB_OUTAGE_S="0.3", LAB_BACKOFF_S="0.1")
    assert "nothing but errors of the service" in answer.out
    assert "socket hang up" in answer.out
    assert answer.code == 1


@pytest.mark.parametrize(
    "said",
    ["Your refresh token has been revoked. Please sign in again.", "Credit balance is too low"],
)
def test_what_only_a_person_can_mend_stops_at_once_with_what_to_type(ready: Toy, said: str) -> None:
    answer = night(ready, said, 1)
    assert sessions(ready) == ["not signed in"]
    complaint, hint = answer.err.splitlines()[-2:]
    assert said in complaint
    assert hint.startswith("Sign in")
    assert "type the same command again" in hint


@pytest.mark.parametrize(
    "said",
    [
        "The server answered 429 too many requests, so I set the loader's pause to 2 s.",
        "huggingface-cli says: not logged in. I used the local copy; please log in tomorrow.",
        '{"type": "assistant", "message": {"content": [{"text": "I met 529 Overloaded"}]}}',
    ],
)
def test_an_agent_that_ends_well_met_no_limit_whatever_it_says(ready: Toy, said: str) -> None:
    answer = night(ready, said, 0, **FOREVER)
    assert sessions(ready) == ["ended"] * 3
    assert "waiting until" not in answer.err


def test_an_error_in_json_counts_though_the_agent_ends_well(ready: Toy) -> None:
    said = '{"type":"item.completed","item":{"type":"error","message":"usage limit reached"}}'
    night(ready, said, 0, **FOREVER)
    assert sessions(ready) == ["usage limit"]


# -- Which of its words count -----------------------------------------------------


def test_errors_are_heard_however_deep_and_over_several_lines(tmp_path: Path) -> None:
    deep = {"event": "end", "data": {"outcome": {"error": {"code": 503, "message": "no"}}}}
    assert heard(tmp_path, deep) == "outage"
    assert heard(tmp_path, [{"type": "result", "is_error": True, "result": "quota reached"}])
    pretty = json.dumps({"error": {"type": "ApiError", "message": "API key not valid"}}, indent=2)
    assert heard(tmp_path, pretty) == "sign_in"
    assert heard(tmp_path, f"data: {json.dumps(deep)}") == "outage"
    rejected = {"status": "rejected", "resetsAt": 1795800000, "rateLimitType": "five_hour"}
    assert heard(tmp_path, {"type": "rate_limit_event", "rate_limit_info": rejected}) == "limit"


def test_an_error_of_a_tool_is_not_the_vendors(tmp_path: Path) -> None:
    tool = {"type": "tool_result", "is_error": True, "content": "HTTP 401 unauthorized"}
    assert heard(tmp_path, {"type": "user", "message": {"content": [tool]}}) is None
    command = {"type": "command_execution", "status": "failed", "aggregated_output": "ECONNRESET"}
    assert heard(tmp_path, {"type": "item.completed", "item": command}) is None


def test_an_error_that_the_agent_got_over_is_forgotten(tmp_path: Path) -> None:
    trouble = {"type": "error", "message": "Reconnecting... 2/5 (stream disconnected)"}
    assert heard(tmp_path, trouble) == "outage"
    assert heard(tmp_path, trouble, {"type": "turn.completed", "usage": {}}) is None
    retry = {"type": "system", "subtype": "api_retry", "error_status": 529, "error": "overloaded"}
    assert heard(tmp_path, retry, {"type": "result", "is_error": False, "result": "done"}) is None


def test_only_the_last_words_of_a_failed_agent_count(tmp_path: Path) -> None:
    early = ["I would back off: 429 too many requests", *[f"step {n}" for n in range(20)], "Killed"]
    assert heard(tmp_path, *early, failed=True) is None
    frames = [f"    at send (file:///x/y.js:{n}:7)" for n in range(12)]
    assert heard(tmp_path, "TypeError: fetch failed", *frames, failed=True) == "outage"


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("limit", "5-hour limit reached ∙ resets 7pm"),
        ("limit", "You've used all your included requests for this month"),
        ("limit", "Rate limit reached for gpt-5 on tokens per min. Please try again in 1.2s."),
        ("limit", "You've hit your Opus limit · resets Mon 12:00 AM · /login to switch account"),
        ("outage", "Selected model is at capacity. Please try a different model."),
        ("outage", "stream disconnected before completion: Transport error: timeout"),
        ("outage", "API Error: Unable to connect to API (ECONNREFUSED)"),
        ("outage", "We're currently experiencing high demand, which may cause temporary errors."),
        ("sign_in", "unexpected status 401 Unauthorized: Missing bearer or basic authentication"),
        ("sign_in", "Login expired · Please run /login"),
        ("account", "This organization has been disabled."),
        (None, "wandb: not logged in to the hub, so the run stays offline"),
        (None, "prompt is too long: 210000 tokens > 200000 maximum"),
        (None, "tests: 503 passed, 429 skipped"),
        (None, "error: unexpected argument '--jsn' found"),
    ],
)
def test_a_message_is_known_by_what_follows_from_it(kind: str | None, line: str) -> None:
    assert kind is None or kind in ORDER
    found = meaning([line])
    assert (found.kind if found else None) == kind
