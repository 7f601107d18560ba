"""`lab serve` over HTTP: what the pages say, who may read, and what it costs."""

import threading
import time

from serving import serving
from toy import Quick, Toy


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
