"""An agent that looks things up: its prompt, its memory, its loop. Everything here may be changed.

    python agent.py                      # practise, as leaf.toml says
    LAB_PROFILE=smoke python agent.py    # the same playbook for the same seed

It practises on questions whose answers it may see, and leaves `playbook.json`, the words it
learned, in the run's folder. `evaluate.py` calls `solve` on questions it has never seen.
"""

import json
from collections import Counter

from world import Desk, Office

from shared import clock, run, steps, summary

# -- Settings: edit these, one at a time --------------------------------------

PROMPT = """You answer questions about an office by opening its pages.
Follow the question from left to right, one relation at a time.
"""
TURNS = 6  # calls of the model before the agent gives up
RETRIES = 0  # of a page that timed out
VOTES = 1  # replies the agent asks for; the commonest counts
KEEP_CHARS = 1200  # of what was read: more is remembered, and more is mixed up
MIN_SEEN = 2  # times a phrase must have fitted before it goes into the playbook
REHEARSALS = 40  # practice questions of several hops, for the log

Playbook = dict[str, list[str]]  # relation: the phrases that pages use for it


def solve(question: str, desk: Desk, playbook: Playbook) -> str:
    """Return the answer to one question, "" when the agent gives up."""
    notes: list[str] = []
    for _ in range(TURNS):
        verb, _, rest = decide(desk, render(question, notes, playbook)).partition(" ")
        if verb == "ANSWER":
            return rest
        if verb != "OPEN":
            return ""
        notes = remember(notes, read(desk, rest))
    return ""


def render(question: str, notes: list[str], playbook: Playbook) -> str:
    """Return the prompt: instructions, the words of this question, what was read, the question."""
    relations = question.split(" > ")[1:]
    words = [f"= {name}: {', '.join(playbook[name])}" for name in relations if name in playbook]
    return "\n".join([PROMPT, *words, *notes, f"Q: {question}"])


def decide(desk: Desk, prompt: str) -> str:
    """Return the commonest of the model's replies."""
    return Counter(desk.ask(prompt) for _ in range(VOTES)).most_common(1)[0][0]


def read(desk: Desk, title: str) -> list[str]:
    """Return a page's lines; [] when it cannot be had."""
    for _ in range(1 + RETRIES):
        page = desk.open(title)
        if page is not None:
            return page
    return []


def remember(notes: list[str], page: list[str]) -> list[str]:
    """Return what is kept in mind: the newest lines that fit."""
    kept, chars_left = [], KEEP_CHARS
    for line in reversed(notes + page):
        chars_left -= len(line) + 1
        if chars_left < 0:
            break
        kept.append(line)
    return kept[::-1]


# -- Practice -----------------------------------------------------------------


def practise(office: Office, here: run.Run, log: steps.StepLog) -> Playbook:
    """Learn which phrase means what from questions of one hop with their answers."""
    seen: dict[str, Counter[str]] = {}
    desk = Desk(office, f"practice/{here.seed}")
    budget = clock.Clock(here.clock, here.budget_s, here.steps)
    budget.start()
    for task in office.tasks(here.steps, (1, 1), f"practice/{here.seed}"):
        start, relation = task.question.split(" > ")
        for line in desk.open(start) or []:
            phrase, _, value = line.partition(" | ")[2].rpartition(" [")[0].partition(": ")
            if value == task.answer:
                seen.setdefault(relation, Counter())[phrase] += 1
        budget.tick()
        phrases = sum(len(words) for words in seen.values())
        log.log(budget.steps_done, budget.elapsed(), phrases=phrases)
    return {
        relation: sorted(phrase for phrase, count in words.items() if count >= MIN_SEEN)
        for relation, words in sorted(seen.items())
        if max(words.values()) >= MIN_SEEN
    }


def main() -> None:
    """Practise, rehearse on practice questions, and leave the playbook."""
    here, office = run.here(__file__), Office()
    with steps.StepLog(here.dir) as log:
        playbook = practise(office, here, log)
        right = 0
        for number, task in enumerate(office.tasks(REHEARSALS, (1, 4), f"rehearsal/{here.seed}")):
            answer = solve(task.question, Desk(office, f"rehearsal/{here.seed}/{number}"), playbook)
            is_right = answer == task.answer
            right += is_right
            log.sample(task.question, answer, float(is_right), is_right, answer=task.answer)
    left = {"leaf": "contrib/lookup", "playbook": playbook}
    (here.dir / "playbook.json").write_text(json.dumps(left, indent=1))
    phrases = sum(map(len, playbook.values()))
    summary.report({"rehearsal_rate": right / REHEARSALS, "phrases": phrases})


if __name__ == "__main__":
    main()
