"""The office an agent looks things up in: pages, questions, its tools and its model. Read-only.

There is no language model here: `Desk.ask` is a small program that stands for one, so that the
leaf runs offline in seconds and costs nothing. Like a model it acts only on what the prompt says:
it knows no synonyms but those it is told, takes the first match unless told to prefer the newest,
and mixes lines up the more often the longer the prompt is. What holds for it need not hold for a
model; that agents are improved by a loop like this one is what the leaf shows.
"""

import json
import os
import random
import re
import zlib
from dataclasses import dataclass, field

REHEARSED = 40  # questions with answers that a run may ask for beside its budget of practice
YEAR = 2025
SLIP = 0.012  # chance a hop is misread in a prompt of 1,000 characters; grows with its length
SLIP_POWER = 1.5  # of the length: twice the prompt is misread 2.8 times as often
TIMEOUT = 0.08  # of the calls to open a page
CENTS_PER_1000 = 0.1  # characters of a prompt
CENTS_PER_PAGE = 0.05
PHRASES = {  # how pages say what a question asks for; no page uses the question's own word
    "manager": ("reports to", "line manager", "managed by"),
    "mentor": ("learns from", "guided by", "buddy"),
    "deputy": ("stands in", "covered by", "backup"),
    "department": ("works in", "team", "unit"),
    "site": ("sits at", "based at", "office"),
    "head": ("led by", "run by", "chief"),
    "city": ("town", "located in", "post goes to"),
    "zone": ("clock", "hours", "local time"),
}
KINDS = {  # what each kind of page tells, and the kind of page that leads to
    "person": {"manager": "person", "mentor": "person", "deputy": "person",
               "department": "department", "site": "site"},
    "department": {"head": "person", "site": "site"},
    "site": {"city": "", "zone": ""},
}  # fmt: skip
FILLER = ("badge", "desk", "likes", "allergies", "parking", "locker", "floor", "alarm code")
FIRST = ("Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana")
LAST = ("Adler", "Brandt", "Cole", "Diaz", "Egede", "Frey", "Gold", "Hale")
UNITS = ("Optics", "Payroll", "Motors", "Legal", "Paint", "Export")
SITES = ("North Yard", "Old Mill", "Quay Four", "Hilltop", "Tram House")
TOWNS = ("Aarau", "Bergen", "Cork", "Delft", "Espoo")
ZONES = ("UTC", "UTC+1", "UTC+2", "UTC-5", "UTC+9")


class Practice:
    """Questions with answers that this run has been given: they are its budget."""

    def __init__(self) -> None:
        self.given = 0

    def spend(self, held_out: bool) -> None:
        """Count one; end the run that asks for more than leaf.toml gives it, or for held-out ones.

        Those are for `prepare`, which alone is told where they go.
        """
        if held_out and "LAB_HELD_OUT_DIR" in os.environ:
            return
        if held_out and "LAB_DATA" in os.environ:
            raise SystemExit("held-out questions are for the yardstick")
        self.given += 1
        told = json.loads(os.environ.get("LAB_DATA") or "{}")  # nobody counts by hand
        if "steps" in told and self.given > told["steps"] + REHEARSED:
            raise SystemExit(
                f"practice is over: {told['steps']} questions with answers and {REHEARSED} to "
                "rehearse on are the budget of a run"
            )


practice = Practice()


@dataclass(frozen=True)
class Task:
    """A question such as `Ada Cole > manager > site > city`, and its answer."""

    question: str
    answer: str


