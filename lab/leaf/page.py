"""The page `leaf.toml` while it is read: what is refused in it, and where."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from .. import errors
from ..text import nearest

Check = Callable[[Any], str]  # a value's fault as a sentence, "" when there is none


class Page:
    """One `leaf.toml` under the reader's eye, which knows how to refuse."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.file = "leaf.toml" if name == "root" else f"{name}/leaf.toml"

    def refuse(self, key: str, fault: str, hint: str = "") -> NoReturn:
        raise errors.Refused(
            f"{self.file}: {key}: {fault}", hint or f"Edit {self.file}, then: lab check {self.name}"
        )

    def load(self, text: str | None) -> dict[str, Any]:
        """Return `text`, or the file, as a table; Refused when it is no TOML."""
        import tomllib  # commands that read no leaf do not pay for it

        try:
            if text is None:
                text = (self.folder / "leaf.toml").read_text(encoding="utf-8-sig")
            return tomllib.loads(text)
        except (ValueError, RecursionError) as fault:
            self.refuse("not TOML", str(fault))
        except OSError as fault:
            raise errors.Environment(
                f"{self.file}: {fault.strerror}", f"ls -l {self.file}"
            ) from None

    def known(self, where: str, keys: Mapping[str, Any], allowed: list[str]) -> None:
        """Refuse the first of `keys` that is not `allowed`, naming the nearest."""
        for key in keys:
            if key not in allowed:
                near = nearest(key, allowed)
                told = f"the nearest is {near!r}" if near else f"there are {', '.join(allowed)}"
                self.refuse(f"{where}{key}", f"no such key; {told}")

    def fields(self, where: str, table: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
        """Refuse the first value of `table` that its field does not take."""
        for key, check in checks.items():
            if key in table and (fault := check(table[key])):
                self.refuse(f"{where}{key}", fault)

    def table(self, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """Return the table at `key`, {} when absent."""
        value = table.get(key, {})
        if not isinstance(value, dict):
            self.refuse(key, f"must be a table: [{key}]")
        return value
