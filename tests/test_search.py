"""An idea is found again in other words, quickly, whatever is typed and however much is stored."""

import csv
import json
import sqlite3
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.notebook import Notebook, search
from lab.search import concepts, vocabulary
from lab.search.tokens import words

DATA = Path(__file__).parent / "data"
LEAF = "pretrain"


@pytest.fixture
def db():
    with Notebook(":memory:") as book:
        yield book.db


def fill(db: sqlite3.Connection, *claims: str, **more: object) -> None:
    """Index claims as hypotheses 1, 2, ... of one leaf, all failed."""
    for number, claim in enumerate(claims, 1):
        search.put(db, number, claim=claim, **{"leaf": LEAF, "failed": True, **more})


def best(db: sqlite3.Connection, text: str, **more: object) -> int | None:
    """Return the idea nearest to `text`, if any."""
    found = search.search(db, text, **{"leaf": LEAF, "failed": True, **more})
    return found[0][0] if found else None


# -- The field's vocabulary -----------------------------------------------------

OTHERS = ("rewrite the loader", "colour of the plots", "swap the base image", "rename a flag")


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("halve LR", "smaller step size"),
        ("wd 0.1 to 0.2", "more L2 regularization"),
        ("MQA", "share one KV head between all queries"),
        ("n_kv_head 4 to 2", "grouped-query attention"),
        ("MLP hidden 4x to 5x", "wider feed-forward network"),
        ("warmdown 0.4 to 0.6", "longer cooldown"),
        ("flat learning rate", "no lr decay"),
        ("tied embeddings", "share the input embedding with the output head"),
        ("RoPE theta 10K to 100K", "higher rotary base frequency"),
        ("logits soft-capped at 20", "softcap"),
        ("max_grad_norm=0.5", "clip gradients"),
        ("N_EPOCHS=6", "train longer"),
        ("temp=0 at eval", "greedy decoding"),
        ("LoRA r=64", "bigger adapter"),
        ("MV@5", "let several samples vote"),
        ("easy problems first", "curriculum"),
        ("30B-A3B", "mixture of experts"),
        ("batch 131K", "2^17 tokens per batch"),
        ("window 1/6 of context", "sliding window of one sixth"),
        ("GRPO group of 16", "more rollouts per prompt"),
        ("beta=0.04 KL penalty", "stay close to the reference model"),
        ("SwiGLU", "gated MLP"),
        ("bf16 optimizer state", "mixed precision"),
        ("EMA of weights", "average the checkpoints"),
        ("5 demos in the prompt", "few-shot examples"),
        ("boxed answers get +0.1", "format reward"),
        ("Newton-Schulz 5 -> 3", "ns_steps"),
        ("dedup the corpus", "filter the data"),
        ("z-loss 1e-4", "penalise large logits"),  # what a term does
        ("kicks of 12 cities", "size of the perturbation"),
        ("heat 0.4 when accepting", "simulated annealing acceptance criterion"),
        ("harmonic popularity term", "correct for popular items"),  # one family
        ("output as JSON", "structured output"),  # a word that only one concept's spellings hold
    ],
)
def test_an_idea_is_found_in_other_words(db, said, asked):
    fill(db, *OTHERS[:2], said, *OTHERS[2:])
    assert best(db, asked) == 3


def test_a_denial_does_not_ask_for_what_it_denies(db):
    fill(db, "warmdown 0.5 to 0.7", "constant LR throughout", "cosine lr decay")
    assert best(db, "no learning-rate decay") == 2


def test_what_is_replaced_counts_less_than_what_replaces_it(db):
    fill(db, "label smoothing 0.1", "dropout 0.2", "rename a flag")
    assert best(db, "dropout rather than label smoothing") == 2


def test_what_an_idea_only_suggests_comes_after_what_it_says(db):
    fill(db, "cutout of 8 pixels", "augmentation", "rename a flag")
    found = [idea for idea, _ in search.search(db, "data augmentation", leaf=LEAF, failed=True)]
    assert found == [2, 1]


def test_the_direction_of_a_change_breaks_ties(db):
    fill(db, "RoPE base 200K to 150K", "RoPE base 200K to 400K", "RoPE base 200K to 100K")
    assert best(db, "raise the rope base") == 2
    assert best(db, "RoPE base from 500K \N{RIGHTWARDS ARROW} 600K") == 2


def test_the_rarer_word_of_a_question_decides(db):
    fill(db, *(f"matrix lr {n}" for n in range(20)), "seed 42 to 137", *(["scalar lr"] * 20))
    assert best(db, "another random seed for the lr sweep") == 21


