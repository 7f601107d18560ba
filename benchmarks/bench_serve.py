"""The live page: its server time, memory, weight and sorting at 100,000 experiments; a night on it.

    python benchmarks/bench_serve.py size                # 100,000 experiments: minutes to make
    python benchmarks/bench_serve.py size --home FOLDER  # a repository made before
    python benchmarks/bench_serve.py screen              # from a record to the screen
    python benchmarks/bench_serve.py beside              # lab context beside ten open pages
    python benchmarks/bench_serve.py night               # four tuners, watched as a phone does
    python benchmarks/bench_serve.py forecast            # how often it was right, on 192 curves

All but `beside` need Chromium. The night compares each look with `lab status` and `lab board`.
"""

import argparse
import contextlib
import json
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import browser  # noqa: E402
import many  # noqa: E402
import toy as toys  # noqa: E402
from serving import SLOW, Server, serving  # noqa: E402

from lab.judge.curve import Curve  # noqa: E402
from lab.judge.forecast import Forecast, forecast  # noqa: E402
from lab.text import num  # noqa: E402

PARTS = ("size", "screen", "beside", "night", "forecast")
READERS = 10  # open pages
ROUNDS = 15
PAUSE_S = 5.0  # between two looks
LIVE = "return document.getElementById('link').textContent === 'live'"


def main() -> None:
    """Run one part and print its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--experiments", type=int, default=100_000)
    parser.add_argument("--home", type=Path, help="A repository that an earlier call made.")
    parser.add_argument("--pictures", type=Path, help="Where the night leaves what was seen.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = asked.home or Path(name)
        if asked.part == "forecast":
            return forecasts()
        if asked.part == "night":
            return night(toys.make(folder), asked.pictures)
        if asked.part == "screen":
            return screen(toys.make(folder))
        toy = notebook(folder, asked.experiments)
        size(toy) if asked.part == "size" else beside(toy)


def notebook(folder: Path, experiments: int) -> toys.Toy:
    """Return a repository with so many experiments, made unless it is there."""
    if (folder / "repo" / ".lab").is_dir():
        return toys.Toy(folder / "repo")
    folder.mkdir(parents=True, exist_ok=True)
    toy = toys.make(folder)
    many.write(toy, experiments, folder / "records.jsonl")
    toy.lab("import", str(folder / "records.jsonl"))
    (folder / "records.jsonl").unlink()
    return toy


# -- A large notebook ----------------------------------------------------------------


def size(toy: toys.Toy) -> None:
    """Print what pages cost after a record and without one; memory, weight, sorting."""
    with serving(toy) as server:
        began = memory(server)
        for path in ("/", "/leaf/toy", "/e/500", "/compare?e=500&e=501"):
            timed(server, path)
            again, _, weight = timed(server, path)
            moved = []
            for _ in range(5):
                toy.lab("note", "e500", "it moved")
                moved.append(timed(server, path)[:2])
            wall, cpu = (statistics.median(one) for one in zip(*moved, strict=True))
            words = f"{wall:6.1f} ms after a record ({cpu:6.1f} of CPU), {again:6.1f} as it was"
            print(f"{path:<24} {words}, {weight / 1000:6.1f} kB")
        for query in ("sort=gain", "sort=value&way=up", "page=1900", "find=muon", "outcome=kept"):
            took, cpu, _ = timed(server, f"/leaf/toy?parts=table&{query}")
            print(f"table, {query:<20} {took:6.1f} ms ({cpu:6.1f} of CPU)")
        print(f"memory {began:.0f} MB as it began, {memory(server):.0f} MB after all of these")
        with browser.opened() as window:
            sorting(window, server)


def timed(server: Server, path: str) -> tuple[float, float, int]:
    """Return milliseconds, those of the server's CPU, and bytes of an answer."""
    began = time.perf_counter()
    answer = server.ask(path, Accept_Encoding="gzip")
    assert answer.status == 200, answer.text
    took = 1000 * (time.perf_counter() - began)
    return took, float(answer.headers["server-timing"].partition("dur=")[2]), len(answer.body)


def memory(server: Server) -> float:
    """Return how many MB a server has."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) / 1000 if found else 0.0


def sorting(window: browser.Browser, server: Server) -> None:
    """Print how long a click on a heading takes until the rows are others, and a page's weight."""
    window.visit(server.root + "leaf/toy")
    window.until(LIVE)
    print(f"page of a leaf with all it needs: {weight(window) / 1000:.1f} kB")
    for order in ("value", "gain", "time"):
        took = window.call("execute/async", args=[order], script=SORT)
        print(f"click on {order}: other rows after {took:.0f} ms")


def weight(window: browser.Browser) -> float:
    """Return the bytes that came for the page that is shown."""
    found: float = window.js(
        "return performance.getEntriesByType('navigation')"
        ".concat(performance.getEntriesByType('resource'))"
        ".reduce((sum, one) => sum + one.encodedBodySize, 0)"
    )
    return found