class Office:
    """All pages; the same ones in every process."""

    def __init__(self) -> None:
        draw = random.Random(1999)
        people = [f"{first} {last}" for first in FIRST for last in LAST]
        self.names = {"person": people, "department": [*UNITS], "site": [*SITES]}
        self.values = {"city": TOWNS, "zone": ZONES}
        self.now: dict[tuple[str, str], str] = {}
        self.pages: dict[str, list[str]] = {}
        for kind, names in self.names.items():
            for name in names:
                self.pages[name] = self._page(kind, name, draw)

    def _page(self, kind: str, name: str, draw: random.Random) -> list[str]:
        lines = []
        for relation, leads_to in KINDS[kind].items():
            pool = [
                one
                for one in self.names.get(leads_to, self.values.get(relation, ()))
                if one != name
            ]
            today, before = draw.sample(pool, 2)
            self.now[name, relation] = today
            lines.append(f"{name} | {draw.choice(PHRASES[relation])}: {today} [{YEAR}]")
            if draw.random() < 0.4:  # what was so, and nobody removed
                year = draw.randint(YEAR - 6, YEAR - 2)
                lines.append(f"{name} | {draw.choice(PHRASES[relation])}: {before} [{year}]")
        for what in draw.sample(FILLER, 6):
            lines.append(f"{name} | {what}: {draw.randint(1000, 9999)} [{YEAR}]")
        draw.shuffle(lines)
        return lines

    def tasks(
        self, count: int, hops: tuple[int, int], seed: str, *, held_out: bool = False
    ) -> list[Task]:
        """Return questions of so many hops; none is both held out and to practise on."""
        draw, tasks = random.Random(seed), []
        while len(tasks) < count:
            kind = draw.choice(("person", "person", "department"))
            at = start = draw.choice(self.names[kind])
            path: list[str] = []
            for _ in range(draw.randint(*hops)):
                if not kind:
                    break
                path.append(draw.choice([*KINDS[kind]]))
                at, kind = self.now[at, path[-1]], KINDS[kind][path[-1]]
            question = " > ".join([start, *path])
            if zlib.crc32(question.encode()) % 2 == held_out:
                practice.spend(held_out)
                tasks.append(Task(question, at))
        return tasks


@dataclass
class Desk:
    """The agent's tools and model for one task; counts what it spends."""

    office: Office
    seed: str
    cents: float = 0.0
    context: int = 0  # characters of the longest prompt
    asked: int = 0
    opened: int = 0
    _draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    def open(self, title: str) -> list[str] | None:
        """Return a page's lines, [] when there is no such page, None when the call timed out."""
        self.opened += 1
        self.cents += CENTS_PER_PAGE
        if self._draw.random() < TIMEOUT:
            return None
        return list(self.office.pages.get(title, []))

    def ask(self, prompt: str) -> str:
        """Return the model's reply: `OPEN title`, `ANSWER value` or `UNKNOWN relation`."""
        self.asked += 1
        self.cents += CENTS_PER_1000 * len(prompt) / 1000
        self.context = max(self.context, len(prompt))
        return reply(prompt, random.Random(f"{self.seed}/{self.asked}/{prompt}"))


FACT = re.compile(r"^(.+?) \| (.+?): (.+) \[(\d{4})\]$", re.M)
TOLD = re.compile(r"^= (\w+): (.+)$", re.M)
QUESTION = re.compile(r"^Q: (.+)$", re.M)


def reply(prompt: str, draw: random.Random) -> str:
    """Follow the question through the facts in the prompt, as far as they go."""
    question = QUESTION.search(prompt)
    if question is None:
        return "UNKNOWN question"
    at, *path = question[1].split(" > ")
    facts = [(who, phrase, value, int(year)) for who, phrase, value, year in FACT.findall(prompt)]
    told = {word: phrases.split(", ") for word, phrases in TOLD.findall(prompt)}
    slip = min(0.5, SLIP * (len(prompt) / 1000) ** SLIP_POWER)
    for relation in path:
        known = [fact for fact in facts if fact[0] == at]
        if not known:
            return f"OPEN {at}"
        phrases = [relation, *told.get(relation, [])]
        match = [fact for fact in known if fact[1] in phrases]
        if draw.random() < slip:
            match = [draw.choice(facts)]
        if not match:
            return f"UNKNOWN {relation}"
        newest = "newest" in prompt
        at = (max(match, key=lambda fact: fact[3]) if newest else match[0])[2]
    return f"ANSWER {at}"
