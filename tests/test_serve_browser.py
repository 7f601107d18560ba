"""The live pages in a real headless Chromium: they move by themselves, safely, on any screen."""

import os
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import browser
import nights
import pytest
import toy as toys
from nights import Idea
from serving import SLOW, Server, serving
from test_report import HOSTILE, NIGHT
from toy import TRAIN, Quick, Toy, slope

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=browser.missing() or ""),
    pytest.mark.skipif(os.name != "posix", reason="Chromium is driven on Linux here"),
]


@pytest.fixture(scope="module")
def window() -> Iterator[browser.Browser]:
    """One Chromium for all tests."""
    with browser.opened() as found:
        yield found


HOSTILE_E = 79  # the experiment that has hostile text everywhere
IMAGE = "<img src=x onerror=alert(1)>"
# A training whose step log and samples are hostile.
NASTY = TRAIN.replace(
    """        log.write(json.dumps({"step": 1, "elapsed_s": 0.1, "loss": 1.0}) + "\\n")""",
    f"""        for step in range(9):
            row = {{"step": step, "elapsed_s": 0.1, {IMAGE!r}: 1 / (step + 1)}}
            log.write(json.dumps(row) + "\\n")
    with (run / "samples.jsonl").open("w") as out:
        out.write(json.dumps({{"prompt": {IMAGE!r}, "completion": {IMAGE!r}, "reward": 1}}))""",
)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of two leaves: real runs, and a night with hostile text in every field."""
    toy = toys.make(tmp_path_factory.mktemp("pages"))
    toy.leaf(train=NASTY)
    toy.commit("nasty")
    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    more = [Idea(f"idea {n}", -n / 100, axis=f"axis{n % 7}", lesson=f"of {n}") for n in range(70)]
    nights.write(toy, more, baseline=False)
    nasty = Idea(HOSTILE, 0.5, "keep", axis=HOSTILE, mechanism=HOSTILE, lesson=HOSTILE)
    long = Idea("x" * 10_000, 0.1, "keep", axis="y" * 300, mechanism="z" * 9000)
    nights.write(
        toy, [*NIGHT, nasty, long, Idea("oom", None, "crash", failure="oom")], leaf="night"
    )
    toy.here("note", f"e{HOSTILE_E}", HOSTILE)
    nights.write(toy, [Idea("a leaf of that name")], leaf=IMAGE)
    with serving(toy) as server:
        yield server


@pytest.fixture
def slow(toy: Toy) -> Toy:
    """A toy whose training takes five seconds, its baseline measured."""
    toy.leaf(train=SLOW)
    toy.commit("slow")
    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    return toy


def test_a_training_runs_and_its_curve_grows_over_its_incumbents(
    window: browser.Browser, slow: Toy
) -> None:
    where = slow.campaign()
    idea = slow.idea("a slope of 2.9", cwd=where)
    (where / "train.py").write_text(SLOW.replace("SLOPE = 1.0", "SLOPE = 2.9"))
    with serving(slow) as server:
        window.visit(server.root)
        window.until("return document.getElementById('link').textContent === 'live'")
        window.error_lines()
        running = slow.start("run", idea, cwd=where)
        grown = (
            "const path = document.querySelector('.lane path.c0');"
            "const bar = document.querySelector('.lane progress');"
            "return path && bar ? [path.getTotalLength(), bar.value] : null"
        )
        first = window.until(grown)
        later = window.until(f"const now = (() => {{ {grown} }})(); return now[1] > 0.6 && now")
        assert later[0] > first[0]
        assert later[1] > first[1]
        assert "its incumbent e1" in window.js("return document.querySelector('.legend').innerText")
        assert "will end near" in window.js("return document.querySelector('.lane').innerText")
        running.communicate()
        window.until("return !document.querySelector('.lane progress')")
        assert window.error_lines() == []


def test_a_verdict_moves_the_staircase_without_a_reload(
    window: browser.Browser, campaign: Path, ready: Toy
) -> None:
    idea = ready.idea("a slope of 2.5", cwd=campaign)
    slope(campaign, 2.5)
    ready.lab("run", idea, cwd=campaign)
    with serving(ready) as server:
        window.visit(server.root + "leaf/toy")
        window.until("return document.getElementById('link').textContent === 'live'")
        window.js("window.same = true")
        stairs = "return document.querySelector('path.stairs').getAttribute('d')"
        flat = window.js(stairs)
        ready.lab("result", "e2", "-v", "keep", cwd=campaign)
        began = time.monotonic()
        window.until(f"return (() => {{ {stairs} }})() !== arguments[0]", flat, within_s=5)
        took = time.monotonic() - began
        assert window.js("return document.querySelectorAll('a path.kept').length") == 1
        assert window.js("return window.same") is True  # nobody loaded the page again
        assert took < 2  # one second alone; on a busy machine a little more


def test_the_server_is_killed_and_comes_back_under_an_open_page(
    window: browser.Browser, quick: Quick
) -> None:
    with serving(quick) as server:
        port = server.port
        window.visit(server.root)
        window.until("return document.getElementById('link').textContent === 'live'")
        window.js("window.same = true")
        server.kill()
        window.until("return document.getElementById('link').textContent.includes('lost')")
        assert window.js("return document.body.innerText.includes('empty')")  # what was there stays
    quick.idea()
    nights.write(quick, [Idea("raise the slope", 0.5, "keep")])
    with serving(quick, port=port):
        window.until("return document.getElementById('link').textContent === 'live'")
        window.until("return document.body.innerText.includes('raise the slope')", within_s=10)
        assert window.js("return window.same") is True


def test_two_campaigns_launched_from_a_terminal_come_up_and_are_stopped_from_the_page(
    window: browser.Browser, slow: Toy
) -> None:
    with serving(slow) as server:
        window.visit(server.link)
        window.until("return document.getElementById('link').textContent === 'live'")
        words = ("--agent", "tuner", "--experiments", "9")
        slow.lab("launch", "toy:ada", "toy:bea", *words, LAB_CPU_SLOTS="2")
        lanes = "return [...document.querySelectorAll('.lane h3')].map(one => one.innerText)"
        for name in ("toy/ada", "toy/bea"):
            window.until(f"return (() => {{ {lanes} }})().some(one => one.startsWith('{name}'))")
        window.until("return document.querySelectorAll('.lane progress').length === 2")
        window.js(
            "const form = document.querySelector('#lane-toy_2fada form[action=\"/act/stop\"]');"
            "form.requestSubmit()"
        )
        window.until("return document.querySelectorAll('.lane').length === 1", within_s=60)
        assert "toy/ada" in window.js("return document.querySelector('#earlier').textContent")
        states = {
            one["campaign"]: one["state"] for one in slow.here("status", "--json").json["campaigns"]
        }
        assert states == {"toy/ada": "stopped", "toy/bea": "working"}


def test_dead_ends_are_found_as_one_types_and_the_word_stays(
    window: browser.Browser, night: Server
) -> None:
    window.visit(night.root + "leaf/toy")
    window.until("return document.getElementById('link').textContent === 'live'")
    typed(window, "#dead input", "idea 17")
    first = "return document.querySelector('#found li').innerText"
    window.until(f"return (() => {{ {first} }})().includes('idea 17')")
    assert window.js("return document.querySelector('#dead input').value") == "idea 17"
    assert window.js("return document.activeElement.name") == "q"
    assert window.js("return location.search").startswith("?q=idea")


def typed(window: browser.Browser, selector: str, words: str) -> None:
    """Type words into a box, as a keyboard does."""
    window.js("document.querySelector(arguments[0]).focus()", selector)
    window.cdp("Input.insertText", text=words)


def test_a_table_sorts_filters_and_pages_without_a_reload(
    window: browser.Browser, night: Server
) -> None:
    window.visit(night.root + "leaf/toy")
    window.js("window.same = true")
    ids = "return [...document.querySelectorAll('#rows tbody .e')].map(one => one.innerText)"
    newest = window.js(ids)
    window.js("document.querySelector('#rows th a[href*=\"sort=gain\"]').click()")
    window.until(f"return (() => {{ {ids} }})()[0] !== arguments[0]", newest[0])
    assert window.js("return document.querySelector('#rows th[aria-sort]').innerText") == "gain"
    typed(window, "#table input[type=search]", "idea 69")
    window.until(f"return (() => {{ {ids} }})().length === 1")
    assert window.js("return window.same") is True


def test_many_tabs_share_one_stream_and_a_hidden_one_costs_nothing(
    window: browser.Browser, night: Server
) -> None:
    window.visit(night.root)
    window.until("return document.getElementById('link').textContent === 'live'")
    first, more = window.tab(), [window.new_tab() for _ in range(8)]
    try:
        for tab in more:
            window.switch(tab)
            window.visit(night.root + "leaf/toy")
            window.until("return document.getElementById('link').textContent === 'live'")
        wait_for(lambda: connections(night) == 1)  # the others, that are kept for a while, are gone
        window.call("url", url="about:blank")  # the only one that is seen
        wait_for(lambda: connections(night) == 0)
    finally:
        for tab in more:
            window.switch(tab)
            window.close_tab()
        window.switch(first)


def test_without_shared_workers_a_tab_has_a_stream_of_its_own_while_it_is_seen(
    window: browser.Browser, quick: Quick
) -> None:
    added = window.cdp("Page.addScriptToEvaluateOnNewDocument", source="delete window.SharedWorker")
    try:
        with serving(quick) as server:
            window.visit(server.root)
            window.until("return document.getElementById('link').textContent === 'live'")
            assert window.js("return window.SharedWorker === undefined")
            nights.write(quick, [Idea("raise the slope", 0.5, "keep")])
            window.until("return document.body.innerText.includes('raise the slope')")
            window.visit("about:blank")
            wait_for(lambda: connections(server) == 0)
    finally:
        window.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])


def connections(server: Server) -> int:
    """Return how many connections to a server are open, by the kernel's own list."""
    ours = f":{server.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(ours) and row[3] == "01" for row in rows)


