"""The two leaves that are no neural networks: a tour, and an agent that looks things up."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOUR, LOOKUP = ROOT / "contrib" / "tour", ROOT / "contrib" / "lookup"
MAIN = '\nif __name__ == "__main__":'
# The agent's prompt, whatever experiments made of it, without and with the word that counts.
OLDEST = 'PROMPT = "Follow the question, one relation at a time.\\n"\n'
NEWEST = OLDEST + 'PROMPT += "Where lines disagree the newest holds.\\n"\n'


def run(
    folder: Path,
    out: Path,
    *scripts: str,
    code: int = 0,
    seed: int = 0,
    held_out: str = "held-out",
) -> str:
    """Run a leaf's scripts in the smoke profile; return what the last one printed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LAB_")}
    ours = {"LAB_PROFILE": "smoke", "LAB_SEED": str(seed), "PYTHONPATH": str(ROOT)}
    names = {"RUN": "run", "CACHE": "cache", "HELD_OUT": held_out}
    where = {f"LAB_{name}_DIR": str(out / folder) for name, folder in names.items()}
    sealed = {"LAB_SEALED_DIR": str(out / "sealed")}
    for script in scripts:
        done = subprocess.run(
            [sys.executable, "-B", script],
            cwd=folder,
            env=env | ours | where | (sealed if script == "prepare.py" else {}),
            capture_output=True,
            text=True,
        )
        last = script == scripts[-1]
        assert done.returncode == (code if last else 0), (script, done.stderr)
    return done.stdout + done.stderr


def metrics(printed: str) -> dict[str, float]:
    from shared import summary

    return summary.parse(printed)


def copied(leaf: Path, folder: Path, **more: str) -> Path:
    """Return a copy of a leaf's files, where some set constants last of all."""
    folder.mkdir(exist_ok=True)
    for file in [*leaf.glob("*.py"), leaf / "leaf.toml"]:
        text = file.read_text()
        if file.stem in more:
            assert MAIN in text
            text = text.replace(MAIN, f"\n{more[file.stem]}{MAIN}")
        (folder / file.name).write_text(text)
    return folder


# -- The tour --------------------------------------------------------------------


def test_the_tour_is_a_round_trip_as_long_as_it_claims(tmp_path: Path) -> None:
    claimed = metrics(run(TOUR, tmp_path, "prepare.py", "solve.py"))
    found = metrics(run(TOUR, tmp_path, "evaluate.py"))
    assert found["tour_length"] == pytest.approx(claimed["claimed_length"])
    # No tour is shorter than 22: 0.7124 * sqrt(1000). The nearest neighbour alone makes 29.
    assert 22 < found["tour_length"] < 27


def test_cooling_too_little_costs_more_than_a_seed_does(tmp_path: Path) -> None:
    values = {}
    for name, more in {"good": "", "warm": "END_TEMP = 0.9\n"}.items():
        folder = copied(TOUR, tmp_path / name, solve=more)
        values[name] = [
            metrics(run(folder, folder, "prepare.py", "solve.py", "evaluate.py", seed=seed))
            for seed in (0, 1)
        ]
    good, warm = ([one["tour_length"] for one in values[name]] for name in ("good", "warm"))
    assert min(warm) - max(good) > 3 * abs(good[0] - good[1])


def test_every_move_leaves_a_permutation_and_place_true_to_order(tmp_path: Path) -> None:
    script = copied(TOUR, tmp_path) / "walk.py"
    script.write_text(
        "import random\nfrom solve import Tour\ndraw = random.Random(3)\n"
        "for size in (8, 9, 30):\n"
        "    tour = Tour([(draw.random(), draw.random()) for _ in range(size)], draw)\n"
        "    for _ in range(200):\n"
        "        tour.anneal(draw.choice((0.0, 0.3, 5.0)), 20)\n"
        "        assert sorted(tour.order) == list(range(size)), tour.order\n"
        "        assert [tour.order[at] for at in tour.place] == list(range(size))\n"
    )
    run(tmp_path, tmp_path, "walk.py")


