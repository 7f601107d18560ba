"""The documents that `--json` prints: every key with its type, its unit and its meaning.

Each is made in one place, by the room that knows; `docs/json.md` is made from what stands here.
"""

from . import campaigns, experiments, leaves, trainings

# What each command prints; a list where it prints a list of them.
PRINTED: dict[str, object] = {
    "lab run, lab wait": experiments.Standing,
    "lab show e34": experiments.Experiment,
    "lab show h12": experiments.Hypothesis,
    "lab log": list[experiments.Logged],
    "lab log --events": list[experiments.Event],
    "lab apply e34 --edit": experiments.Edited,
    "lab audit": experiments.Audit,
    "lab curve e34": trainings.Curve,
    "lab timing e34": trainings.Timing,
    "lab context": leaves.Context,
    "lab failures": list[leaves.Failure | leaves.DryFailure],
    "lab board LEAF": leaves.Board,
    "lab plot": leaves.Picture,
    "lab status": campaigns.Status,
    "lab loop": campaigns.Summary,
}

__all__ = ["PRINTED", "campaigns", "experiments", "leaves", "trainings"]
