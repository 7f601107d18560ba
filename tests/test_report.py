"""The report: what it tells of a night, and what it makes of hostile, empty and enormous ones."""

import json
import re
import signal
import time
from html.parser import HTMLParser
from pathlib import Path

import nights
import pytest
from nights import Idea
from toy import Quick, Toy

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e & <b>bold</b> \"quoted\" 'too'"
NIGHT = [
    Idea("raise the slope", 0.5, "keep", outcome="confirmed", measured=True, lesson="steeper wins"),
    Idea("less noise", 0.004, axis="noise", near=True),
    Idea("warm up", 0.003, axis="warmup", near=True),
    Idea("a mirror", -0.9, axis="shape", outcome="refuted", lesson="the line is no mirror"),
    Idea("too wide", None, "crash", axis="width", failure="oom"),
    Idea("raise it again", 0.25, "keep", outcome="confirmed"),
]


class Page(HTMLParser):
    """What a browser would make of a page: its elements, ids, links and words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: dict[str, int] = {}
        self.ids: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.words = ""
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.elements[tag] = self.elements.get(tag, 0) + 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if tag == "a" and name == "href":
                self.links.append(value or "")
            elif name in ("src", "href", "srcset", "action", "data", "xlink:href"):
                self.addresses.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_data(self, data: str) -> None:
        if self.inside not in ("style", "script"):
            self.words += data


def page(toy: Toy, *words: str) -> Page:
    """Write a report and return it as a browser reads it."""
    return Page(source(toy, *words))


def source(toy: Toy, *words: str) -> str:
    """Write a report and return its text."""
    file = toy.root.parent / "report.html"
    assert toy.lab("report", *words, "-o", str(file)).out == f"{file}\n"
    return file.read_text()


def test_a_night_is_told_with_gains_mechanisms_dead_ends_near_misses_and_lessons(
    quick: Quick,
) -> None:
    nights.write(quick, NIGHT)
    words = page(quick, "toy").words
    for told in (
        "4 → 3.25",
        "+0.75 (19 %); from e1 (the first) to e7, 1 run",
        "2 kept, 3 discarded, 1 crashed",
        "stopped: limit: enough",
        "+0.500 ± 0.010 against e1",
        "confirmed, measured",
        "confirmed, claimed",
        "refuted, claimed",
        "Try e3 and e4 in one experiment: together +0.007",
        "the line is no mirror",
        "evidence: e2",
        "out of memory: e6",
        "lab reproduce e7",
    ):
        assert told in words, told


def test_the_page_asks_for_nothing_from_anywhere(quick: Quick) -> None:
    nights.write(quick, NIGHT)
    text = source(quick)
    shown = Page(text)
    assert shown.addresses == ["data:,"]
    assert all(link.startswith("#") for link in shown.links)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text


def test_links_lead_to_places_on_the_page_and_every_place_is_there_once(quick: Quick) -> None:
    nights.write(quick, [*NIGHT, Idea("later", lesson="see others")])
    shown = page(quick)
    assert len(shown.links) > 20
    assert {link[1:] for link in shown.links} <= {*shown.ids}
    assert len(shown.ids) == len({*shown.ids})


def test_hostile_text_stays_text_wherever_it_stands(quick: Quick) -> None:
    hostile = Idea(
        HOSTILE, 0.5, "keep", axis=HOSTILE, mechanism=HOSTILE, lesson=HOSTILE, outcome="refuted"
    )
    nights.write(quick, [hostile, Idea(HOSTILE, -0.5, axis=HOSTILE, lesson=HOSTILE)])
    text = source(quick)
    shown = Page(text)
    assert "img" not in shown.elements
    assert "b>bold" not in text.replace("&lt;b&gt;bold", "")
    assert not shown.handlers
    assert "<img src=x onerror=alert(1)>" in shown.words
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "\\x1b[31m" in shown.words


def test_an_empty_notebook_says_how_to_begin(quick: Quick) -> None:
    assert "Begin with: lab run --baseline --seeds 3" in page(quick).words
    assert "Begin with" in quick.lab("report", "--markdown").out
    assert not (quick.root / ".lab" / "notebook.db").exists()


def test_one_experiment_is_a_page(quick: Quick) -> None:
    nights.write(quick, [])
    words = page(quick).words
    assert "1 experiment" in words
    assert "best4e1, 3 runs" in words.replace("\n", "")


def test_a_night_of_crashes_is_told_without_a_best(quick: Quick) -> None:
    crashes = [Idea(f"idea {n}", None, "crash", failure="bug") for n in range(12)]
    nights.write(quick, crashes, baseline=False)
    shown = page(quick)
    assert "none yet" in shown.words
    assert "0 kept, 12 crashed" in shown.words
    assert "No number to draw." in shown.words
    assert "not built on anything kept here, 12" in shown.words


def test_ten_leaves_are_on_one_page_with_a_line_each(quick: Quick) -> None:
    for number in range(10):
        nights.write(quick, NIGHT, leaf=f"area/leaf-{number}")
    shown = page(quick)
    assert shown.words.count("area/leaf-") >= 20
    assert "#leaf-area_2fleaf-9" in shown.links
    one = page(quick, "area/leaf-3")
    assert "area/leaf-4" not in one.words


def test_a_claim_of_ten_thousand_characters_does_not_drown_the_page(quick: Quick) -> None:
    nights.write(quick, [Idea("long " * 2000, 0.5, "keep")])
    text = source(quick)
    assert text.count("long") < 1000
    assert "long long" in text


def test_right_to_left_text_and_emoji_are_kept_apart_and_whole(quick: Quick) -> None:
    claim = "הגדל את השיפוע 🚀 ثم أعد"
    nights.write(quick, [Idea(claim, 0.5, "keep")])
    assert f"<bdi>{claim}</bdi>" in source(quick)
    assert claim in quick.lab("report", "--markdown").out


def test_three_thousand_experiments_are_all_on_the_page(large: Quick) -> None:
    shown = page(large)
    assert shown.elements["tr"] > 3000
    assert "e3000" in shown.ids
    assert "3,000 experiments" in shown.words


# -- Since ---------------------------------------------------------------------


def test_since_an_experiment_shows_what_came_after_it_and_the_whole_path(quick: Quick) -> None:
    nights.write(quick, NIGHT)
    found = quick.lab("report", "--since", "e4", "--json", "-o", "night.html").json
    leaf = found["leaves"][0]
    assert (leaf["experiments"], leaf["keep"]) == (4, 1)
    assert (leaf["then"]["experiment"], leaf["now"]["experiment"]) == (2, 7)
    assert leaf["path"] == ["e1", "e2", "e7"]
    assert leaf["provisional_gain"] == pytest.approx(0.25, abs=0.02)
    assert leaf["shown"] == 4
    shown = Page((quick.root / "night.html").read_text())
    assert "e4" in shown.ids
    assert "e3" not in shown.ids
    assert "#e2" not in shown.links


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        ("2026-03-01T20:12:00Z", 4),
        ("2026-03-01T21:12:00+01:00", 4),
        ("2026-03-01 20:12", 4),
        ("2026-03-02", 0),
        ("1970-01-01", 7),
        ("h2", 5),
        ("100000w", 7),
        ("1s", 0),
    ],
)
def test_since_takes_times_spans_and_ids(quick: Quick, when: str, shown: int) -> None:
    nights.write(quick, NIGHT)
    found = quick.lab("report", "--since", when, "--json", "-o", "night.html").json
    assert found["leaves"][0]["shown"] == shown


def test_without_since_the_page_looks_back_on_the_last_night_alone(quick: Quick) -> None:
    before = [Idea("a week ago", 0.1, "keep"), Idea("and dropped")]
    nights.write(quick, [*before, Idea("tonight", 0.2, "keep", minutes=60 * 24 * 7)])
    leaf = quick.lab("report", "--json").json["leaves"][0]
    assert (leaf["experiments"], leaf["keep"], leaf["shown"]) == (1, 1, 4)
    assert (leaf["then"]["experiment"], leaf["now"]["experiment"]) == (2, 4)


def test_the_page_lies_where_git_does_not_see_it_unless_it_is_told_where(quick: Quick) -> None:
    before = quick.git("status", "--porcelain", "--ignored")
    told = quick.lab("report").out.strip()
    assert told == str(quick.root / ".lab/reports/all.html")
    assert quick.lab("report", "toy").out.strip().endswith(".lab/reports/toy.html")
    assert "<html" in (quick.root / ".lab/reports/toy.html").read_text()
    assert quick.git("status", "--porcelain", "--ignored") in (
        before,
        before + "\n!! .lab/",
        "!! .lab/",
    )


@pytest.mark.parametrize("words", [["--since", "soon"], ["--since", ""], ["--every", "soon"]])
def test_what_is_no_time_is_refused_with_an_example(quick: Quick, words: list[str]) -> None:
    refused = quick.lab("report", *words, code=2)
    assert f"Type: {words[0]}" in refused.err
    assert not (quick.root / ".lab/reports").exists()


def test_an_unknown_leaf_experiment_or_folder_is_refused(quick: Quick) -> None:
    assert quick.lab("report", "tpy", code=3).err
    assert "no experiment e99" in quick.lab("report", "--since", "e99", code=3).err
    assert "is a folder" in quick.lab("report", "-o", ".", code=2).err
    assert quick.lab("report", "-o", "none/report.html", code=6).err


# -- The file ------------------------------------------------------------------


def test_every_rewrites_the_file_in_place_until_it_is_interrupted(toy: Toy) -> None:
    nights.write(toy, NIGHT[:2])
    file = toy.root / "live.html"
    writer = toy.start("report", "--every", "1s", "-o", str(file))
    try:
        until(lambda: file.exists())
        first = file.read_text()
        assert 'data-every="1"' in first
        nights.write(toy, NIGHT, leaf="other")
        until(lambda: "other/ada" in file.read_text())
        assert file.read_text().endswith("</html>\n")
    finally:
        writer.send_signal(signal.SIGINT)
        writer.communicate()
    assert writer.returncode == 130
    assert [path.name for path in toy.root.glob(".live*")] == []


def until(true: "object") -> None:
    """Wait for something to become true."""
    assert callable(true)
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen in a minute")


def test_who_reads_the_old_page_meanwhile_has_it_whole(quick: Quick) -> None:
    old = source(quick)
    with (quick.root.parent / "report.html").open() as reader:
        nights.write(quick, NIGHT)
        assert source(quick) != old
        assert reader.read() == old


def test_a_report_behind_a_link_replaces_what_the_link_points_at(quick: Quick) -> None:
    real = quick.root.parent / "real.html"
    real.write_text("old")
    (quick.root / "link.html").symlink_to(real)
    quick.lab("report", "-o", "link.html")
    assert (quick.root / "link.html").is_symlink()
    assert real.read_text().startswith("<!doctype html>")


# -- The write-up --------------------------------------------------------------


def test_the_write_up_tells_the_same_night(quick: Quick) -> None:
    nights.write(quick, NIGHT)
    text = quick.lab("report", "toy", "--markdown").out
    quick.lab("report", "toy", "-o", "night.md")
    assert (quick.root / "night.md").read_text().startswith(text.splitlines()[0])
    for told in (
        "## toy",
        "| best | 4 → 3.25 (+0.75 (19 %); from e1 (the first) to e7, 1 run) |",
        "1. e2 raise the slope: 3.5, gain +0.500 ± 0.010; 4 tried from here and dropped",
        "| e2 | raise the slope | +0.500 ± 0.010 | 1 | confirmed, measured |",
        "- Try e3 and e4 in one experiment",
        "**shape** (1 tried)",
        "- the line is no mirror (evidence: e5)",
    ):
        assert told in text, told


def test_the_write_up_keeps_hostile_text_as_text(quick: Quick) -> None:
    claim = "*bold* `code` | <script>alert(1)</script> [x](javascript:y) # h\n\n## not a heading"
    nights.write(quick, [Idea(claim, 0.5, "keep")])
    text = quick.lab("report", "--markdown").out
    assert "\\<script\\>" in text
    assert "<script" not in text.replace("\\<script", "")
    assert "\n## not a heading" not in text
    rows = [line for line in text.splitlines() if line.startswith("| e2 ")]
    assert re.sub(r"\\\|", "", rows[0]).count("|") == 6


# -- A real campaign -----------------------------------------------------------


def test_a_real_keep_is_shown_with_its_diff_its_runs_and_its_commit(campaign: Path) -> None:
    from toy import slope

    toy = Toy(campaign.parents[4])
    idea = toy.idea("raise the slope", cwd=campaign)
    slope(campaign, 2.9)
    toy.lab("run", idea, cwd=campaign)
    toy.lab("run", "e2", "--seeds", "1", cwd=campaign)
    toy.lab("result", "e2", "-v", "keep", "--because", "it is steeper", cwd=campaign)
    words = page(toy, "toy").words
    assert "-SLOPE = 1.0" in words
    assert "+SLOPE = 2.9" in words
    assert "(seed 0)" in words
    assert "(seed 1)" in words
    sha = toy.lab("show", "e2", "--json").json["commit"]
    assert f"git show {sha[:12]}" in words
    fenced = toy.lab("report", "--markdown").out
    assert "```diff\ndiff --git a/toy/train.py" in fenced


def test_an_imported_night_grows_from_keep_to_keep(quick: Quick) -> None:
    log = quick.root.parent / "results.tsv"
    rows = ["aaaaaa1\t1.0\tkeep\tbaseline", "aaaaaa2\t1.2\tdiscard\tworse"]
    rows += ["aaaaaa3\t0.9\tkeep\tbetter", "aaaaaa4\t0.8\tkeep\tbest"]
    log.write_text("\n".join(["commit\tval_bpb\tstatus\tdescription", *rows]) + "\n")
    quick.lab("import", str(log), "--leaf", "toy")
    found = quick.lab("report", "--json").json["leaves"][0]
    assert found["path"] == ["e1", "e3", "e4"]
    assert json.dumps(found["now"]["value"]) == "0.8"
    assert "0.8" in page(quick).words
