"""The report in a real headless Chromium: drawn, quiet, sortable, safe, narrow as a phone."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import nights
import pytest
import toy as toys
from nights import Idea
from test_report import HOSTILE, NIGHT
from toy import TRAIN, Toy

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=browser.missing() or ""),
    pytest.mark.skipif(os.name != "posix", reason="Chromium is driven on Linux here"),
]
LONG_TRAIN = TRAIN.replace(
    """        log.write(json.dumps({"step": 1, "elapsed_s": 0.1, "loss": 1.0}) + "\\n")""",
    """        for step in range(60):
            log.write(json.dumps({"step": step, "loss": 3 * 0.9**step + 0.1}) + "\\n")
    with (run / "samples.jsonl").open("w") as out:
        for n in range(9):
            row = {"prompt": f"<b>{n}</b> \\u05d0", "completion": "x" * 400, "reward": n / 9}
            out.write(json.dumps(row) + "\\n")""",
)
SIZES = [(1200, False), (1200, True), (360, False), (360, True)]


@pytest.fixture(scope="module")
def window() -> Iterator[browser.Browser]:
    """One Chromium for all tests."""
    with browser.opened() as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two leaves: real runs with step logs and samples, and a hostile night."""
    toy = toys.make(tmp_path_factory.mktemp("browser"))
    toy.leaf(train=LONG_TRAIN)
    toy.commit("longer")
    toy.lab("run", "--baseline", "--seeds", "2", cwd=toy.root / "toy")
    where = toy.campaign()
    idea = toy.idea("a slope of 2.9", "--axis", "slope", cwd=where)
    (where / "train.py").write_text(LONG_TRAIN.replace("SLOPE = 1.0", "SLOPE = 2.9"))
    toy.lab("run", idea, cwd=where)
    toy.lab("result", "e2", "-v", "keep", "--because", "steeper", cwd=where)
    nasty = [
        Idea(HOSTILE, 0.5, "keep", axis=HOSTILE, mechanism=HOSTILE, lesson=HOSTILE),
        Idea("x" * 10_000, 0.1, "keep", axis="y" * 300, mechanism="z" * 9000),
        Idea("הגדל את השיפוע 🚀 ثم أعد", -0.2, axis="שיפוע", lesson="لا شيء"),
    ]
    more = [Idea(f"idea {n}", -n / 100, axis=f"axis{n % 7}") for n in range(30)]
    nights.write(toy, [*NIGHT, *nasty, *more], leaf="night")
    file = toy.root.parent / "report.html"
    toy.lab("report", "-o", str(file))
    return file


@pytest.fixture(scope="module")
def many_rows(large: Toy) -> Path:
    """A report of 3,000 experiments."""
    file = large.root.parent / "large.html"
    large.lab("report", "-o", str(file))
    return file


def column(window: browser.Browser, table: str, place: int) -> list[str]:
    """Return the words of a column, from the top."""
    found: list[str] = window.js(
        "return [...document.querySelector(arguments[0]).tBodies[0].rows]"
        ".map(row => row.cells[arguments[1]].textContent.trim())",
        *(table, place),
    )
    return found


def click(window: browser.Browser, selector: str, place: int = 0) -> None:
    """Click on the nth element that the selector finds."""
    window.js(
        "const one = document.querySelectorAll(arguments[0])[arguments[1]];"
        "one.scrollIntoView({block: 'center'}); one.click()",
        *(selector, place),
    )


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_no_complaint_on_the_console_and_no_request_but_for_the_file(
    window: browser.Browser, page: Path, width: int, dark: bool
) -> None:
    window.open(page, width=width, dark=dark)
    window.error_lines()
    window.requests()
    window.open(page, width=width, dark=dark)
    for place in range(window.js("return document.querySelectorAll('th button').length")):
        click(window, "th button", place)
    asked = [address for address in window.requests() if address != "about:blank"]
    assert asked == [page.as_uri()]
    assert window.error_lines() == []


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_nothing_scrolls_sideways_with_everything_unfolded(
    window: browser.Browser, page: Path, width: int, dark: bool
) -> None:
    window.open(page, width=width, dark=dark)
    wide = window.js(
        "document.querySelectorAll('details').forEach(one => { one.open = true; });"
        "return [document.documentElement.scrollWidth, innerWidth]"
    )
    assert wide == [width, width]


def test_a_short_row_stays_short_on_a_phone(window: browser.Browser, page: Path) -> None:
    window.open(page, width=360)
    heights = window.js(
        "return [...document.querySelectorAll('#leaf-night .every tbody tr')]"
        ".filter(row => row.textContent.includes('idea ')).map(row => row.offsetHeight)"
    )
    assert len(heights) == 30
    assert max(heights) <= 60  # the claim on a line, its axis on the next


@pytest.mark.parametrize("width", [1200, 360])
def test_pictures_are_drawn_where_they_can_be_seen(
    window: browser.Browser, page: Path, width: int
) -> None:
    window.open(page, width=width)
    drawn = window.js(
        """
        return [...document.querySelectorAll("figure.plot")].map(figure => {
          const box = figure.querySelector("svg").getBoundingClientRect();
          const line = figure.querySelector("path.stairs, path.curve");
          const look = getComputedStyle(line);
          return [box.width, box.height, line.getTotalLength(), look.stroke, look.strokeWidth];
        });"""
    )
    assert len(drawn) == 3  # two staircases, and the loss curves of the leaf that really ran
    for across, down, length, stroke, stroke_width in drawn:
        assert 0.6 * width < across < width
        assert down > 200
        assert length > 900
        assert stroke.startswith("rgb")
        assert stroke_width != "0px"


