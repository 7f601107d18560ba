"""Errors and exit codes: everything `lab` can refuse to do, and what to type.

LabError          one short message and one line saying what to type instead
├── Failed        1  it was tried and did not work
├── Usage         2  the words of the command are off
├── NotFound      3  no such thing
├── Refused       4  conflict or wrong state; nothing was run, nothing was written
├── NotYet        5  the wait is over, or somebody else is busy with it
└── Environment   6  the machine lacks something
"""

import json
from typing import IO, Any

import click


class LabError(click.ClickException):
    """A refusal. Says what is wrong, then what to type instead."""

    code = "failed"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the two lines on standard error."""
        click.echo(f"Error: {self.message}", err=True)
        if self.hint:
            click.echo(self.hint, err=True)

    def as_json(self) -> str:
        """Return the same refusal for a program that asked for `--json`."""
        error = {"code": self.code, "message": self.message, "hint": self.hint}
        return json.dumps({"error": error})


class Failed(LabError):
    """It was tried and did not work."""


class Usage(LabError):
    """The words of the command are off."""

    code, exit_code = "usage", 2


class NotFound(LabError):
    """No such hypothesis, experiment, leaf or file."""

    code, exit_code = "not_found", 3


class Refused(LabError):
    """Conflict or wrong state: nothing was run and nothing was written."""

    code, exit_code = "refused", 4


class RanBefore(Refused):
    """What does the very same was measured already."""


class DryRunFailed(Refused):
    """The edit does not run: no experiment was made of it."""


class TooDear(Refused):
    """It could cost more than may be spent."""


class NotYet(LabError):
    """The wait is over, or somebody else holds what is needed."""

    code, exit_code = "not_yet", 5


class Environment(LabError):
    """The machine lacks something, or the disk refuses."""

    code, exit_code = "environment", 6
