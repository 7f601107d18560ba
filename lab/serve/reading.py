"""Reading the notebook: one moment of it, by a connection that cannot write."""

import contextlib
from collections.abc import Iterator

from ..notebook import Notebook
from ..system.home import Home


@contextlib.contextmanager
def opened(home: Home) -> Iterator[Notebook]:
    """Give the notebook as it is now, whoever writes meanwhile; an empty one where there is none.

    No lock is held that a writer would wait for.
    """
    with Notebook(home.notebook if home.notebook.exists() else ":memory:") as book:
        book.db.execute("pragma query_only = on")
        book.db.execute("begin")
        yield book