def test_hovering_over_a_staircase_tells_the_experiment_under_the_mouse(
    window: browser.Browser, page: Path
) -> None:
    window.open(page)
    box = window.js(
        "const area = document.querySelector('#leaf-night .area');"
        "area.scrollIntoView({block: 'center'});"
        "const box = area.getBoundingClientRect(); return [box.left, box.top, box.width]"
    )
    count = len(NIGHT) + 3 + 30 + 1
    window.point(box[0] + box[2] * 1.5 / count, box[1] + 40)
    tip = window.js("return document.querySelector('#leaf-night .tip').innerText")
    assert tip.split("\n") == ["e4 3.5, +0.5, kept", "raise the slope"]
    window.point(5, 5)
    assert window.js("return document.querySelector('#leaf-night .tip').hidden")


def test_hovering_over_loss_curves_tells_every_run_at_that_step(
    window: browser.Browser, page: Path
) -> None:
    window.open(page)
    box = window.js(
        "const area = document.querySelectorAll('#leaf-toy .area')[1];"
        "area.scrollIntoView({block: 'center'});"
        "const box = area.getBoundingClientRect(); return [box.right - 1, box.top + 40]"
    )
    window.point(*box)
    tip = window.js("return document.querySelectorAll('#leaf-toy .tip')[1].innerText")
    assert tip.startswith("step 59\ne2 seed 0 (best): 0.1")
    assert "e1 seed 1: 0.1" in tip


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it_round(
    window: browser.Browser, page: Path
) -> None:
    window.open(page)
    table = "#leaf-night table.every"
    heads: list[str] = window.js(
        "return [...document.querySelectorAll(arguments[0] + ' th')].map(th => th.textContent)",
        table,
    )
    gain = heads.index("gain")
    click(window, f"{table} th button", gain)
    falling = column(window, table, gain)
    numbers = [float(words.split()[0]) for words in falling if words]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) > 30
    assert falling[-1] == ""  # what has no number stays last
    click(window, f"{table} th button", gain)
    rising = [float(words.split()[0]) for words in column(window, table, gain) if words]
    assert rising == sorted(numbers)
    assert column(window, table, gain)[-1] == ""
    click(window, f"{table} th button", heads.index("claim"))
    claims = column(window, table, heads.index("claim"))
    plain = [claim for claim in claims if claim.startswith("idea ")]
    assert plain == sorted(plain)


def test_three_thousand_rows_sort_and_can_be_searched(
    window: browser.Browser, many_rows: Path
) -> None:
    window.open(many_rows)
    click(window, "table.every th button", 4)
    numbers = [float(w.split()[0]) for w in column(window, "table.every", 4) if w]
    assert len(numbers) == 2999
    assert numbers == sorted(numbers, reverse=True)
    shown = window.js(
        "const box = document.querySelector('.find'); box.value = 'muon momentum';"
        "box.dispatchEvent(new Event('input'));"
        "return [...document.querySelectorAll('.every tbody tr:not([hidden])')]"
        ".map(row => row.textContent.toLowerCase())"
    )
    assert 0 < len(shown) < 2000
    assert all("muon" in row and "momentum" in row for row in shown)


def test_links_inside_lead_to_what_they_name_and_unfold_it(
    window: browser.Browser, page: Path, many_rows: Path
) -> None:
    window.open(page)
    lost = window.js(
        "return [...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
        ".filter(href => !href.startsWith('#') || !document.getElementById(href.slice(1)))"
    )
    assert lost == []
    window.open(many_rows, at="#e17")  # in a table that is folded away
    seen = window.js("return document.getElementById('e17').getBoundingClientRect()")
    assert seen["height"] > 0
    assert 0 <= seen["top"] < 900
    click(window, "a.e")
    target = window.js(
        "return document.getElementById(location.hash.slice(1)).getBoundingClientRect()"
    )
    assert 0 <= target["top"] < 900


def test_hostile_text_stays_text(window: browser.Browser, page: Path) -> None:
    trap = "window.alert = () => { window.hacked = true; }"
    window.cdp("Page.addScriptToEvaluateOnNewDocument", source=trap)
    window.open(page)
    found: dict[str, Any] = window.js(
        "return {images: document.images.length, hacked: window.hacked === true,"
        " scripts: document.querySelectorAll('script:not([type])').length,"
        " text: document.getElementById('e10').textContent}"
    )
    assert (found["images"], found["hacked"], found["scripts"]) == (0, False, 1)
    assert "</script><img src=x onerror=alert(1)>\\x1b[31m" in found["text"]


def test_words_can_be_read_by_day_and_by_night(window: browser.Browser, page: Path) -> None:
    grounds = []
    for dark in (False, True):
        window.open(page, dark=dark)
        ground, *inks = window.js(
            "const colour = (what) => getComputedStyle(document.querySelector(what)).color;"
            "return [getComputedStyle(document.body).backgroundColor,"
            " colour('body'), colour('footer'), colour('a'), colour('.gain')]"
        )
        grounds.append(ground)
        for ink in inks:
            assert contrast(ground, ink) >= 4.5, (dark, ink)
    assert grounds[0] != grounds[1]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as the accessibility guidelines (WCAG 2) define it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of `rgb(1, 2, 3)`."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_printing_unfolds_what_is_folded(window: browser.Browser, many_rows: Path) -> None:
    window.open(many_rows)
    folded = "return document.querySelectorAll('details:not([open])').length"
    assert window.js(folded) > 0
    printed = window.cdp("Page.printToPDF", pageRanges="1")
    assert len(printed["data"]) > 1000
    assert window.js(folded) == 0
