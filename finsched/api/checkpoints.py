"""The Python API of a run's checkpoints: list them, pin one, let it go again."""

from __future__ import annotations

from finsched import settings
from finsched.model.run import Run
from finsched.run import retention
from finsched.run.home import open_ledger
from finsched.run.retention import Kept

__all__ = ["Kept", "checkpoints"]


def checkpoints(
    run: str | None = None, *, pin: int | None = None, unpin: int | None = None
) -> tuple[Run, list[Kept]]:
    """Return a run and its checkpoints, oldest first, after one was pinned or unpinned.

    Numbers count the run's checkpoints from 1. Raises `SpecError` for one that is not there or is
    kept no longer, and `StoreProblem`.
    """
    ledger = open_ledger(settings.load().state_dir)
    found = ledger.run(ledger.resolve(run))
    if pin is not None:
        retention.pin(found, pin)
    if unpin is not None:
        retention.unpin(found, unpin)
    return found, retention.survey(found)
