"""`lab serve` over HTTP: what the pages say, who may read, and what it costs."""

import json
import re
import threading
import time
from collections.abc import Iterator

import nights
import pytest
import toy as toys
from nights import Idea
from serving import Server, serving
from toy import Quick, Toy

from lab.text import num


def test_the_first_page_reads_without_a_script_and_names_the_leaf(ready: Toy) -> None:
    with serving(ready) as server:
        page = server.ask("/")
    assert page.status == 200
    assert "Nobody. Begin with:" in page.text
    assert '<a href="/leaf/toy">' in page.text
    assert "1 experiment, 0 kept" in page.text


def test_it_is_served_where_there_is_no_notebook_yet_and_makes_none(quick: Quick) -> None:
    with serving(quick) as server:
        assert "The notebook is empty" in server.ask("/").text
        idea = quick.idea()
        assert idea == "h1"
        assert server.ask("/").status == 200


def test_a_page_that_did_not_move_is_not_sent_again_and_one_that_is_comes_packed(
    ready: Toy,
) -> None:
    with serving(ready) as server:
        first = server.ask("/")
        again = server.ask("/", If_None_Match=first.headers["etag"])
        packed = server.ask("/", Accept_Encoding="gzip")
    assert (again.status, again.body) == (304, b"")
    assert packed.text == first.text
    assert len(packed.body) < 0.7 * len(first.body)


def test_a_record_is_told_within_a_second(quick: Quick) -> None:
    quick.idea()
    with serving(quick) as server, server.events() as told:
        first = next(told)
        began = time.monotonic()
        worker = threading.Thread(target=quick.lab, args=("drop", "h1"))
        worker.start()
        moved = next(one for one in told if one["book"] != first["book"])
        worker.join()
        assert moved["steps"] == first["steps"]
        assert time.monotonic() - began < 3  # the command itself takes most of it


def test_it_ends_at_ctrl_c_whoever_listens_and_its_port_must_be_free(quick: Quick) -> None:
    with serving(quick) as server, server.events() as told:
        next(told)
        refused = quick.lab("serve", "--port", str(server.port), code=6)
        assert f"--port {server.port + 1}" in refused.err
        assert len(refused.err.splitlines()) == 2


# -- Pages ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A small night: a keep, dead ends, a failure, tags and a note."""
    toy = toys.make(tmp_path_factory.mktemp("serve"))
    turned = [
        Idea(f"slope {n}", 0.3 - n / 10, "keep" if n == 0 else "discard", lesson=f"learned {n}")
        for n in range(6)
    ]
    nights.write(toy, [*turned, Idea("too large", None, "crash", failure="oom")])
    file = toy.root.parent / "changes.jsonl"
    with file.open("w") as out:
        for n in range(6):
            turn = json.dumps([["SLOPE", 1.0, n / 2], ["<b>", 0, n % 2]])
            row = {"uid": f"turn-{n}", "experiment": f"toy-{n + 1}", "constants": turn, "words": ""}
            out.write(
                json.dumps({"table": "changes", "at": nights.stamp(nights.START), **row}) + "\n"
            )
    assert '"skipped": 0' in toy.here("import", str(file), "--json").out
    toy.here("tag", "e2", "star", "odd")
    toy.here("note", "e2", "look again")
    return toy


@pytest.fixture(scope="module")
def night(home: Toy) -> Iterator[Server]:
    """A server of it."""
    with serving(home) as server:
        yield server


def test_a_leaf_is_told_with_gains_tree_dead_ends_failures_and_lessons(
    night: Server, home: Toy
) -> None:
    page = night.ask("/leaf/toy").text
    board = home.here("board", "toy", "--json").json
    assert f"<dd>{num(board['provisional_gain'], sign=True)}</dd>" in page
    assert f"<dd>{num(board['best']['value'])}</dd>" in page
    for words in ("How it grew", "tried from here", "out of memory 1", "learned 3", "slope 5"):
        assert words in page, words
    assert 'href="/e/2"' in page


def test_an_experiment_is_told_with_its_verdict_notes_children_and_what_to_type(
    night: Server,
) -> None:
    page = night.ask("/e/2").text
    for words in ("verdict keep", "look again", "★", "#odd", "lab reproduce e2", "Tried on top"):
        assert words in page, words
    assert 'href="/compare?e=2&amp;e=1"' in page


def test_what_differs_comes_first_when_experiments_stand_side_by_side(night: Server) -> None:
    page = night.ask("/compare?e=2&e=3&e=e4").text
    assert page.index("What differs") < page.index("What came of them")
    for word in ("slope 0", "slope 1", "slope 2"):
        assert word in page
    for wrong in ("/compare", "/compare?e=2", "/compare?e=x&e=2", f"/compare?{'e=2&' * 3}"):
        refused = night.ask(wrong)
        assert (refused.status, len(refused.text.splitlines())) == (409, 2)


def test_the_table_is_sorted_filtered_and_cut_by_its_address(night: Server) -> None:
    def shown(query: str) -> list[str]:
        return re.findall(r'href="/e/(\d+)"', night.ask(f"/leaf/toy?parts=table&{query}").text)

    assert shown("") == list("87654321")
    assert shown("sort=gain&way=down")[:6] == list("234567")
    assert shown("sort=gain&way=up")[:2] == ["7", "6"]
    assert shown("outcome=kept") == ["2", "1"]
    assert shown("find=SLOPE+3") == ["5"]
    assert shown("tag=odd") == ["2"]
    assert shown("page=2") == []
    assert shown("sort=drop+table&way=x&page=-3&outcome=no&find=%00") == []
    assert shown("sort=nothing&page=x") == list("87654321")


def test_a_knob_is_drawn_with_its_gains_and_how_much_it_explains(night: Server) -> None:
    page = night.ask("/leaf/toy?parts=knobs").text
    assert "SLOPE: 6 tries, explains 100% of the gains&#x27; variance" in page.replace(
        "'", "&#x27;"
    )
    assert "e3 SLOPE 0.5: +0.2" in page
    assert "<b>" not in page.replace("<b></b>", "")


def test_dead_ends_are_searched_as_lab_failures_does(night: Server) -> None:
    page = night.ask("/leaf/toy?parts=dead&q=slope+4").text
    assert page.index("slope 4") < page.index("slope 1")
    assert "Every experiment" not in page


def test_what_is_not_there_is_said_in_two_lines(night: Server) -> None:
    for path in ("/leaf/nothing", "/e/99", "/static/x.js"):
        refused = night.ask(path)
        assert (refused.status, len(refused.text.splitlines())) == (404, 2), path
