"""What may be skipped, and why. Where `CI` is set, any other skip fails the tests."""

import os
import re
from typing import Any

import pytest

# The reason that a test gives, and what makes it a good one.
MAY_SKIP = {
    r"browser|Chromium": "the report's pages need a browser; `.ci/run` installs one where it can",
    r"nothing is read-only for the superuser": "who runs the tests as root may write anywhere",
    r"found through /proc": "only Linux has it",
    r"always full|/dev/full": "only Linux has it",
    r"no memory file system": "only Linux has it",
    r"no Landlock here": "Linux has it since 6.2, where it is not switched off",
    r"this machine has a GPU": "what a machine without one does cannot be seen on it",
    r"no triton here": "`make check-gpu` brings it, with 3 GB of torch for CUDA",
    r"beside a neighbour": "what a busy machine allows hides what is bounded by less",
    r"only root can give a folder away": "CI may run as anybody",
    r"no package index can be reached": "the wheel is installed with what it needs from one",
    r"is not installed: make agents": "the agents' own programs are a gigabyte, from npm",
    r"needs g\+\+": "torch.compile asks for a compiler, the leaf does not",
}


def unlisted(reporter: Any) -> list[str]:
    """Return the reasons of skips that are not on the list."""
    skipped = reporter.stats.get("skipped", ())
    reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in skipped}
    return sorted(why for why in reasons if not any(re.search(may, why) for may in MAY_SKIP))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that skipped what it should have tested."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and unlisted(reporter) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name each skip that is not on the list."""
    for why in unlisted(terminalreporter):
        terminalreporter.write_line(f"not on the list of tests/skips.py: {why}", red=True)
