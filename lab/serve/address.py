"""Addresses of pages: of an experiment, a leaf, several beside each other."""

from collections.abc import Iterable
from urllib.parse import quote

EXPERIMENT = "/e/{}"


def experiment_address(number: int) -> str:
    """Return where an experiment's page is."""
    return EXPERIMENT.format(number)


def leaf_address(name: str) -> str:
    """Return where a leaf's page is.

    >>> leaf_address("contrib/a b")
    '/leaf/contrib/a%20b'
    """
    return "/leaf/" + quote(name)


def compare_address(numbers: Iterable[int]) -> str:
    """Return where experiments stand side by side.

    >>> compare_address([3, 4])
    '/compare?e=3&e=4'
    """
    return "/compare?" + "&".join(f"e={number}" for number in numbers)
