"""What coding agents and shells are told of `lab`: skills, tools by MCP, completion."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from toy import Quick, Toy, slope

ROOT = Path(__file__).resolve().parents[1]
SKILL = Path(".agents/skills/labtree/SKILL.md")


def test_a_skill_is_written_once_and_linked(quick: Quick) -> None:
    (quick.root / "AGENTS.md").write_text("# Mine\n\nNever push.\n")
    said = quick.here("skills", "install", "--dry-run").out
    assert f"{SKILL}: would be made" in said
    assert not (quick.root / ".agents").exists()
    quick.here("skills", "install")
    text = (quick.root / SKILL).read_text()
    front = re.match(r"---\nname: labtree\ndescription: >-\n((?:  .*\n)+)---\n", text)
    assert front is not None
    assert len(front[1]) <= 1024  # as agentskills.io says
    assert len(text) / 4 < 5000  # tokens
    assert (quick.root / ".claude/skills/labtree/SKILL.md").read_text() == text
    linked = re.findall(r"\]\((references/\S+)\)", text)
    assert len(linked) == 2
    assert all((quick.root / SKILL.parent / path).is_file() for path in linked)
    agents = (quick.root / "AGENTS.md").read_text()
    assert agents.startswith("# Mine\n\nNever push.\n")
    assert agents.count("labtree: begin") == 1
    again = quick.here("skills", "install", "--json").json
    assert {one["what"] for one in again} == {"unchanged"}


def test_an_installed_skill_says_how_it_is_committed(quick: Quick) -> None:
    folder = quick.root / "toy"
    said = quick.here("skills", "install", cwd=folder).out.splitlines()[-1]
    assert said.startswith("campaigns work in worktrees made from commits, so commit it: git add ")
    command = said.partition("commit it: ")[2].replace("git commit", "git $WHO commit")
    who = "-c user.name=ada -c user.email=ada@example.org"
    subprocess.run(["bash", "-ec", command.replace("$WHO", who)], cwd=folder, check=True)
    assert quick.git("status", "--porcelain") == ""
    assert (quick.campaign().parent / SKILL).is_file()
    assert "commit it" not in quick.here("skills", "install", cwd=folder).out


def test_a_skill_that_was_edited_is_kept_and_a_stale_one_is_told(quick: Quick) -> None:
    quick.here("skills", "install", "--codex")
    assert not (quick.root / ".claude").exists()
    page = quick.root / SKILL
    text = page.read_text()
    page.write_text(text.replace("## The loop", "## My loop"))
    said = quick.here("skills", "install").out
    assert f"{SKILL}: kept as it was edited" in said
    assert "## My loop" in page.read_text()
    assert quick.here("doctor", "--json").json["notes"] == []
    commands = quick.root / SKILL.parent / "references/commands.md"
    commands.unlink()
    assert "commands.md is missing" in quick.here("doctor").out
    (quick.root / ".claude/skills/labtree").unlink()
    (quick.root / ".claude/skills/labtree").write_text("mine")
    assert "kept: something else is there" in quick.here("skills", "install").out


def test_the_doctor_is_content_with_what_was_just_installed(toy: Toy) -> None:
    toy.lab("skills", "install")
    assert toy.lab("doctor", "--json").json["notes"] == []


def test_a_skill_for_all_projects_lies_at_home(quick: Quick) -> None:
    home = quick.root.parent / "home"
    quick.here("skills", "install", "--user", HOME=str(home))
    assert (home / SKILL).is_file()
    assert not (home / "AGENTS.md").exists()


def test_shells_complete_the_words_of_lab(toy: Toy) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_LAB_COMPLETE" in toy.here("completion", shell).out
    told = toy.lab(_LAB_COMPLETE="bash_complete", COMP_WORDS="lab hy", COMP_CWORD="1").out
    assert "hypothesis" in told


Work = Callable[[Client], Awaitable[Any]]


def connected(toy: Toy, work: Work) -> Any:
    """Do something with a client of the SDK that is connected to `lab mcp`."""
    env = toy.environ(PYTHONPATH=str(Path(__file__).parent.parent))
    server = StdioServerParameters(
        command=sys.executable, args=["-P", "-m", "lab", "mcp"], env=env, cwd=toy.root
    )

    async def session() -> Any:
        async with Client(stdio_client(server)) as client:
            return await work(client)

    return asyncio.run(asyncio.wait_for(session(), 240))


async def typed(client: Client, tool: str, **words: Any) -> Any:
    """Call a tool; return its document, or what it refused."""
    found = await client.call_tool(tool, words)
    text = found.content[0].text
    if found.is_error:
        return f"refused: {text}"
    return json.loads(text) if text.lstrip().startswith(("{", "[")) else text


def test_a_client_does_a_whole_experiment_by_tools(toy: Toy, campaign: Path) -> None:
    async def work(client: Client) -> dict[str, Any]:
        here = str(campaign)
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        reads = {name for name, tool in tools.items() if tool.annotations.read_only_hint}
        assert reads == {"context", "failures", "show", "board", "log", "brief"}
        assert tools.keys() - reads == {"hypothesis", "run", "wait", "result", "lesson"}
        brief = await typed(client, "brief", folder=here)
        assert "# Protocol" in brief
        context = await typed(client, "context", folder=here)
        assert context["incumbent"]["experiment"] == "e1"
        made = await typed(client, "hypothesis", claim="-5 % of it", mechanism="m", folder=here)
        slope(campaign, 2.0)
        begun = await typed(client, "run", what=made["hypothesis"], folder=here)
        found = begun
        while found["suggest"] is None:
            found = await typed(client, "wait", experiment=begun["experiment"], folder=here)
        name = found["experiment"]
        done = await typed(
            client, "result", experiment=name, verdict="keep", theory_revision="t", folder=here
        )
        assert done["verdict"] == "keep"
        lesson = await typed(client, "lesson", text="both", evidence="e1,e2", folder=here)
        assert "refused" not in str(lesson)
        refused = await typed(client, "run", what="h99", folder=here)
        assert refused.startswith("refused: ")
        assert "no hypothesis h99" in refused
        return found

    found = connected(toy, work)
    assert toy.here("show", "e2", "--json").json["verdict"] == "keep"
    assert found["gain"] > 0
    assert {one["claim"] for one in toy.here("log", "toy", "--json").json} == {None, "-5 % of it"}


def test_without_the_sdk_one_is_told_what_to_install(toy: Toy, tmp_path: Path) -> None:
    (tmp_path / "mcp.py").write_text("raise ImportError('none')\n")
    path = f"{tmp_path}{os.pathsep}{Path(__file__).parent.parent}"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lab", "mcp"],
        cwd=toy.root,
        env=toy.environ(PYTHONPATH=path),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, f"pip install -e '{ROOT}[mcp]'" in done.stderr) == (6, True)


def test_settings_are_taken_where_no_option_is_given(toy: Toy, campaign: Path) -> None:
    assert toy.here("config").out.split() == [
        *("agent", "-", "hours", "-", "on", "-", "profile", "-", "notify", "-"),
        *("mirror", "-"),
    ]
    own = toy.root.parent / "home/.config/lab/config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('agent = "nobody-at-all"\nhours = 0.5\n')
    (toy.root / ".lab/config.toml").write_text('agent = "tuner"\n')
    found = toy.here("config", "--json").json
    assert (found["agent"]["value"], found["hours"]["file"]) == ("tuner", str(own))
    done = toy.lab("loop", "toy", "--experiments", "1", "--name", "ida", "--json").json
    assert done["campaign"] == "toy/ida"
    (toy.root / ".lab/config.toml").write_text("agnet = 3\n")
    told = toy.here("config", code=4).err
    assert "no setting 'agnet'" in told
    assert "agent, hours" in told
    (toy.root / ".lab/config.toml").write_text('hours = "long"\n')
    assert "Write: hours = 8" in toy.here("loop", "toy", code=4).err


def test_the_plugin_of_this_repository_is_of_this_version() -> None:
    """Its pages are compared by `make check`."""
    root = Path(__file__).parent.parent
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    for name in (
        ".claude-plugin/plugin.json",
        ".codex-plugin/plugin.json",
        "gemini-extension.json",
    ):
        assert json.loads((root / name).read_text())["version"] == version
