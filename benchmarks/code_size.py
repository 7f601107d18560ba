"""How long the functions and files of `lab` are.

python benchmarks/code_size.py
"""

import ast
import statistics
from pathlib import Path

LAB = Path(__file__).resolve().parents[1] / "lab"


def main() -> None:
    """Print the median and the longest of both, in lines."""
    files, functions = [], []
    for path in sorted(LAB.rglob("*.py")):
        text = path.read_text()
        name = path.relative_to(LAB.parent)
        files.append((len(text.splitlines()), f"{name}"))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                functions.append((lines, f"{name}:{node.name}"))
    for what, found in (("functions", functions), ("files", files)):
        lengths = [length for length, _ in found]
        print(f"{len(found)} {what}: median {statistics.median(lengths):g}, longest {max(found)}")


if __name__ == "__main__":
    main()
