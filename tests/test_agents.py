"""The real `claude`, `codex` and `gemini` under `lab loop`, played by a stand-in of their models.

`make agents` installs them and runs this; a program that is not there is skipped by name.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy import Toy

sys.path.insert(0, str(Path(__file__).parent / "agents"))
from model_server import Edit, Limit, Read, Say, Script, Server, Shell, SignedOut, serving

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / ".venv/agents/node_modules/.bin"
QUICK = {"LAB_PAUSE_S": "0.1", "LAB_BACKOFF_S": "1", "LAB_GRACE_S": "30"}
LINE = "SLOPE = {}  # the truth is 3"  # whole, as codex edits by lines


def of_claude(toy: Toy, server: Server) -> dict[str, str]:
    return {
        **{"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "none"},
        **{"DISABLE_TELEMETRY": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
    }


def of_codex(toy: Toy, server: Server) -> dict[str, str]:
    """Its sandbox may write all of /tmp unless told otherwise, and this repository lies there."""
    settings = f"""\
model = "gpt-5.5"
model_provider = "standin"

[model_providers.standin]
name = "standin"
base_url = "{server.url}/v1"
wire_api = "responses"
env_key = "OPENAI_API_KEY"
supports_websockets = false

[sandbox_workspace_write]
exclude_slash_tmp = true
"""
    home = toy.root.parent / "home/.codex"
    home.mkdir(parents=True)
    (home / "config.toml").write_text(settings)
    scratch = toy.root.parent / "scratch"  # its helpers may not lie below the temporary folder
    scratch.mkdir()
    return {"OPENAI_API_KEY": "none", "TMPDIR": str(scratch)}


def of_gemini(toy: Toy, server: Server) -> dict[str, str]:
    home = toy.root.parent / "home/.gemini"
    home.mkdir(parents=True)
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    (home / "settings.json").write_text(json.dumps(settings))
    return {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": server.url}


def rows(toy: Toy, query: str) -> list[Any]:
    with sqlite3.connect(toy.root / ".lab" / "notebook.db") as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


VENDORS: dict[str, Callable[[Toy, Server], dict[str, str]]] = {
    "claude": of_claude,
    "codex": of_codex,
    "gemini": of_gemini,
}


@pytest.fixture(params=sorted(VENDORS))
def agent(request: pytest.FixtureRequest) -> str:
    """The name of an agent that is installed."""
    name = str(request.param)
    if not (PROGRAMS / name).exists():
        npm = "" if shutil.which("npm") else ", which needs npm"
        pytest.skip(f"{name} is not installed: make agents{npm}")
    return name


def night(
    agent: str, toy: Toy, server: Server, *words: str, leaf: str = "toy", code: int = 0
) -> dict[str, Any]:
    """Let the agent's own program play the server's scripts in `lab loop`."""
    env = VENDORS[agent](toy, server) | QUICK
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    loop = ("loop", leaf, "--agent", agent, "--name", "bot", *words, "--json")
    done = toy.lab(*loop, code=code, PATH=path, TERM="dumb", **env)
    return dict(done.json) if code == 0 else {"err": done.err}


def experiment(train: Path, name: str, old: float, new: float, line: str = LINE) -> Script:
    """Do one experiment as the protocol says, with the agent's own tools."""
    claim = f"from {old} to {new}"
    said = yield Shell(f"lab hypothesis '{claim}' -m 'the truth is 3' --json")
    idea = word(said, "hypothesis")
    yield Read(str(train))
    yield Edit(str(train), line.format(old), line.format(new))
    yield Shell(f"lab run {idea} --detach")
    found = yield Shell(f"lab wait {name} --json")
    while word(found, "suggest") == "replicate":
        yield Shell(f"lab run {name} --seeds 1")
        found = yield Shell(f"lab wait {name} --json")
    yield Shell(f"lab result {name} -v {word(found, 'suggest')}")


def word(said: str, key: str) -> str:
    """Return a value of the JSON that a tool's answer holds, however the agent wraps it."""
    found = re.search(rf'"{key}": "(\w+)"', said.replace('\\"', '"'))
    assert found is not None, said
    return found[1]


def tries(toy: Toy, server: Server, train: Path) -> Script:
    """Try, with an edit open, what no preset allows: each would leave something behind."""
    yield Edit(str(train), LINE.format(2.0), LINE.format(2.5))
    yield Shell(f"curl -s {server.url}/sent")
    yield Shell(f"touch {toy.root}/written")
    yield Shell(f"git diff --output={toy.root}/diffed")
    yield Shell("git stash")
    other = toy.root / "toy/train.py"
    yield Read(str(other))
    yield Edit(str(other), LINE.format(1.0), LINE.format(9.0))
    yield Edit(str(train), LINE.format(2.5), LINE.format(2.0))


