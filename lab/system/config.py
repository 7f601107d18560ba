"""Settings of a person and of a repository: defaults of `lab loop` and `lab launch`, `[mirror]`."""

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Refused
from .home import Home

# Each setting with what it must be, and an example.
KEYS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "agent": (str, '"claude"'),
    "hours": ((int, float), "8"),
    "on": (str, '"modal:H100"'),
    "profile": (str, '"cpu"'),
    "notify": (str, '"notify-send"'),
    "mirror": (dict, '{ to = ["tensorboard"] }'),
}
TARGETS = ("tensorboard", "trackio", "wandb")  # what a mirror can write to, as their packages
# The keys of `[mirror]`: what is a good value, and an example.
OF_MIRROR: dict[str, tuple[Callable[[Any], bool], str]] = {
    "to": (
        lambda value: isinstance(value, list) and all(one in TARGETS for one in value),
        '["tensorboard", "trackio", "wandb"]',
    ),
    "folder": (
        lambda value: isinstance(value, str) and Path(value).expanduser().is_absolute(),
        '"~/metrics"',
    ),
    "project": (lambda value: isinstance(value, str) and bool(value.strip()), '"nanolab"'),
}
NO_NAME = re.compile(r"[\x00-\x1f/\\#?%:]")  # what a project's name has nowhere
LONGEST_PROJECT = 100
FILE = "config.toml"


@dataclass(frozen=True)
class Setting:
    """A value, and the file that sets it; None where none does."""

    value: Any
    file: Path | None


@dataclass(frozen=True)
class Mirror:
    """Where steps and results of runs go: to which of TARGETS, and in which folder they write."""

    to: tuple[str, ...]
    folder: Path
    project: str


def mirror(home: Home, environ: Mapping[str, str] = os.environ) -> Mirror:
    """Return what `[mirror]` says, of the repository before the person; refused like `read`."""
    found = read([of_person(environ), home.path / FILE])["mirror"].value or {}
    own = home.path.parent if home.path.name == ".lab" else home.path
    folder = found.get("folder")
    return Mirror(
        to=tuple(name for name in TARGETS if name in found.get("to", ())),
        folder=Path(folder).expanduser() if folder else home.mirror,
        project=NO_NAME.sub("-", found.get("project") or own.name)[:LONGEST_PROJECT],
    )


def of_person(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file of a person's own settings."""
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "~"), ".config")
    return Path(base).expanduser() / "lab" / FILE


def read(files: Iterable[Path]) -> dict[str, Setting]:
    """Return every setting, of later files before those of earlier ones.

    Refused where a file cannot be read, or says what no setting is.
    """
    found = {key: Setting(None, None) for key in KEYS}
    for file in files:
        for key, value in _table(file).items():
            found[key] = Setting(value, file)
    return found


def _table(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise Refused(f"{file} cannot be read: {error}.", "Mend it, or move it away") from None
    for key, value in table.items():
        if key not in KEYS:
            raise Refused(f"{file}: no setting {key!r}.", f"There are: {', '.join(KEYS)}")
        wanted, example = KEYS[key]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise Refused(f"{file}: {key} = {value!r} will not do.", f"Write: {key} = {example}")
    _check_mirror(file, table.get("mirror", {}))
    return table


def _check_mirror(file: Path, table: Mapping[str, Any]) -> None:
    """Refuse what `[mirror]` cannot mean."""
    for key, value in table.items():
        if key not in OF_MIRROR:
            known = ", ".join(OF_MIRROR)
            raise Refused(f"{file}: no setting {key!r} in [mirror].", f"There are: {known}")
        good, example = OF_MIRROR[key]
        if not good(value):
            said = f"{file}: {key} = {value!r} will not do in [mirror]."
            raise Refused(said, f"Write: {key} = {example}")