SORT = """
const [order, done] = arguments;
const old = document.querySelector('#rows tbody');
const began = performance.now();
document.querySelector(`#rows th a[href*="sort=${order}"]`).click();
const look = () => {
  const now = document.querySelector('#rows tbody');
  if (now !== old) requestAnimationFrame(() => done(performance.now() - began));
  else requestAnimationFrame(look);
};
look();"""


# -- From a record to the screen -------------------------------------------------------


def screen(toy: toys.Toy) -> None:
    """Print how long after its record a note is on the screen."""
    from lab.notebook import Notebook, tags

    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    with serving(toy) as server, browser.opened() as window:
        window.visit(server.root + "e/1")
        window.until(LIVE)
        took = []
        with Notebook(toy.root / ".lab" / "notebook.db", who="bench") as book:
            for number in range(20):
                time.sleep(0.5)
                tags.note(book, 1, f"note {number}.")
                began = time.monotonic()
                shown = f"return document.body.innerText.includes('note {number}.')"
                window.until(shown, within_s=10)
                took.append(time.monotonic() - began)
    print(f"record to screen: median {statistics.median(took):.2f} s, most {max(took):.2f} s")


# -- Beside others ---------------------------------------------------------------------


def beside(toy: toys.Toy) -> None:
    """Print how long `lab context` takes with and without ten open pages, in turn."""
    ratios, alone, crowded = [], [], []
    for turn in range(ROUNDS):
        order = (0, READERS) if turn % 2 else (READERS, 0)
        took = {}
        for readers in order:
            with readers_of(toy, readers):
                took[readers] = context(toy)
        alone.append(took[0])
        crowded.append(took[READERS])
        ratios.append(took[READERS] / took[0])
    one, ten = statistics.median(alone), statistics.median(crowded)
    print(f"lab context alone {one:.3f} s, beside {READERS} open pages {ten:.3f} s")
    print(f"ratio of pairs: median {statistics.median(ratios):.3f}")


def context(toy: toys.Toy) -> float:
    """Return the seconds of `lab context`, the best of three."""
    took = []
    for _ in range(3):
        began = time.perf_counter()
        toy.lab("context", "--leaf", "toy")
        took.append(time.perf_counter() - began)
    return min(took)


@contextlib.contextmanager
def readers_of(toy: toys.Toy, count: int) -> Iterator[None]:
    """Have so many pages open: each listens, and asks for its page whenever something moved."""
    if not count:
        yield
        return
    with serving(toy) as server:
        over = threading.Event()
        paths = ["/", "/leaf/toy", "/e/500"]
        readers = [
            threading.Thread(target=read, args=(server, paths[at % 3], over)) for at in range(count)
        ]
        for reader in readers:
            reader.start()
        time.sleep(3)
        try:
            yield
        finally:
            over.set()
    for reader in readers:
        reader.join()


def read(server: Server, path: str, over: threading.Event) -> None:
    """Read a page as live.js does."""
    kinds = ("book", "steps", "tick") if path == "/" else ("book",)
    seen: dict[str, Any] = {}
    tag = ""
    with contextlib.suppress(OSError), server.events() as told:
        for versions in told:
            if over.is_set():
                return
            if any(versions[kind] != seen.get(kind) for kind in kinds):
                answer = server.ask(path, If_None_Match=tag, Accept_Encoding="gzip")
                tag = answer.headers.get("etag", tag)
            seen = versions


# -- The forecast ------------------------------------------------------------------------


def forecasts() -> None:
    """Print how far off forecasts are on the recorded curves of pretrain, and how often within."""
    lines = (ROOT / "benchmarks" / "pretrain_curves.jsonl").read_text().splitlines()
    runs = [json.loads(line) for line in lines]
    base = {run["seed"]: run["curve"] for run in runs if not run["change"]}
    changes = [(run["curve"], base[run["seed"]]) for run in runs if run["change"]]
    for share in (0.45, 0.6, 0.75, 0.9):
        found = [
            (_ahead(mine, theirs, share), _end(mine), _end(theirs)) for mine, theirs in changes
        ]
        known = [(ahead, end, other) for ahead, end, other in found if ahead is not None]
        off = statistics.median(abs(ahead.value - end) for ahead, end, _ in known)
        other = statistics.median(abs(end - other) for _, end, other in known)
        within = sum(abs(ahead.value - end) <= ahead.error for ahead, end, _ in known) / len(known)
        print(f"at {share:.0%}: off by {off:.4f} (the incumbent's end by {other:.4f}), "
              f"{within:.0%} of {len(known)} within")  # fmt: skip


def _ahead(mine: list[Any], theirs: list[Any], share: float) -> Forecast | None:
    return forecast([point for point in mine if point[0] <= share * mine[-1][0]], theirs)