def test_claim_counts_more_than_lesson_and_lesson_more_than_mechanism(db):
    search.put(db, 1, claim="a", mechanism="softcap", leaf=LEAF)
    search.put(db, 2, claim="b", lesson="softcap", leaf=LEAF)
    search.put(db, 3, claim="softcap", leaf=LEAF)
    assert [idea for idea, _ in search.search(db, "softcap")] == [3, 2, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2^17", "131072"),
        ("131K", "131,072"),
        ("64k", "65536"),
        ("5e-6", "0.000005"),
        ("5%", "0.05"),
        ("1/6", "one sixth"),
        ("2**18", "262144"),
        ("\N{VULGAR FRACTION ONE EIGHTH}", "one-eighth"),
        ("1.5e3", "1500"),
    ],
)
def test_a_number_is_the_same_number_however_it_is_written(one, other):
    assert words(one) == words(other)


def test_every_spelling_of_the_vocabulary_leads_to_its_idea():
    lexicon = concepts.lexicon()
    assert len(lexicon.forms) >= 150
    for name, forms in lexicon.forms.items():
        for form in forms:
            assert name in {concept.name for concept in concepts.concepts(form)}, (name, form)


def test_no_spelling_of_the_vocabulary_is_a_word_that_says_nothing():
    quiet = set(vocabulary.QUIET.split())
    singles = {f[0] for forms in concepts.lexicon().forms.values() for f in forms if len(f) == 1}
    assert {word for word in singles & quiet if len(word) > 1} == set()


# -- Near-duplicates ------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lower the learning rate to 1e-4", "reduce LR to 0.0001"),
        ("Wider FFN!", "wider ffn"),
        ("warm-up of 5% of the steps", "5 percent warmup of the steps"),
        ("\N{ROCKET}", "\N{ROCKET}"),
    ],
)
def test_the_same_meaning_is_similarity_one(one, other):
    assert concepts.alike(words(one), words(other)) == 1.0


def test_likeness_falls_with_the_number_then_the_direction_then_the_subject():
    claim = "embedding LR 0.6 to 0.8"
    ranked = ("embedding LR 0.6 to 0.9", "embedding LR 0.6 to 0.4", "VE gate channels 32 to 16")
    scores = [concepts.alike(words(claim), words(other)) for other in ranked]
    assert 1.0 > scores[0] > scores[1] > scores[2]
    assert scores[0] >= search.NEAR > scores[2]


def test_near_duplicates_are_those_of_the_leaf_failed_or_not(db):
    search.put(db, 1, claim="reduce LR to 0.0001", leaf=LEAF, failed=False)
    search.put(db, 2, claim="reduce LR to 0.0001", leaf="sft", failed=True)
    search.put(db, 3, claim="random seed 42 to 137", leaf=LEAF)
    found = search.near_duplicates(db, "lower the learning rate to 1e-4", leaf=LEAF)
    assert found == [(1, 1.0)]


# -- The index ------------------------------------------------------------------


def test_leaf_and_failure_narrow_a_search(db):
    for number, (leaf, failed) in enumerate(
        [("sft", True), ("sft", False), ("rl", True), ("contrib/\N{SNOWMAN}", True)], 1
    ):
        search.put(db, number, claim="warmup", leaf=leaf, failed=failed)

    def found(leaf, failed):
        return sorted(i for i, _ in search.search(db, "warmup", leaf=leaf, failed=failed))

    assert found("sft", True) == [1]
    assert found("sft", False) == [1, 2]
    assert found(None, True) == [1, 3, 4]
    assert found(None, False) == [1, 2, 3, 4]
    assert found("contrib/\N{SNOWMAN}", True) == [4]
    assert found("contrib", True) == []


def test_a_verdict_moves_an_idea_into_the_failures_and_out_again(db):
    search.put(db, 1, claim="warmup", leaf=LEAF)
    assert best(db, "warmup") is None
    search.put(db, 1, claim="warmup", leaf=LEAF, failed=True)
    assert best(db, "warmup") == 1
    search.put(db, 1, claim="warmup", leaf=LEAF)
    assert best(db, "warmup") is None


def test_an_idea_indexed_again_is_found_by_its_new_words_alone(db):
    fill(db, "warmup")
    search.put(db, 1, claim="warmup", lesson="muon wants none", leaf=LEAF, failed=True)
    assert search.search(db, "muon") == search.search(db, "muon", leaf=LEAF, failed=True) != []
    search.put(db, 1, claim="softcap", leaf=LEAF, failed=True)
    assert search.search(db, "muon warmup") == []


