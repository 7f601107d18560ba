"""How a script that knows nothing of `LAB_SEED` gets its seed: as a word, or as its constant."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import LabError
from ..leaf import Settings, knobs

WORD = "{seed}"  # in a command of leaf.toml


def told(command: Sequence[str], seed: int) -> list[str]:
    """Return a command with the seed in its place.

    >>> told(["python", "train.py", "--seed={seed}"], 7)
    ['python', 'train.py', '--seed=7']
    """
    return [word.replace(WORD, str(seed)) for word in command]


def set_constant(settings: Settings, folder: Path, seed: int) -> None:
    """Set the constant that a leaf's scripts seed by, in the copy that a run trains from."""
    if settings.seed_constant is None:
        return
    for name in settings.mutable:
        path = folder / name
        if path.suffix != ".py" or not path.is_file():
            continue
        data = path.read_bytes()
        try:
            if settings.seed_constant in knobs.constants(data, name):
                path.write_bytes(knobs.write(data, {settings.seed_constant: seed}, name))
        except LabError:  # no Python: its own error will say so
            continue
