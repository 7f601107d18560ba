"""The processes in which the agent works when `evaluate.py` asks it. Read-only during experiments.

Each question has one of its own, a copy of the first as it was after the agent was imported: pages
that were read for one question, and paid for there, are not known in the next. Nor are they left in
a file: a question writes none.
"""

import os
import resource
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from shared import model_server

Solve = Callable[..., Any]


@dataclass
class RemoteDesk:
    """The agent's tools and model; what they cost is counted where the questions come from."""

    requests: model_server.Requests
    cents: float = 0.0

    def open(self, title: str) -> list[str] | None:
        """Return a page's lines, [] when there is no such page, None when the call timed out."""
        found = self.requests.ask(title=title)
        self.cents = found["cents"]
        page: list[str] | None = found["page"]
        return page

    def ask(self, prompt: str) -> str:
        """Return the model's reply."""
        found = self.requests.ask(prompt=prompt)
        self.cents = found["cents"]
        return str(found["reply"])


def main() -> None:
    """Answer questions until there are no more."""
    requests = model_server.Requests()
    import agent  # the rest of this program trusts nothing of it

    for one in requests:
        child = os.fork() or alone(agent.solve, requests, one)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit("the agent ended before it had an answer")


def alone(solve: Solve, requests: model_server.Requests, one: model_server.Message) -> NoReturn:
    """Answer one question and end, whatever the agent has done to this process."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    code = 1
    try:
        answer = solve(one["question"], RemoteDesk(requests), one["playbook"])
        requests.answer(answer=answer)
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
