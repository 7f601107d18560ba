"""The pages of the skill: the protocol, every command, when a change is better."""

from importlib import resources

HEAD = """\
---
name: labtree
description: >-
  Improve one number of a program by measured experiments with `lab` (Labtree): use it when asked
  to run experiments, tune, speed up or otherwise improve a metric, accuracy, loss or running time;
  when a folder has a leaf.toml; or when asked what was tried before and why it failed. It remembers
  every experiment, judges gains against noise and keeps only what holds.
---

# Labtree

`lab` runs each idea from a commit of its own, measures it, says whether it is better than luck, and
remembers what failed. Every command is in [references/commands.md](references/commands.md);
[references/judging.md](references/judging.md) says when a change is better.

- **A script without a leaf** (no leaf.toml beside it): `lab adopt train.py` makes one around it.
- **To do research**: `cd "$(lab worktree LEAF NAME)"` gives a worktree of your own; `lab brief`
  prints the page to work from: this protocol, the leaf's facts, what is known. Then follow it.
- **Only to look**: `lab board LEAF`, `lab failures "an idea" --leaf LEAF`, `lab show e34`.
- **Never** train or measure beside `lab run`, and never report a number that it did not print.

"""


def pages(commands: str) -> dict[str, str]:
    """Return the pages by their path within the skill; `commands` is the help of all of them."""
    return {
        "SKILL.md": HEAD + _protocol(),
        "references/commands.md": commands,
        "references/judging.md": _read("lab.skills", "judging.md"),
    }


def _read(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def _protocol() -> str:
    """Return the protocol without its title."""
    return _read("lab", "PROTOCOL.md").partition("\n")[2].lstrip()
