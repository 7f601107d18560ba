"""Full-text search of ideas with SQLite's FTS5; near-duplicates of a claim.

One FTS5 row an idea, its rowid the hypothesis's number. The index holds the words as `words`
reduces them (stems, numbers in one spelling), not the text itself, so ranking never reads a
sentence twice; what the field's words mean is looked up when a question is asked, so the vocabulary
grows without re-indexing. `detail=none` keeps only who has which word: half of a million ideas
under one word are then about a megabyte. Nothing here asks for `bm25` or an `ORDER BY` over all
matches; every read stops at a LIMIT, newest first.

Leaf and state are words as well, in the column `tags`, so that one leaf's ten failures are found
among a million other ideas by the index itself. Writers call, inside their own transaction:

    put(db, 12, claim=..., mechanism=..., leaf="pretrain")     when the hypothesis is registered
    put(db, 12, claim=..., mechanism=..., lesson=..., leaf=..., failed=True)  when a lesson comes
"""

import sqlite3
from collections.abc import Sequence
from itertools import combinations

from ..search import concepts
from ..search.tokens import words

CLAIM_CHARS, OTHER_CHARS = (
    2_000,
    2_000,
)  # what is indexed of a text; ten times as much may be stored
SAMPLE = 1_000  # rows read for one concept: enough to see how common it is, under 2 ms
RUNG = 200  # rows read for several concepts at once
WALK = 250_000  # index entries walked in all while looking for several concepts, about 1 us each
POOL = 300  # rows whose words are compared, about 10 us each
CLOSE = 40  # near-duplicates whose meaning is compared in full, about 0.2 ms each
NEAR = 0.6  # similarity from which a claim is worth showing as a near-duplicate


def put(
    db: sqlite3.Connection,
    hypothesis: int,
    *,
    claim: str,
    mechanism: str = "",
    lesson: str = "",
    leaf: str,
    failed: bool = False,
) -> None:
    """Index one idea, or index it anew; `failed` means `lab failures` may show it."""
    row = (
        hypothesis,
        " ".join(words(claim, CLAIM_CHARS)),
        " ".join(words(mechanism, OTHER_CHARS)),
        " ".join(words(lesson, OTHER_CHARS)),
        tags(leaf, failed),
    )
    db.execute(
        "INSERT OR REPLACE INTO ideas (rowid, claim, mechanism, lesson, tags)"
        " VALUES (?, ?, ?, ?, ?)",
        row,
    )


def tags(leaf: str, failed: bool) -> str:
    """Return the words that say where an idea belongs; no text can contain them by accident."""
    return " ".join(_tag(w, f) for f in ((False, True) if failed else (False,)) for w in ("", leaf))


def _tag(leaf: str, failed: bool) -> str:
    """Return the word of one leaf ("" for all of them), for all ideas or the failed ones."""
    return f"{'qqfailed' if failed else 'qqidea'}{leaf.encode(errors='replace').hex()}"


def search(
    db: sqlite3.Connection,
    text: str,
    *,
    leaf: str | None = None,
    failed: bool = False,
    limit: int = 50,
) -> list[tuple[int, float]]:
    """Return (hypothesis, score in 0..1), best first; `failed` asks for failed ideas only."""
    query = concepts.parse(text)
    if not query:
        return []
    pool = _Pool(db, query, _tag(leaf or "", failed))
    scored = [
        (hypothesis, concepts.score(query, pool.weights, texts))
        for hypothesis, *texts in pool.rows("claim, mechanism, lesson")
    ]
    return _best(scored, limit)


def near_duplicates(
    db: sqlite3.Connection,
    claim: str,
    *,
    leaf: str | None = None,
    limit: int = 3,
    least: float = NEAR,
) -> list[tuple[int, float]]:
    """Return (hypothesis, similarity in 0..1) of ideas that say what `claim` says, best first."""
    query = concepts.parse(claim)
    if not query:
        return []
    tokens = words(claim, CLAIM_CHARS)
    pool = _Pool(db, query, _tag(leaf or "", failed=False))
    claims = dict(pool.rows("claim"))
    nearest = [(h, concepts.score(query, pool.weights, [said])) for h, said in claims.items()]
    scored = [(h, concepts.alike(tokens, claims[h].split())) for h, _ in _best(nearest, CLOSE)]
    return [(h, likeness) for h, likeness in _best(scored, limit) if likeness >= least]


