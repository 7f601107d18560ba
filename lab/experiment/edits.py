"""The axis of an edit: the constant or function that it touches."""

import ast


def axis(old: str | None, new: str | None) -> str | None:
    """Return the name of the first constant, else function or class, that differs.

    >>> axis("LR = 1\\nDEPTH = 2\\n", "LR = 1\\nDEPTH = 3\\n")
    'depth'
    >>> axis("def f(): pass\\n", "def f(): return 1\\n")
    'f'
    """
    try:
        before, after = _parts(old or ""), _parts(new or "")
    except (SyntaxError, ValueError, RecursionError):
        return None
    names = [name for name in (*after, *before) if before.get(name) != after.get(name)]
    constants = [name for name in names if name.isupper()]
    found = [*constants, *names]
    return found[0].lower()[:60] if found else None


def _parts(source: str) -> dict[str, str]:
    """Return {name: its syntax tree as text} for what stands at the top level."""
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = ast.dump(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (t.id for t in targets if isinstance(t, ast.Name)):
                found[name] = ast.dump(node)
        else:
            found["script"] = found.get("script", "") + ast.dump(node)
    return found
