"""`lab timing` for whoever reads: a line a stage, then how quick the steps were."""

from ..documents.trainings import Spent, Timing
from ..text import count

# What each stage is, by its key; and what is told below them.
STAGES = (
    ("setup_s", "set-up", "export and prepare"),
    ("startup_s", "start-up", "imports, data, compiling: until the first step"),
    ("steps_s", "steps", "from the first step to the end of training"),
    ("evaluation_s", "evaluation", "the yardstick"),
    ("rest_s", "rest", "between stages, and the record"),
    ("seconds", "in all", "without waiting for a device"),
)
RATES = (
    ("steps", "last step"),
    ("steps_per_cpu_s", "steps per CPU second"),
    ("steps_per_s", "steps per wall second"),
    ("wall_per_cpu_s", "wall seconds per CPU second"),
    ("delayed", "share of time waiting for a core"),
)
PACE = ("steps_per_cpu_s", "steps_per_s", "wall_per_cpu_s")
NO_PACE = (
    "steps per second are not known: the step log was not seen to grow twice (watched on Linux), "
    "and train.py prints no num_steps and cpu_s"
)
WIDTH = 22  # of a column: "e1234 seed 798423516", and no time is longer


def text(found: Timing) -> str:
    """Return where the time of a run went, beside the other's."""
    sides = [found["mine"], *([found["theirs"]] if found["theirs"] else [])]
    head = "".join(f"{_name(side):>{WIDTH}}" for side in sides)
    lines = [f"{'':<34}{head}"]
    lines += [_row(f"{name}, s", key, sides) + f"   {what}" for key, name, what in STAGES]
    known = [
        (key, name) for key, name in RATES if any(dict(side)[key] is not None for side in sides)
    ]
    lines += [_row(name, key, sides) for key, name in known]
    if not any(key in PACE for key, _ in known):
        lines.append(NO_PACE)
    if found["against"] and found["theirs"] is None:
        lines.append(f"{found['against']} has no run here that ended")
    return "\n".join([*lines, *([found["pace"]] if found["pace"] else [])])


def _name(side: Spent) -> str:
    return f"{side['experiment']} seed {side['seed']}"


def _row(name: str, key: str, sides: list[Spent]) -> str:
    words = (_figure(dict(side)[key], whole=key == "steps") for side in sides)
    return f"{name:<34}" + "".join(f"{word:>{WIDTH}}" for word in words)


def _figure(value: object, whole: bool) -> str:
    """Return a number as one reads it, without digits beyond hundredths of a second."""
    if not isinstance(value, int | float):
        return "-"
    return (
        count(value)
        if whole or abs(value) >= 1000
        else f"{value:.4g}"
        if value >= 100
        else f"{value:.2f}"
    )