def _end(points: list[Any]) -> float:
    """Return the mean height over the last twentieth."""
    whole = Curve(points)
    return whole.mean(0.95 * whole.x[-1], whole.x[-1])


# -- A night ---------------------------------------------------------------------------


def night(toy: toys.Toy, pictures: Path | None) -> None:
    """Watch four tuners from their start to their report; compare each look with the commands."""
    toy.env["LAB_CPU_SLOTS"] = "2"
    longer = SLOW.replace("range(100)", "range(600)").replace("0.95**", "0.99**")
    table = toys.LEAF.replace("budget_s = 5", "budget_s = 30")
    toy.leaf(train=longer, toml=table.replace("timeout_s = 30", "timeout_s = 300"))
    toy.commit("a training of half a minute")
    faults, looks = [], 0
    with serving(toy) as server, browser.opened() as window:
        window.visit(server.link, width=360)
        window.until(LIVE)
        window.js("window.same = true")
        toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
        names = [f"toy:{name}" for name in ("ada", "bea", "cy", "dan")]
        toy.lab("launch", *names, "--agent", "tuner", "--experiments", "5")
        began = time.monotonic()
        at_work = True
        while at_work:
            at_work = working(toy)  # one look more when all is over
            look, found = compared(toy, server, window)
            if look is None:
                continue
            looks += 1
            faults += found
            print(f"look {looks} after {time.monotonic() - began:4.0f} s: {look}; wrong: {found}")
            if pictures:
                window.picture(pictures / f"look-{looks}.png")
            time.sleep(PAUSE_S)
        assert window.js("return window.same") is True, "the page was loaded anew"
        complaints = window.error_lines()
        print(toy.lab("report", "toy").out.strip())
    print(f"{looks} looks, {len(faults)} wrong; complaints on the console: {complaints}")


def working(toy: toys.Toy) -> bool:
    """Return whether any campaign is at work."""
    found = toy.lab("status", "--json").json["campaigns"]
    return any(one["alive"] for one in found)


def compared(
    toy: toys.Toy, server: Server, window: browser.Browser
) -> tuple[str | None, list[str]]:
    """Return what was seen, and what of it was wrong; None where things moved meanwhile."""
    before = told(toy)
    time.sleep(1.0)
    shown = window.js(
        "return [document.querySelector('main').innerText,"
        " [...document.querySelectorAll('.lane')].map(one => one.innerText)]"
    )
    leaf = server.ask("/leaf/toy").text
    if told(toy) != before:
        return None, []
    status, board = before
    page, lanes = shown
    wrong = [line for one in status for line in _of_campaign(one, page, lanes)]
    for name in ("confirmed_gain", "provisional_gain"):
        if f"<dd>{num(board[name], sign=True)}</dd>" not in leaf:
            wrong.append(f"{name} {board[name]}")
    if board["best"] and f"<dd>{num(board['best']['value'])}</dd>" not in leaf:
        wrong.append(f"best {board['best']}")
    at_work = sum(one["state"] == "working" for one in status)
    kept = sum(one["keeps"] for one in status)
    return f"{at_work} at work, {kept} kept, {len(lanes)} lanes", wrong


def _of_campaign(one: dict[str, Any], page: str, lanes: list[str]) -> Iterator[str]:
    """Yield what a page says otherwise of a campaign than `lab status`."""
    lane = next((lane for lane in lanes if lane.startswith(one["campaign"])), None)
    if one["state"] == "working" and lane is None:
        yield f"{one['campaign']} has no lane"
    if one["state"] == "ended" and lane is not None:
        yield f"{one['campaign']} ended and has a lane"
    if lane is not None:
        counts = f"{one['experiments']} experiment{'s' * (one['experiments'] != 1)}"
        for words in (counts, f"{one['keeps']} kept"):
            if words not in lane:
                yield f"{one['campaign']}: not {words!r} in {lane[:200]!r}"
        if one["best"] and num(one["best"]["value"]) not in lane:
            yield f"{one['campaign']}: best {one['best']}"
        run = one["run"]
        if run and run["experiment"] not in lane:
            yield f"{one['campaign']}: runs {run['experiment']}"
    if one["campaign"] not in page and "earlier campaign" not in page:
        yield f"{one['campaign']} is nowhere"


def told(toy: toys.Toy) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return what `lab status` and `lab board` say, but for what passes by itself."""
    names = ("campaign", "state", "experiments", "keeps", "experiment", "verdict", "best", "status")
    found = []
    for one in toy.lab("status", "--json").json["campaigns"]:
        run = one["run"] and {"experiment": one["run"]["experiment"]}
        found.append({name: one[name] for name in names} | {"run": run})
    board = toy.lab("board", "toy", "--json").json
    return found, {name: board[name] for name in ("confirmed_gain", "provisional_gain", "best")}


if __name__ == "__main__":
    main()
