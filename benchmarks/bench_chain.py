"""What the chain over the records costs a write: whole transactions with it and without, in turn.

python benchmarks/bench_chain.py
"""

import statistics
import tempfile
import time
from pathlib import Path

from lab.notebook import Notebook

WRITES = 400  # of each kind: the spread of a mean over them is far below the cost


def seconds(book: Notebook, chained: bool) -> float:
    """Return the CPU time of one transaction with three records, without the wait for a disk."""
    began = time.process_time()
    with book.write():
        for number in range(3):
            book.event("benchmark", f"e{number}", "words of some length, as a person writes them")
        if not chained:
            book.notes.clear()
    return time.process_time() - began


def main() -> None:
    """Print the median of both and their difference in milliseconds."""
    with tempfile.TemporaryDirectory() as folder, Notebook(Path(folder) / "notebook.db") as book:
        pairs = [(seconds(book, False), seconds(book, True)) for _ in range(WRITES)]
    without, chained = (1000 * statistics.median(one) for one in zip(*pairs, strict=True))
    costs = 1000 * statistics.median(b - a for a, b in pairs)
    print(f"without {without:.2f} ms, chained {chained:.2f} ms, the chain {costs:.2f} ms a write")


if __name__ == "__main__":
    main()
