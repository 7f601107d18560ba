"""What the presets' rules let an agent type, read as each vendor's documentation says."""

import fnmatch
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from toy import Quick, Toy

from lab.agents import presets
from lab.workspace import Workspace

# Each writes or reads a file of the agent's choosing, or runs a program of it.
TRICKS = [
    "git diff --output=../../.bashrc",
    "git diff --outpu=../../.bashrc",
    "git log -1 --output ../../.bashrc",
    "git show --output=../../.bashrc",
    "git diff --no-index /dev/null ../../.ssh/id_ed25519",
    "git diff -- /dev/null ../../.ssh/id_ed25519",
    "git diff --ext-diff",
    "git log -p --textconv",
    "git -c core.fsmonitor=/tmp/x status",
    "git --exec-path=/tmp status",
    "git checkout --pathspec-from-file=../../.ssh/id_ed25519",
    "git checkout HEAD --pathspec-from-file=../../.ssh/id_ed25519",
    "git checkout main",
    "git stash",
]
NEEDED = ["git status", "git diff", "git checkout HEAD -- train.py", "lab run h12", "lab context"]


def by_claude(command: str) -> bool:
    """Return whether a rule fits the whole command; `:*` is the old way to write ` *`."""
    words = presets.builtin()["claude"]["command"]
    rules = [word[len("Bash(") : -1] for word in words if word.startswith("Bash(")]
    return any(fnmatch.fnmatchcase(command, rule.replace(":*", " *")) for rule in rules)


def by_gemini(command: str) -> bool:
    """Return whether the policy's expression is found in the command as JSON."""
    (rule,) = tomllib.loads(presets.builtin()["gemini"]["files"]["gemini-policy.toml"])["rule"]
    said = json.dumps({"command": command}, separators=(",", ":"))
    return re.search(f'"command":"{rule["commandRegex"]}', said) is not None


@pytest.mark.parametrize("allows", [by_claude, by_gemini])
def test_no_line_of_git_that_takes_an_option_is_open(allows) -> None:  # type: ignore[no-untyped-def]
    assert [command for command in TRICKS if allows(command)] == []
    assert [command for command in NEEDED if not allows(command)] == []


def test_git_takes_what_follows_two_hyphens_for_paths_of_the_worktree(
    quick: Quick, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("words\n")
    for path in (f"--pathspec-from-file={tmp_path}/secret", f"--output={tmp_path}/x", "../secret"):
        words = ["git", "checkout", "HEAD", "--", path]
        done = subprocess.run(words, cwd=quick.root, capture_output=True, text=True)
        assert done.returncode != 0
        assert "words" not in done.stderr
    assert not (tmp_path / "x").exists()
    (quick.root / "toy/train.py").write_text("spoiled")
    subprocess.run(["git", "checkout", "-q", "HEAD", "--", "toy/train.py"], cwd=quick.root)
    assert "SLOPE" in (quick.root / "toy/train.py").read_text()


def test_the_tuner_with_itself_is_the_tuner(toy: Toy) -> None:
    workspace = Workspace(toy.root, leaf="toy")
    for agent in ("tuner", "tuner+tuner"):
        assert presets.chosen(workspace, agent, yolo=False) == (None, True)