def wait_for(true: Callable[[], bool], within_s: float = 40.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


# -- Safe, readable, on any screen -----------------------------------------------


PAGES = ("", "leaf/toy", "leaf/night", "e/1", "e/73", "compare?e=2&e=3&e=4")
SIZES = [(2000, False), (1200, True), (360, False), (360, True)]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_nothing_scrolls_sideways_or_complains_or_asks_elsewhere(
    window: browser.Browser, night: Server, page: str, width: int, dark: bool
) -> None:
    window.visit(night.link, width=width, dark=dark)
    window.error_lines()
    window.requests()
    window.visit(night.root + page, width=width, dark=dark)
    window.until("return document.getElementById('link').textContent === 'live'")
    wide = window.js(
        "document.querySelectorAll('details').forEach(one => { one.open = true; });"
        "return [document.documentElement.scrollWidth, innerWidth]"
    )
    assert wide == [width, width]
    asked = [one for one in window.requests() if one != "about:blank" and one[:5] != "data:"]
    assert asked
    assert [one for one in asked if not one.startswith(night.root)] == []
    assert window.error_lines() == []


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_serious_keeps_a_screen_reader_or_a_keyboard_out(
    window: browser.Browser, night: Server, page: str, dark: bool
) -> None:
    window.visit(night.link, dark=dark)
    window.visit(night.root + page, dark=dark)
    window.until("return document.getElementById('link').textContent === 'live'")
    script = resources.files("axe_core_python").joinpath("axe.min.js").read_text()
    window.cdp("Runtime.evaluate", expression=script)
    found = window.call(
        "execute/async",
        script="axe.run(document).then(arguments[arguments.length - 1])",
        args=[],
    )
    grave = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    told = [(one["id"], one["nodes"][0]["html"][:200], len(one["nodes"])) for one in grave]
    assert told == []


def test_hostile_text_stays_text_on_every_page(window: browser.Browser, night: Server) -> None:
    trap = "window.alert = () => { window.hacked = true; }"
    window.cdp("Page.addScriptToEvaluateOnNewDocument", source=trap)
    window.visit(night.link)
    beside, named = f"compare?e=2&e={HOSTILE_E}", f"leaf/{quote(IMAGE)}"
    told = []
    for page in ("", "e/1", "leaf/night", f"e/{HOSTILE_E}", beside, named, "leaf/night?q=%3Cimg"):
        window.visit(night.root + page)
        window.until("return document.getElementById('link').textContent === 'live'")
        found = window.js(
            "return {images: document.images.length, hacked: window.hacked === true,"
            " scripts: [...document.scripts].filter(one => !one.src && !one.type).length,"
            " handlers: document.querySelectorAll('[onerror], [onload], [onclick]').length}"
        )
        assert found == {"images": 0, "hacked": False, "scripts": 0, "handlers": 0}, page
        told.append(window.js("return document.body.innerText"))
    assert IMAGE in told[1]  # the prompt, beside the caption of its curve
    window.visit(f"{night.root}e/{HOSTILE_E}")
    text = window.js("return document.body.innerText")
    assert text.count("<img src=x onerror=alert(1)>") >= 4  # claim, mechanism, lesson, note


def test_a_note_written_on_the_page_is_there_without_a_reload(
    window: browser.Browser, night: Server
) -> None:
    window.visit(night.link)
    window.visit(night.root + "e/3")
    window.until("return document.getElementById('link').textContent === 'live'")
    window.js("window.same = true")
    typed(window, "form[action='/act/note'] textarea", "seen <b>tonight</b>")
    window.js("document.querySelector(\"form[action='/act/note']\").requestSubmit()")
    window.until("return document.querySelector('#notes').innerText.includes('<b>tonight</b>')")
    window.js("document.querySelector(\"form[action='/act/tag'] button\").click()")
    window.until("return document.querySelector('.tags')?.innerText.includes('★')")
    assert window.js("return window.same") is True


def test_a_page_of_a_leaf_is_light(window: browser.Browser, night: Server) -> None:
    window.visit(night.root + "leaf/night")
    sent = window.js(
        "return performance.getEntriesByType('navigation')"
        ".concat(performance.getEntriesByType('resource'))"
        ".reduce((sum, one) => sum + one.encodedBodySize, 0)"
    )
    assert 0 < sent < 200_000


def test_what_was_kept_since_one_looked_last_is_marked(
    window: browser.Browser, quick: Quick
) -> None:
    nights.write(quick, [Idea("raise the slope", 0.5, "keep")])
    with serving(quick) as server:
        window.visit(server.root)
        window.until("return document.querySelectorAll('[data-result]').length === 1")
        assert window.js("return document.querySelectorAll('.fresh').length") == 0
        window.visit("about:blank")
        nights.write(quick, [Idea("steeper still", 0.25, "keep")], leaf="other")
        window.visit(server.root)
        fresh = "return [...document.querySelectorAll('.fresh')].map(one => one.innerText)"
        (row,) = window.until(f"const rows = (() => {{ {fresh} }})(); return rows.length && rows")
        assert "steeper still" in row
        assert "1 since you looked last" in window.js("return document.body.innerText")


def test_ticked_rows_stand_side_by_side(window: browser.Browser, night: Server) -> None:
    window.visit(night.root + "leaf/toy")
    window.js(
        "for (const one of [...document.querySelectorAll('#rows input')].slice(0, 3)) one.click();"
        "document.querySelector('#rows button').click()"
    )
    window.until("return location.pathname === '/compare'")
    window.until("return document.querySelectorAll('#settings thead a').length === 3")