def test_an_agent_s_own_program_goes_through_a_night(toy: Toy, agent: str) -> None:
    train = toy.root / ".lab/worktrees/toy/bot/toy/train.py"
    heard: list[str] = []

    def first() -> Script:
        heard.append((yield Shell("lab context")))
        yield Shell("lab failures")
        yield Shell("lab run --baseline --seeds 3")
        yield from experiment(train, "e2", 1.0, 2.0)
        yield from tries(toy, server, train)
        yield Limit(1)

    def second() -> Script:
        heard.append((yield Shell("lab context")))
        yield from experiment(train, "e3", 2.0, 2.9)
        yield Say("The session is over.")

    with serving(first, second) as server:
        found = night(agent, toy, server, "--experiments", "2", "--max-cost", "5")
    assert (found["ending"], found["experiments"]) == ("limit", 2)
    assert "toy" in heard[0]
    assert "e2" in heard[1]
    log = toy.lab("log", "toy", "--json").json
    assert [(one["experiment"], one["verdict"]) for one in reversed(log)][1:] == [
        *(("e2", "keep"), ("e3", "keep")),
    ]
    assert toy.lab("doctor", "--json").json["ok"]
    assert not {"/sent"} & set(server.beside)
    assert not [name for name in ("written", "diffed") if (toy.root / name).exists()]
    assert toy.git("stash", "list") == ""
    assert "SLOPE = 1.0" in (toy.root / "toy/train.py").read_text()
    ends = rows(toy, "select how, tokens > 0, cost_usd > 0 from sessions order by id")
    assert [how for how, _, _ in ends] == ["usage limit", "ended"]
    assert [tokens for _, tokens, _ in ends][-1]
    assert bool(ends[-1][2]) == (agent == "claude")  # the one that names its price


SCRIPT = """\
import random

RATE = 0.1
SEED = 0

random.seed(SEED)
print(f"score: {1 - (RATE - 0.5) ** 2 + random.gauss(0, 0.01):.6f}")
"""


def test_a_stranger_s_script_goes_through_a_night(tmp_path: Path, agent: str) -> None:
    """An empty repository with one script: two lines, and the board."""
    theirs = Toy(tmp_path / "repo")
    theirs.root.mkdir()
    theirs.git("init", "-q")
    (theirs.root / "train.py").write_text(SCRIPT)
    theirs.commit()
    train = theirs.root / ".lab/worktrees/root/bot/train.py"

    def script() -> Script:
        yield Shell("lab run --baseline --seeds 3")
        yield from experiment(train, "e2", 0.1, 0.4, "RATE = {}")

    theirs.lab("adopt", "train.py")
    with serving(script) as server:
        found = night(agent, theirs, server, "--experiments", "1", leaf=".")
    assert (found["experiments"], found["kept"]) == (1, ["e2"])
    assert "e2" in theirs.lab("board", ".").out


def test_a_key_that_is_nobody_s_ends_the_loop_at_once(ready: Toy, agent: str) -> None:
    def refused() -> Script:
        yield SignedOut()

    with serving(refused) as server:
        found = night(agent, ready, server, "--experiments", "2", code=1)
    assert "Sign in: " in found["err"]
    assert len(rows(ready, "select 1 from sessions")) == 1


INSTALL = "plugin install labtree@labtree"
PLUGIN = {  # what each host types to have the skill of this repository, and where it says so
    "claude": ("plugin validate {root}", "plugin marketplace add {root}", INSTALL, "plugin list"),
    "codex": ("plugin marketplace add {root}", "plugin add labtree@labtree", "plugin list"),
    "gemini": (
        "extensions validate {root}",
        "extensions install {root} --consent",
        "extensions list",
    ),
}


def test_each_host_installs_the_plugin_of_this_repository(tmp_path: Path, agent: str) -> None:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True).stdout
    for name in filter(None, os.fsdecode(names).split("\0")):
        if name.split("/")[0] in ("skills", "README.md", "gemini-extension.json") or name[0] == ".":
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "clone" / name)
    (tmp_path / "scratch").mkdir()
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    env = {"HOME": str(tmp_path), "PATH": path, "TMPDIR": str(tmp_path / "scratch")}
    for line in PLUGIN[agent]:
        done = subprocess.run(
            [agent, *line.format(root=tmp_path / "clone").split()],
            **{"env": env, "cwd": tmp_path, "input": "y\n", "capture_output": True, "text": True},
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "labtree" in done.stdout + done.stderr
    assert "not installed" not in done.stdout


def test_claude_s_own_fuse_is_what_the_loop_has_left(ready: Toy) -> None:
    if not (PROGRAMS / "claude").exists():
        pytest.skip("claude is not installed: make agents")

    def talks() -> Script:
        while True:
            yield Shell("lab context")

    with serving(talks) as server:
        found = night("claude", ready, server, "--max-cost", "0.02")
        assert len(server.asked) < 20
    assert (found["ending"], found["experiments"]) == ("limit", 0)
    assert 0.02 <= found["cost_usd"] < 0.03
