"""`[train] warm_start = true`: what the incumbent's run left, lent to a training."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..notebook import runs
from . import seeds
from .stages import WARM

if TYPE_CHECKING:
    from .execution import Execution


@contextlib.contextmanager
def lent(run: "Execution") -> Iterator[Path | None]:
    """Lend a copy of what the incumbent's run at this seed left, where the leaf declares it.

    An audit lends nothing: which of its runs come first would else decide who begins ahead.
    """
    incumbent = run.experiment["incumbent"]
    earlier = runs.finished(run.book, incumbent, run.seed)
    if not run.settings.warm_start or run.is_audited or earlier is None:
        yield None
        return
    copy = run.dir.with_name(f"{run.dir.name}{WARM}")
    shutil.rmtree(copy, ignore_errors=True)
    try:
        found = seeds.copied(run.order.home.run(incumbent, earlier), copy)
        if found:
            run.machine["warm_start"] = f"e{incumbent}"
        yield copy if found else None
    finally:
        shutil.rmtree(copy, ignore_errors=True)
