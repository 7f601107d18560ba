"""The process in which the agent works when `evaluate.py` asks it. Read-only during experiments."""

from dataclasses import dataclass

from shared import model_server


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
    from agent import solve

    for one in requests:
        answer = solve(one["question"], RemoteDesk(requests), one["playbook"])
        requests.answer(answer=answer)


if __name__ == "__main__":
    main()
