"""A run in a rented sandbox: made or found again, followed to its end, paid for."""

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from .. import leaf as leaves
from ..notebook import record, runs

if TYPE_CHECKING:
    from ..runner import modal
    from .execution import Execution


def rented(run: "Execution", leaf: leaves.Leaf) -> dict[str, Any]:
    """Return what the stages report from a sandbox; a run that has one already is found again."""
    from ..runner import modal, rates

    order, device = run.order, run.order.job["runner"].partition(":")[2]
    row = runs.row(run.book, run.run)
    key = leaves.cache_key(leaf, run.settings)
    plan = dataclasses.replace(run.plan(leaf), python="", paths=[])
    run.facts["device"] = run.machine["device"] = device or "cpu"
    run.machine["confined"] = "rented"
    if row["remote_id"]:
        sandbox = modal.Sandbox.found(row["remote_id"])
    else:
        with modal.bundle(plan, run.exports, key) as folder:
            sandbox = modal.Sandbox.rent(_spec(run, device), folder, order.stop, run.say)
        record.run_started(run.book, run.experiment["id"], run.run, remote_id=sandbox.id)
    began = time.monotonic()
    try:
        sandbox.start(run.say)
        found: dict[str, Any] = sandbox.follow(run.dir, order.stop)
        sandbox.fetch(run.dir)
    finally:
        sandbox.end()
        spent = time.monotonic() - began
        run.facts["cost_usd"] = rates.cost(order.home, device, spent)
    return found


def _spec(run: "Execution", device: str) -> "modal.SandboxSpec":
    from ..runner import modal

    settings = run.settings
    return modal.SandboxSpec(
        gpu=device,
        requires=settings.requires,
        pins=run.exports[0] / "constraints.txt",
        limit_s=settings.limit_s,
        network=settings.network is not False,
    )