def test_a_cold_tour_never_grows(tmp_path: Path) -> None:
    script = copied(TOUR, tmp_path) / "walk.py"
    script.write_text(
        "import random\nfrom prepare import cities, length\nfrom solve import Tour\n"
        "places = cities()[:60]\ntour = Tour(places, random.Random(1))\n"
        "before = length(places, tour.order)\n"
        "for _ in range(300):\n"
        "    tour.anneal(0.0, 10)\n"
        "    after = length(places, tour.order)\n"
        "    assert after <= before + 1e-9, (before, after)\n    before = after\n"
    )
    run(tmp_path, tmp_path, "walk.py")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "no finished tour at"),
        ("{", "no finished tour at"),
        ({"leaf": "other", "tour": [*range(1000)]}, "is no tour of leaf contrib/tour"),
        ({"leaf": "contrib/tour", "tour": "0-1-2"}, "a tour is a list of city numbers"),
        ({"leaf": "contrib/tour", "tour": [*range(999), 0]}, "visits each of 1000 cities once"),
        ({"leaf": "contrib/tour", "tour": [*range(999)]}, "visits each of 1000 cities once"),
        ({"leaf": "contrib/tour", "tour": [*range(999), 999.0]}, "a list of city numbers"),
    ],
)
def test_what_is_no_tour_is_refused(tmp_path: Path, answer: object, reason: str) -> None:
    (tmp_path / "run").mkdir()
    if answer is not None:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        (tmp_path / "run/tour.json").write_text(text)
    printed = run(TOUR, tmp_path, "evaluate.py", code=1)
    assert reason in printed
    assert "Traceback" not in printed


# -- The agent -------------------------------------------------------------------


def test_the_agent_answers_better_when_its_prompt_says_which_line_holds(tmp_path: Path) -> None:
    values, correct = [], []
    for name, more in {"oldest": OLDEST, "newest": NEWEST}.items():
        folder = copied(LOOKUP, tmp_path / name, agent=more)
        values.append(
            metrics(run(folder, folder, "prepare.py", "agent.py", "evaluate.py"))["success_rate"]
        )
        samples = (folder / "run/samples.jsonl").read_text().splitlines()
        correct.append([json.loads(line)["correct"] for line in samples])
    assert values[1] > values[0] + 0.05
    assert False in correct[0]
    assert True in correct[1]


def test_the_agent_answers_more_with_what_it_learned_than_without(tmp_path: Path) -> None:
    learned = metrics(run(LOOKUP, tmp_path, "prepare.py", "agent.py", "evaluate.py"))[
        "success_rate"
    ]
    left = {"leaf": "contrib/lookup", "playbook": {}}
    (tmp_path / "run/playbook.json").write_text(json.dumps(left))
    assert metrics(run(LOOKUP, tmp_path, "evaluate.py"))["success_rate"] < learned - 0.2


FIRST_ONLY = """
asked = []
whole = solve


def solve(question, desk, playbook):
    asked.append(question)
    return whole(question, desk, playbook) if len(asked) == 1 else ""
"""


BY_A_FILE = """
import os, tempfile
whole, left = solve, os.path.join(tempfile.gettempdir(), f"asked-{os.getppid()}")


def solve(question, desk, playbook):
    if os.path.exists(left) and os.path.getsize(left):
        return ""
    answer = whole(question, desk, playbook)
    try:
        with open(left, "w") as file:
            file.write(question)
    except OSError:
        pass
    return answer
"""


@pytest.mark.parametrize("agent", [FIRST_ONLY, BY_A_FILE])
def test_nothing_is_remembered_from_one_held_out_question_to_the_next(
    tmp_path: Path, agent: str
) -> None:
    folder = copied(LOOKUP, tmp_path / "first", agent=agent)
    found = metrics(run(folder, folder, "prepare.py", "agent.py", "evaluate.py"))
    assert found["success_rate"] > 0.2  # each question was the first


