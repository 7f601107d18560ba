"""Hypothesis, experiment, result: whatever is typed, in any order, a plain dictionary agrees."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from toy import Quick

CLAIMS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
TYPED = CLAIMS.filter(lambda text: "\0" not in text and text.strip() and text[0] != "-")
VALUES = st.floats(allow_nan=False, allow_infinity=False)
VERDICTS = st.sampled_from(["keep", "discard", "crash"])
FLAGS = st.sampled_from([None, "confirmed", "refuted"])
WRONG = st.sampled_from(["h0", "e0", "h999", "e999", "x", "h", "12", "h-1", "e1.5"])


class Model(RuleBasedStateMachine):
    """The notebook beside what it should hold."""

    template: Path

    @initialize()
    def begin(self) -> None:
        """Start with an empty notebook."""
        self.folder = Path(tempfile.mkdtemp())
        shutil.copytree(self.template, self.folder / "repo", symlinks=True)
        self.toy = Quick(self.folder / "repo")
        self.ideas: dict[str, dict[str, Any]] = {}
        self.tried: dict[str, dict[str, Any]] = {}
        self.changed: set[str] = set()

    def teardown(self) -> None:
        """Prove that what is derived follows from the records."""
        if hasattr(self, "folder"):
            assert self.toy.lab("doctor", "--json").json["problems"] == []
            shutil.rmtree(self.folder)

    @rule(claim=TYPED, mechanism=TYPED)
    def hypothesis(self, claim: str, mechanism: str) -> None:
        """A new claim gets the next id; an open one keeps its own."""
        claim, mechanism = claim.strip(), mechanism.strip()
        tried = {row["hypothesis"] for row in self.tried.values()}
        same = [h for h, row in self.ideas.items() if row["claim"] == claim and h not in tried]
        said = self.toy.lab("hypothesis", "-m", mechanism, "--", claim).out.strip()
        assert said == (same or [f"h{len(self.ideas) + 1}"])[0]
        self.ideas.setdefault(said, {"claim": claim, "mechanism": mechanism})
        self.changed.add(said)

    @precondition(lambda self: self.ideas)
    @rule(data=st.data())
    def experiment(self, data: st.DataObject) -> None:
        """An experiment belongs to its hypothesis."""
        idea = data.draw(st.sampled_from(sorted(self.ideas)))
        said = self.toy.lab("experiment", idea).out.strip()
        assert said == f"e{len(self.tried) + 1}"
        blank = {"verdict": None, "value": None, "mechanism": None, "lesson": None, "results": []}
        self.tried[said] = {"hypothesis": idea, **blank}
        self.changed |= {said, idea}

    @precondition(lambda self: self.tried)
    @rule(
        data=st.data(),
        verdict=VERDICTS,
        value=st.none() | VALUES,
        flag=FLAGS,
        lesson=st.none() | TYPED,
    )
    def result(
        self,
        data: st.DataObject,
        verdict: str,
        value: float | None,
        flag: str | None,
        lesson: str | None,
    ) -> None:
        """The newest verdict stands, and the older ones stay."""
        name = data.draw(st.sampled_from(sorted(self.tried)))
        words = ["--metrics", json.dumps({"loss": value})] if value is not None else []
        words += [f"--mechanism-{flag}"] if flag else []
        words += [f"--theory-revision={lesson}"] if lesson else []
        self.toy.lab("result", name, "-v", verdict, *words)
        row = self.tried[name]
        row["results"].append(verdict)
        row["verdict"], row["mechanism"] = verdict, flag
        row["value"] = row["value"] if value is None else value
        row["lesson"] = lesson.strip() if lesson else row["lesson"]
        self.changed.add(name)

    @rule(name=WRONG, verdict=VERDICTS)
    def refused(self, name: str, verdict: str) -> None:
        """What does not exist is refused, and nothing is written."""
        for words in (["experiment", name], ["result", name, "-v", verdict], ["show", name]):
            assert self.toy.lab(*words, code=None).code in (2, 3)

    @invariant()
    def everything_is_as_it_was_told(self) -> None:
        """What was touched last reads back exactly."""
        for name in self.changed:
            found = self.toy.lab("show", name, "--json").json
            if name[0] == "h":
                told = self.ideas[name]
                assert {key: found[key] for key in told} == told
                continue
            row = self.tried[name]
            assert [one["verdict"] for one in found["results"]] == row["results"]
            shown = {
                "hypothesis": found["hypothesis"],
                "verdict": found["verdict"],
                "value": found["value"],
                "mechanism": found["mechanism_outcome"],
                "lesson": found["lesson"],
            }
            assert shown == {key: row[key] for key in shown}
            assert found["claimed"] == (row["value"] is not None)
        self.changed.clear()

    @precondition(lambda self: self.tried)
    @rule()
    def lists_agree(self) -> None:
        """Log, failures and counts say the same as the dictionary."""
        log = self.toy.lab("log", "-n", "1000", "--json").json
        assert [one["experiment"] for one in log] == list(self.tried)[::-1]
        assert [one["verdict"] for one in log] == [r["verdict"] for r in self.tried.values()][::-1]
        failures = self.toy.lab("failures", "-n", "1000", "--tokens", "100000", "--json").json
        assert {one["claim"] for one in failures} == {
            self.ideas[row["hypothesis"]]["claim"] for row in self.tried.values() if failed(row)
        }
        counts = self.toy.lab("context", "--json").json["counts"]
        for verdict in ("keep", "discard", "crash"):
            rows = [row for row in self.tried.values() if row["verdict"] == verdict]
            assert counts[verdict] == len(rows)


def failed(row: dict[str, Any]) -> bool:
    """Say whether an experiment is a dead end or unsettled."""
    return row["verdict"] in ("discard", "crash")


@pytest.fixture
def machine(untouched: Path) -> type[Model]:
    """The model, on copies of an untouched repository."""
    Model.template = untouched
    return Model


def test_a_plain_dictionary_agrees_with_the_notebook(machine: type[Model]) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    quiet = settings(
        max_examples=12,
        stateful_step_count=15,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],  # a dozen commands read well enough without shrinking
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=quiet)
