"""A real `lab serve` in a process of its own, asked over HTTP as browsers and others do."""

import contextlib
import gzip
import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from toy import TRAIN, Toy

# A training of five seconds by its own clock, a step each twentieth of one.
SLOW = TRAIN.replace("import random\n", "import random\nimport time\n").replace(
    """        log.write(json.dumps({"step": 1, "elapsed_s": 0.1, "loss": 1.0}) + "\\n")""",
    """        for step in range(100):
            loss = (SLOPE - 3) ** 2 + 3 * 0.95**step
            row = {"step": step, "elapsed_s": step * 0.05, "loss": loss}
            log.write(json.dumps(row) + "\\n")
            log.flush()
            time.sleep(0.05)""",
)


@dataclass
class Answer:
    """What the server gave back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body, unpacked."""
        packed = self.headers.get("content-encoding") == "gzip"
        return (gzip.decompress(self.body) if packed else self.body).decode()


@dataclass
class Server:
    """A server at work, and the link that it printed."""

    process: "subprocess.Popen[str]"
    link: str

    @property
    def root(self) -> str:
        """The address of the first page."""
        return f"http://{urlsplit(self.link).netloc}/"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(urlsplit(self.link).port or 0)

    @property
    def cookie(self) -> dict[str, str]:
        """The header of whoever opened the link."""
        made = self.ask(f"/in?{urlsplit(self.link).query}")
        return {"Cookie": made.headers["set-cookie"].partition(";")[0]}

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        """Send one request; `Accept_Encoding="gzip"` is a header."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body or None, named)
            answer = connection.getresponse()
            known = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, known, answer.read())

    def act(self, path: str, **fields: str) -> Answer:
        """Send a form as a page of the server does."""
        headers = {**self.cookie, "Origin": self.root.rstrip("/")}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask(path, "POST", urlencode(fields), **headers, **kind)

    @contextlib.contextmanager
    def events(self) -> Iterator[Iterator[dict[str, Any]]]:
        """Listen to what moved: an iterator of the versions as they are told."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", "/events")
            answer = connection.getresponse()
            assert answer.getheader("content-type", "").startswith("text/event-stream")
            lines = (line.decode() for line in iter(answer.readline, b""))
            yield (json.loads(line[6:]) for line in lines if line.startswith("data: "))

    def kill(self) -> None:
        """Kill it, as a machine that goes down does."""
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def serving(toy: Toy, *words: str, port: int = 0, **env: str) -> Iterator[Server]:
    """Start a server on a free port, or on the one of before, and end it as Ctrl-C does."""
    process = toy.start("serve", "--port", str(port), *words, **env)
    try:
        assert process.stdout is not None
        found = re.search(r"http\S+", process.stdout.readline())
        assert found, process.communicate()
        yield Server(process, found[0])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