def _best(scored: list[tuple[int, float]], limit: int) -> list[tuple[int, float]]:
    """Return the best of `scored`, the newer first among equals."""
    scored.sort(key=lambda pair: (-pair[1], -pair[0]))
    return [(hypothesis, round(score, 4)) for hypothesis, score in scored[:limit] if score > 0]


class _Pool:
    """The ideas worth comparing: at most POOL, found by a bounded number of bounded reads.

    First each concept alone, newest SAMPLE ideas: that settles small notebooks and rare words
    completely. Where a sample was cut off, several concepts at once, from all of them down to
    pairs, so that the few ideas that hold everything are found however common each word is.
    """

    def __init__(self, db: sqlite3.Connection, query: Sequence[concepts.Concept], tag: str) -> None:
        self.db = db
        self.held: dict[int, int] = {}  # idea -> bit mask of the concepts it is known to hold
        self.asked = [f"({concept.match()})" for concept in query]
        self.loosely = [f"({concept.loosely()})" for concept in query]
        self.tag = f'"{tag}"'
        newest = db.execute("SELECT rowid FROM ideas ORDER BY rowid DESC LIMIT 1").fetchone()
        self.span = newest[0] if newest else 0
        everything = self._read([], SAMPLE)
        total = self._estimate(everything)
        holders = [self._sample(i) for i in range(len(query))]
        if total <= POOL:  # a small notebook: compare all, whatever words the index knows
            self.held = dict.fromkeys(everything, 0) | self.held
        if len(self.held) < SAMPLE:  # few say it: look for those that only suggest it as well
            self.asked = self.loosely
            holders = [self._sample(i) for i in range(len(query))]
        self.weights = [
            concept.weight * concepts.rarity(held, total)
            for concept, held in zip(query, holders, strict=True)
        ]
        if max(holders) >= SAMPLE:
            self._climb_down({i: held for i, held in enumerate(holders) if held})

    def _read(self, chosen: Sequence[int], limit: int) -> list[int]:
        """Return the newest ideas under the tag that hold all chosen concepts."""
        match = " AND ".join([self.tag, *(self.asked[i] for i in chosen)])
        rows = self.db.execute(
            "SELECT rowid FROM ideas WHERE ideas MATCH ? ORDER BY rowid DESC LIMIT ?",
            (match, limit),
        ).fetchall()
        for (hypothesis,) in rows if chosen else ():
            mask = sum(1 << i for i in chosen)
            self.held[hypothesis] = self.held.get(hypothesis, 0) | mask
        return [hypothesis for (hypothesis,) in rows]

    def _sample(self, concept: int) -> float:
        """Note the newest ideas that hold `concept`; return about how many there are."""
        return self._estimate(self._read([concept], SAMPLE))

    def _estimate(self, newest: list[int]) -> float:
        """Return how many ideas there are in all, from how densely the newest ones lie."""
        if len(newest) < SAMPLE:
            return len(newest)
        return SAMPLE * self.span / (newest[0] - newest[-1] + 1)

    def _climb_down(self, holders: dict[int, float]) -> None:
        """Look for ideas that hold several concepts: all, the four best, triples, pairs.

        Such a read may walk every holder of its rarest concept and find nothing, so the walk is
        what is counted, and a rung that would overdraw the budget is left out.
        """
        order = sorted(holders, key=lambda i: -self.weights[i])
        rungs = [tuple(order), *(combinations(order[:4], 4) if len(order) > 4 else ())]
        rungs += [*(combinations(order[:4], 3) if len(order) > 3 else ())]
        rungs += [*(combinations(order[:4], 2) if len(order) > 2 else ())]
        found: set[int] = set()
        budget = float(WALK)
        for rung in rungs:
            walk = min(holders[i] for i in rung)
            if walk <= budget and len(found) < POOL:
                budget -= walk
                found.update(self._read(rung, RUNG))

    def rows(self, columns: str) -> list[tuple[int, str]]:
        """Return the most promising ideas: number, then the indexed `columns`."""
        worth = {
            mask: sum(w for i, w in enumerate(self.weights) if mask >> i & 1)
            for mask in set(self.held.values())
        }
        best = sorted(self.held, key=lambda h: (-worth[self.held[h]], -h))[:POOL]
        marks = ", ".join("?" * len(best))
        return self.db.execute(
            f"SELECT rowid, {columns} FROM ideas WHERE rowid IN ({marks})", best
        ).fetchall()