def test_few_ideas_are_found_among_many_that_hold_the_same_words(db):
    """More than any sample holds: the one idea with both words is older than all the others."""
    many = 3 * search.SAMPLE
    fill(db, "cosine schedule for the weight decay")
    for number in range(2, many):
        claim = ("cosine schedule", "weight decay")[number % 2] + f" {number}"
        search.put(db, number, claim=claim, leaf=LEAF, failed=True)
    search.put(db, many, claim="dropout", leaf="sft", failed=True)
    assert best(db, "cosine wd") == 1
    assert best(db, "cosine wd with a quaternion") == 1  # a word nobody used spoils nothing
    assert best(db, "some weight decay or dropout", leaf="sft") == many


def test_reads_stay_bounded_however_common_the_words(db):
    """No statement may return more than a sample, and a question asks only so many."""
    many = 4 * search.SAMPLE
    for number in range(1, many):
        search.put(db, number, claim="lr warmup decay", leaf=LEAF, failed=True)
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    found = search.search(db, "lr warmup decay batch depth width init seed window rope softcap")
    db.set_trace_callback(None)
    asked = [sql for sql in asked if not sql.startswith("--")]  # FTS5's own reads
    assert len(found) == 50
    assert len(asked) <= 2 + concepts.CONCEPTS + 16
    assert all("LIMIT" in sql or "rowid IN" in sql for sql in asked)


# -- Whatever is typed ----------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        '"',
        "'; drop table ideas; --",
        "lr AND OR NOT NEAR(",
        "claim: lr*",
        '^lr + "wd" - {tags}: x',
        "(((((",
        "\N{ROCKET}\N{FIRE}",
        "\x00lr\x00",
        "\ud800 lr",
        "學習率 \N{ARABIC-INDIC DIGIT THREE} na\N{COMBINING DIAERESIS}ive",
        "9" * 400 + " 9999^999 1e999 0^0 1/0",
        "qqfailed qqidea",
        "learning rate " * 80_000,
        "x" * 1_000_000,
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_any_question_is_answered(db, text):
    fill(db, "lr 0.1 to 0.2", "學習率", "naïve baseline", text)
    assert isinstance(search.search(db, text, leaf=LEAF, failed=True), list)
    assert isinstance(search.near_duplicates(db, text, leaf=LEAF), list)


@pytest.fixture(scope="module")
def used():
    """One notebook for many examples, since making one costs more than asking it."""
    with Notebook(":memory:") as book:
        yield book.db


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=80))
def test_an_idea_with_any_words_at_all_finds_itself(used, text):
    used.execute("delete from ideas")
    fill(used, *OTHERS, text)
    found = search.search(used, text, leaf=LEAF, failed=True)
    assert (5 in [idea for idea, _ in found]) == bool(words(text))
    assert all(0 < score <= 1 for _, score in found)


def test_a_megabyte_of_mechanism_is_indexed_by_its_start(db):
    fill(db, "wider FFN", mechanism="more room for facts " + "blah " * 200_000)
    assert best(db, "room for facts") == 1
    (stored,) = db.execute("select length(mechanism) from ideas").fetchone()
    assert stored <= search.OTHER_CHARS


# -- Whole logs and questions in other words -------------------------------------


SETS = sorted(path.relative_to(DATA).as_posix() for path in DATA.rglob("*.jsonl"))


def asked(name: str) -> list[dict]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


@pytest.mark.parametrize("name", SETS)
def test_the_right_experiment_is_among_the_first_five(name):
    questions = asked(name)
    right = sum(answered(question, [DATA / question["notebook"]]) for question in questions)
    assert right / len(questions) >= 0.85


def test_the_right_experiment_is_found_among_those_of_other_leaves():
    questions, every = asked("recall.jsonl"), sorted(DATA.glob("*.tsv"))
    assert sum(answered(question, every) for question in questions) / len(questions) >= 0.85


def answered(question: dict, paths: list[Path]) -> bool:
    """Ask among the failures of `paths`."""
    book, texts = failures_of(tuple(paths))
    found = search.search(book.db, question["query"], leaf=LEAF, failed=True, limit=5)
    return any(texts[idea - 1] in question["hits"] for idea, _ in found)


@lru_cache
def failures_of(paths: tuple[Path, ...]) -> tuple[Notebook, list[str]]:
    """Index the failures of `paths`."""
    book, texts = Notebook(":memory:"), []
    for path in paths:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        texts += [row["description"] for row in rows if row["status"] in ("discard", "crash")]
    fill(book.db, *texts)
    return book, texts
