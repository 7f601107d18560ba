"""Who may act on the live page and who may read it; every act is a record with its author."""

import contextlib
import getpass
import http.client
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import nights
import pytest
import toy as toys
from nights import Idea
from serving import SLOW, Server, serving
from toy import Quick, Toy

ACTS = {
    "tag": {"e": "2", "tag": "star"},
    "note": {"e": "2", "text": "look again"},
    "lesson": {"e": "2", "text": "steeper is better"},
    "idea": {"campaign": "toy/ada", "claim": "raise it more", "mechanism": "the truth is 3"},
    "stop": {"what": "toy/ada"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A small night of a campaign toy/ada."""
    toy = toys.make(tmp_path_factory.mktemp("acts"))
    nights.write(toy, [Idea("raise the slope", 0.5, "keep")])
    return toy


@pytest.fixture(scope="module")
def server(home: Toy) -> Iterator[Server]:
    """A server of it."""
    with serving(home) as found:
        yield found


def newest(toy: Toy) -> dict[str, str]:
    return toy.here("log", "--events", "-n", "1", "--json").json[0]


# -- Acts ------------------------------------------------------------------------


def test_each_act_does_what_its_command_does_and_is_an_event_with_its_author(
    server: Server, home: Toy
) -> None:
    told = {
        "tag": ("tag", "e2", "star"),
        "note": ("note", "e2", "look again"),
        "lesson": ("lesson", "toy", "steeper is better"),
        "idea": ("hypothesis", "h2", None),
        "stop": ("stop", "toy/ada", f"by {getpass.getuser()}"),
    }
    for act, fields in ACTS.items():
        answer = server.act(f"/act/{act}", **fields)
        assert (answer.status, answer.body) == (303, b""), (act, answer.text)
        event = newest(home)
        assert (event["verb"], event["subject"], event["detail"]) == told[act]
        assert event["who"] == getpass.getuser()
    page = home.here("show", "e2").out
    for words in ("tags: star", "look again"):
        assert words in page
    assert server.act("/act/tag", e="2", tag="star", gone="1").status == 303
    assert home.here("show", "e2", "--json").json["tags"] == []


def test_an_idea_that_was_queued_is_found_by_the_campaign_among_its_own(toy: Toy) -> None:
    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    where = toy.campaign()
    with serving(toy) as server:
        form = {"campaign": "toy/ada", "claim": "try three", "mechanism": "it is the truth"}
        assert server.act("/act/idea", **form).status == 303
    mine = toy.here("context", "--json", cwd=where).json["mine"]
    assert "try three" in str(mine)


def test_a_run_and_a_campaign_are_stopped(toy: Toy) -> None:
    toy.leaf(train=SLOW.replace("range(100)", "range(2000)"))
    toy.commit("slow")
    toy.lab("run", "--baseline", "--detach", cwd=toy.root / "toy", code=5)
    with serving(toy) as server:
        until(lambda: "training" in server.ask("/").text)
        assert "stop e1" in server.ask("/", **server.cookie).text
        assert server.act("/act/stop", what="e1").status == 303
        assert "training" not in server.ask("/").text
    assert toy.here("show", "e1", "--json").json["status"] == "failed"


def until(true, within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("act", "fields", "status"),
    [
        ("tag", {"e": "2", "tag": "two words"}, 409),
        ("tag", {"e": "99", "tag": "star"}, 404),
        ("tag", {"e": "2; drop table tags", "tag": "star"}, 409),
        ("note", {"e": "2", "text": " "}, 409),
        ("note", {"e": "2", "text": "x" * 30_000}, 409),
        ("note", {"e": "2", "text": "x" * 300_000}, 409),
        ("idea", {"campaign": "toy/eve", "claim": "x", "mechanism": "y"}, 404),
        ("stop", {}, 409),
        ("stop", {"what": "nobody"}, 404),
        ("format", {"disk": "all"}, 404),
    ],
)
def test_what_makes_no_sense_is_refused_in_two_lines_and_recorded_nowhere(
    server: Server, home: Toy, act: str, fields: dict[str, str], status: int
) -> None:
    before = newest(home)
    refused = server.act(f"/act/{act}", **fields)
    assert (refused.status, len(refused.text.splitlines())) == (status, 2), refused.text
    assert newest(home) == before


# -- Who may -----------------------------------------------------------------------


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("lacks", ["token", "origin", "own origin", "null origin", "post"])
def test_no_act_without_the_token_by_another_origin_or_by_get(
    server: Server, home: Toy, act: str, lacks: str
) -> None:
    before = newest(home)
    headers = {**server.cookie, "Origin": server.root.rstrip("/")}
    if lacks == "token":
        headers["Cookie"] = re.sub(r"=.*", "=" + "x" * 43, headers["Cookie"])
    elif lacks == "origin":
        del headers["Origin"]
    elif lacks != "post":
        headers["Origin"] = "null" if lacks == "null origin" else "http://evil.example"
    body = "&".join(f"{name}={value}" for name, value in ACTS[act].items())
    if lacks == "post":
        answer = server.ask(f"/act/{act}?{body}".replace(" ", "+"), **headers)
    else:
        answer = server.ask(f"/act/{act}", "POST", body, **headers)
    assert answer.status == (405 if lacks == "post" else 403)
    assert newest(home) == before


def test_a_page_shows_forms_only_to_whoever_has_the_token(server: Server) -> None:
    assert "/act/" not in server.ask("/e/2").text
    assert "/act/note" in server.ask("/e/2", **server.cookie).text
    assert server.ask("/in?token=wrong").status == 403
    made = server.ask(f"/in?{urlsplit(server.link).query}").headers["set-cookie"]
    assert "HttpOnly" in made
    assert "SameSite=strict" in made


def test_a_name_that_was_turned_to_this_address_is_not_answered(server: Server) -> None:
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", ""):
        for path in ("/", "/leaf/toy", "/events"):
            assert server.ask(path, Host=host).status == 403
    for host in (f"localhost:{server.port}", f"127.0.0.1:{server.port}", f"[::1]:{server.port}"):
        assert server.ask("/", Host=host).status == 200


def test_another_host_needs_the_token_for_reading_too(home: Toy) -> None:
    with serving(home, "--host", "0.0.0.0") as server:
        assert socket.gethostname() in server.link
        for path in ("/", "/e/2", "/leaf/toy", "/events", "/compare?e=1&e=2"):
            assert server.ask(path).status == 403, path
        assert server.ask("/", **server.cookie).status == 200
        assert server.ask("/", Host="box.tailnet.example", **server.cookie).status == 200


def test_the_token_stays_and_only_its_owner_may_read_it(quick: Quick) -> None:
    with serving(quick) as server:
        first = server.link
    with serving(quick) as server:
        assert urlsplit(server.link).query == urlsplit(first).query
    file = quick.root / ".lab" / "serve-token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()
    with serving(quick) as server:
        assert urlsplit(server.link).query != urlsplit(first).query


def test_an_agent_does_not_serve(quick: Quick) -> None:
    where = quick.campaign()
    assert "for people" in quick.lab("serve", cwd=where, code=4).err
    assert "for people" in quick.lab("serve", code=4, LAB_SESSION="x").err


def test_every_answer_forbids_what_is_not_its_own(server: Server) -> None:
    for path in ("/", "/leaf/toy", "/e/2", "/nothing", "/in?token=x", "/static/style.css"):
        headers = server.ask(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';"), path
        assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in policy


# -- Who wants too much ------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is found through /proc")
def test_a_thousand_connections_and_slow_readers_leave_the_server_as_it_was(home: Toy) -> None:
    with serving(home) as server, contextlib.ExitStack() as stack:
        server.ask("/")
        before = memory(server)
        with contextlib.ExitStack() as crowd:
            lines = [crowd.enter_context(connect(server.port)) for _ in range(900)]
            until(lambda: sum(is_open(one) for one in lines) <= 200)
            assert home.here("log").code == 0
        until(lambda: answers(server))
        slow = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        stack.enter_context(contextlib.closing(slow))
        slow.request("GET", "/events")  # and reads nothing
        for _ in range(20):
            server.act("/act/note", e="2", text="again")
        assert server.ask("/").status == 200
        assert memory(server) - before < 40_000


def answers(server: Server) -> bool:
    try:
        return server.ask("/").status == 200
    except OSError:
        return False


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def is_open(one: socket.socket) -> bool:
    """Return whether the other side did not hang up."""
    one.setblocking(False)
    try:
        return one.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def memory(server: Server) -> int:
    """Return how much memory a server has, in kB."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1])  # type: ignore[index]


def test_it_says_what_to_install_where_its_packages_are_missing(
    quick: Quick, tmp_path: Path
) -> None:
    (tmp_path / "starlette").mkdir()
    (tmp_path / "starlette" / "__init__.py").write_text("raise ImportError\n")
    refused = quick.start("serve", PYTHONPATH=os.pathsep.join([str(tmp_path), os.getcwd()]))
    _, err = refused.communicate()
    assert refused.returncode == 6
    assert "pip install 'labtree[web]'" in err.splitlines()[1]