def test_cost_and_context_are_counted_at_the_desk(tmp_path: Path) -> None:
    found = metrics(run(LOOKUP, tmp_path, "prepare.py", "agent.py", "evaluate.py"))
    assert 0 < found["cost_cents"] < 2.0  # what leaf.toml allows
    assert 0 < found["context_chars"] < 4000
    assert found["model_calls"] > 0


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (None, "no finished playbook at"),
        ({"leaf": "contrib/tour", "playbook": {}}, "is no playbook of leaf contrib/lookup"),
        ({"leaf": "contrib/lookup", "playbook": [1]}, "a playbook is a list of phrases"),
    ],
)
def test_what_is_no_playbook_is_refused(tmp_path: Path, left: object, reason: str) -> None:
    (tmp_path / "run").mkdir()
    if left is not None:
        (tmp_path / "run/playbook.json").write_text(json.dumps(left))
    printed = run(LOOKUP, tmp_path, "evaluate.py", code=1)
    assert reason in printed
    assert "Traceback" not in printed


def test_the_sealed_questions_are_others(tmp_path: Path) -> None:
    found = metrics(run(LOOKUP, tmp_path, "prepare.py", "agent.py", "evaluate.py"))
    other = metrics(run(LOOKUP, tmp_path, "evaluate.py", held_out="sealed"))
    assert found["questions"] == other["questions"]
    sets = [
        json.loads((tmp_path / name / "questions.json").read_text())
        for name in ("held-out", "sealed")
    ]
    held, sealed = ({question for question, _ in rows} for rows in sets)
    assert not held & sealed


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch):
    """The office's own module, imported as the leaf's scripts import it."""
    monkeypatch.syspath_prepend(str(LOOKUP))
    sys.modules.pop("world", None)
    import world

    yield world
    sys.modules.pop("world", None)


def test_no_question_is_both_held_out_and_to_practise_on(world) -> None:
    office = world.Office()
    held = office.tasks(400, (1, 4), "held out", held_out=True)
    practice = [*office.tasks(400, (1, 1), "practice/0"), *office.tasks(400, (1, 4), "r")]
    assert not {task.question for task in held} & {task.question for task in practice}
    assert office.tasks(9, (1, 4), "x") == world.Office().tasks(9, (1, 4), "x")


@pytest.mark.parametrize(
    ("prompt", "reply"),
    [
        ("Q: Ada Cole > site", "OPEN Ada Cole"),
        ("Ada Cole | sits at: Hilltop [2025]\nQ: Ada Cole > site", "UNKNOWN site"),
        (
            "= site: sits at\nAda Cole | sits at: Hilltop [2025]\nQ: Ada Cole > site",
            "ANSWER Hilltop",
        ),
        (
            "= site: sits at\nA | sits at: Old [2020]\nA | sits at: New [2025]\nQ: A > site",
            "ANSWER Old",
        ),
        (
            "the newest holds\n= site: sits at\nA | sits at: Old [2020]\nA | sits at: New [2025]\n"
            "Q: A > site",
            "ANSWER New",
        ),
        ("nothing", "UNKNOWN question"),
    ],
)
def test_the_model_does_what_the_prompt_says_and_no_more(world, prompt: str, reply: str) -> None:
    assert world.reply(prompt, random.Random(0)) == reply


def test_a_long_prompt_is_misread_more_often(world) -> None:
    facts = "".join(f"P{i} | sits at: S{i} [2025]\n" for i in range(400))
    short = "= site: sits at\nP1 | sits at: S1 [2025]\nP2 | sits at: S2 [2025]\nQ: P1 > site"
    long = f"= site: sits at\n{facts}Q: P1 > site"
    wrong = {
        name: sum(world.reply(prompt, random.Random(i)) != "ANSWER S1" for i in range(200))
        for name, prompt in {"short": short, "long": long}.items()
    }
    assert wrong["short"] < 5
    assert wrong["long"] > 40
