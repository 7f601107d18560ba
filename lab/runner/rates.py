"""Prices of rented devices: a dated table, the user's own above it; estimates."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import Refused, TooDear
from ..system.home import Home


def table(home: Home) -> dict[str, Any]:
    """Return US dollars an hour by device, and `dated`."""
    found = tomllib.loads(resources.files(__package__).joinpath("rates.toml").read_text())
    own = home.rates
    return found | (_own(own) if own.is_file() else {})


def _own(path: Path) -> dict[str, Any]:
    """Return the user's table; Refused, and named, when it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: {error}.", "A rate is a line: H100 = 4.00") from None


def cost(home: Home, device: str, seconds: float) -> float:
    """Return about how many US dollars so many seconds of a device cost."""
    rates = table(home)
    name, _, count = device.partition(":")
    name, many = name or "cpu", int(count) if count.isdigit() else 1
    if name not in rates:
        known = ", ".join(key for key in rates if key != "dated")
        raise Refused(
            f"no rate is known for {name} (known: {known}).",
            f"Write one into {home.rates}: {name} = 4.00",
        )
    return float(rates[name]) * many * seconds / 3600


def check(home: Home, device: str, limit_s: float, most: float | None) -> None:
    """Refuse an unknown device, and a run that could cost more than is left, before spending."""
    worst = cost(home, device, limit_s)
    if most is not None and worst > most:
        dated = table(home)["dated"]
        raise TooDear(
            f"a run of at most {limit_s:.0f} s on {device or 'cpu'} could cost ${worst:.2f}, above "
            f"${most:.2f} (rates of {dated}).",
            f"Allow it: --max-cost {worst:.2f}; or take a smaller device: --on modal:T4",
        )
