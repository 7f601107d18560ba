"""Findings of `lab check`: state, evidence, what to do; a leaf's findings together."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..text import plain

State = Literal["ok", "noted", "failed", "unproven", "skipped"]
NUMBER = re.compile(r"(?<![\w.])[+-]?\d[\d,]*\.?\d*(?:[eE][+-]?\d+)?(?![\w.]*\w)")
MARK = {"ok": "ok", "noted": "note", "failed": "FAIL", "unproven": "?", "skipped": "-"}


class Broken(Exception):
    """The leaf breaks its contract here; says why, then what to do."""

    def __init__(self, said: str, hint: str = "") -> None:
        super().__init__(said)
        self.said, self.hint = said, hint


class Unproven(Exception):
    """This machine lacks what the proof needs; says what."""


class Noted(str):
    """Evidence with something a reviewer should look at."""


@dataclass(frozen=True)
class Finding:
    """One check of one leaf; `seconds` of wall time."""

    check: str
    state: State
    said: str
    hint: str = ""
    seconds: float = 0.0

    def without_numbers(self) -> "Finding":
        """Return the same for an agent, who measures by `lab run` alone."""
        return replace(self, said=NUMBER.sub("...", self.said), hint=NUMBER.sub("...", self.hint))

    def as_text(self) -> str:
        """Return one line, and a second one with what to do."""
        line = f"  {MARK[self.state]:<5} {self.check:<9} {plain(self.said)}"
        return f"{line}\n        {'':<9}{plain(self.hint)}" if self.hint else line


@dataclass(frozen=True)
class Readiness:
    """One of the five conditions of a good loop; `ready` is None where it is not proven here."""

    condition: str
    ready: bool | None
    evidence: str

    def as_text(self) -> str:
        """Return one line."""
        word = {True: "yes", False: "NO", None: "?"}[self.ready]
        return f"  {word:<5} {self.condition}: {plain(self.evidence)}"


@dataclass
class Report:
    """Everything found about one leaf."""

    leaf: str
    findings: list[Finding] = field(default_factory=list)
    readiness: Sequence[Readiness] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def without_numbers(self) -> "Report":
        """Return the same for an agent, who measures by `lab run` alone."""
        checks = [one.without_numbers() for one in self.findings]
        ready = [replace(one, evidence=NUMBER.sub("...", one.evidence)) for one in self.readiness]
        return replace(self, findings=checks, readiness=ready, figures={})

    @property
    def ok(self) -> bool:
        """Return whether nothing failed; what could not be proven here does not count."""
        return not any(one.state == "failed" for one in self.findings)

    @property
    def lacking(self) -> list[str]:
        """Return what this machine lacks, each once."""
        return [*dict.fromkeys(one.said for one in self.findings if one.state == "unproven")]

    def as_json(self) -> dict[str, Any]:
        """Return the report as a pull request carries it."""
        return {
            "leaf": self.leaf,
            "ok": self.ok,
            "not_proven_here": self.lacking,
            "checks": [asdict(one) for one in self.findings],
            "readiness": [asdict(one) for one in self.readiness],
            "figures": self.figures,
            "seconds": round(self.seconds, 1),
        }

    def closing(self) -> str:
        """Return what comes after the findings: readiness and the last word."""
        lines = ["ready for the loop:", *(one.as_text() for one in self.readiness)]
        lines += [f"not proven here: {lack}" for lack in self.lacking]
        bad = [one.check for one in self.findings if one.state == "failed"]
        word = f"FAILED: {', '.join(bad)}" if bad else "keeps its contract"
        return "\n".join([*lines, f"{self.leaf}: {word} ({self.seconds:.0f} s)"])
