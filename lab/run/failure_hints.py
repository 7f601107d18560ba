"""Hints after a failure, in terms of the constants of the file that failed."""

import ast

# Words in the names of sizes, the one that costs least to halve first.
SMALLER = ("BATCH", "GENERATIONS", "SEQ", "CONTEXT", "LENGTH", "TOKENS", "WIDTH", "DIM", "DEPTH")
NOT_PRINTED = "not printed: "  # as shared/printed.py says it
NOT_FINITE = "not a finite number: "
RATES = ("LEARNING_RATE", "LR")


def hint(kind: str, place: str, source: str, last: str = "") -> str:
    """Return what to try next, with a constant of the file where one fits."""
    if kind == "oom":
        return _halve(source) or "Halve the batch size or the width of the model"
    if kind == "no_metric" and last.startswith(NOT_PRINTED):
        return "Have it print that line again, as [printed] of leaf.toml has it"
    if kind == "no_metric" and last.startswith(NOT_FINITE):
        return "See in the log where it stopped being a number"
    if kind == "diverged":
        return _lower(source) or "Lower the learning rate"
    return {
        "interrupted": "Run it again",
        "lost": "Run it again",
        "stopped": "Let a run come to its end, or change the idea",
        "infra": "Run it again; if it fails again: lab doctor",
        "timeout": "Stop when the training budget is over, or do less before and after it",
        "bug": f"Fix {place} and run it again" if place else "Read the log, fix it, run it again",
        "pruned": "Try another idea",
        "no_metric": "Print the metric between two lines of ---, as a finite number",
        "tampered": "Change the mutable files only, and write artefacts to LAB_RUN_DIR",
    }[kind]


def _halve(source: str) -> str:
    """Return advice to halve the first size among the constants, "" when there is none."""
    sizes = {name: value for name, value in _constants(source).items() if isinstance(value, int)}
    for word in SMALLER:
        for name, value in sizes.items():
            if word in name and value >= 2:
                return f"Try {name} = {value // 2} (now {value})"
    return ""


def _lower(source: str) -> str:
    """Return advice to lower the learning rate, "" when no constant is called so."""
    constants = _constants(source)
    name = next((n for n in constants if n in RATES or n.endswith(("_LR", "LEARNING_RATE"))), "")
    return f"Lower {name} (now {constants[name]:g})" if name else ""


def _constants(source: str) -> dict[str, float]:
    """Return the numbers that the file assigns to names in capitals at its top level."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return {}
    found: dict[str, float] = {}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        number = _number(node.value) if isinstance(node, ast.Assign) else None
        for target in targets:
            if isinstance(target, ast.Name) and target.id.isupper() and number is not None:
                found[target.id] = number
    return found


def _number(node: ast.expr) -> float | None:
    """Return the number a constant or a power such as `2**15` states."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.Mult):
        left, right = _number(node.left), _number(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mult):
            return left * right
        return left**right if abs(left) <= 10 and 0 <= right <= 64 else None
    return None
