"""Settings of a person and of a repository: what `lab loop` and `lab launch` take by default."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Refused

# Each setting with what it must be, and an example.
KEYS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "agent": (str, '"claude"'),
    "hours": ((int, float), "8"),
    "on": (str, '"modal:H100"'),
    "profile": (str, '"cpu"'),
    "notify": (str, '"notify-send"'),
}
FILE = "config.toml"


@dataclass(frozen=True)
class Setting:
    """A value, and the file that sets it; None where none does."""

    value: Any
    file: Path | None


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
    return table
