"""The live pages in a real headless Chromium: they move by themselves, safely, on any screen."""

import os
from collections.abc import Iterator

import browser
import pytest
from serving import SLOW, serving
from toy import Toy

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=browser.missing() or ""),
    pytest.mark.skipif(os.name != "posix", reason="Chromium is driven on Linux here"),
]


@pytest.fixture(scope="module")
def window() -> Iterator[browser.Browser]:
    """One Chromium for all tests."""
    with browser.opened() as found:
        yield found


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
