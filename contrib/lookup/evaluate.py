"""The leaf's only metric: the share of held-out questions the agent answers. Read-only.

A change here makes every earlier number incomparable, so it needs a pull request. The agent works
in a process of its own (`serve.py`); cost and context are counted at the desk, which stands here
and which it has to use; leaf.toml bounds both.
"""

import json
import math
from pathlib import Path

from world import Desk, Office

from shared import model_server, run, summary

LEAF = "contrib/lookup"
COST_TOO_HIGH = 100.0  # cents: stops an agent that would never end a question


def main() -> None:
    """Print the block that counts."""
    here, office = run.here(__file__), Office()
    playbook = read(here.dir / "playbook.json")
    right, desks = 0, []
    with model_server.Server(here.leaf) as server:
        for number, (question, answer) in enumerate(questions(here.held_out / "questions.json")):
            desk = Desk(office, f"held out/{here.seed}/{number}")
            right += answered(server, question, desk, playbook) == answer
            desks.append(desk)
    count = len(desks)
    summary.report(
        {
            "success_rate": right / count,
            "cost_cents": math.fsum(desk.cents for desk in desks) / count,
            "context_chars": max(desk.context for desk in desks),
            "model_calls": sum(desk.asked for desk in desks) / count,
            "page_calls": sum(desk.opened for desk in desks) / count,
            "questions": count,
        }
    )


def answered(
    server: model_server.Server, question: str, desk: Desk, playbook: dict[str, list[str]]
) -> str:
    """Return the agent's answer; what it asks of the desk on the way is done here."""
    said = server.ask(question=question, playbook=playbook)
    while "answer" not in said:
        if desk.cents > COST_TOO_HIGH:
            raise SystemExit(f"refused: one question cost {desk.cents:.0f} cents")
        if "prompt" in said:
            said = server.ask(reply=desk.ask(str(said["prompt"])), cents=desk.cents)
        else:
            said = server.ask(page=desk.open(str(said.get("title", ""))), cents=desk.cents)
    return str(said["answer"])


def questions(path: Path) -> list[list[str]]:
    """Return the questions that are held out, each with its answer."""
    try:
        return list(json.loads(path.read_text()))
    except (OSError, ValueError):
        raise SystemExit(f"no questions at {path}; type: python prepare.py") from None


def read(path: Path) -> dict[str, list[str]]:
    """Return the playbook, or refuse what is missing, of another leaf, or no playbook."""
    try:
        left = json.loads(path.read_text())
    except (OSError, ValueError):
        raise SystemExit(f"no finished playbook at {path}; type: python agent.py") from None
    if not isinstance(left, dict) or left.get("leaf") != LEAF:
        raise SystemExit(f"refused: {path} is no playbook of leaf {LEAF}")
    playbook = left.get("playbook")
    if not isinstance(playbook, dict) or not all(isinstance(v, list) for v in playbook.values()):
        raise SystemExit("refused: a playbook is a list of phrases for each relation")
    return playbook


if __name__ == "__main__":
    main()
