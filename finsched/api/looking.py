"""The Python API of looking at runs: it reads the ledger and loads no more than that takes."""

from __future__ import annotations

import sys
import time
from datetime import datetime

from finsched import settings
from finsched.errors import LedgerProblem
from finsched.model.event import Recorded
from finsched.model.run import Run
from finsched.run.home import is_supervised, open_ledger
from finsched.run.journal import Journal, Listener
from finsched.run.present import present_moment

__all__ = ["events", "follow", "runs", "status", "supervised"]

_LOOK_AGAIN_SECONDS = 0.5


def status(run: str | None = None) -> tuple[Run, datetime]:
    """Return a run as it stands and its present moment (a rehearsal's time is compressed)."""
    ledger = open_ledger(settings.load().state_dir)
    return _at_present(ledger.run(ledger.resolve(run)))


def supervised(run_id: str) -> bool:
    """Return whether a process carries this run right now."""
    return is_supervised(settings.load().state_dir, run_id)


def runs(limit: int) -> list[tuple[Run, datetime]]:
    """Return the newest runs, each with its present moment; stderr names what is unreadable."""
    ledger = open_ledger(settings.load().state_dir)
    found = []
    for run_id in ledger.run_ids()[:limit]:
        try:
            found.append(_at_present(ledger.run(run_id)))
        except LedgerProblem as problem:
            print(f"finsched: {problem.message}", file=sys.stderr)
    return found


def events(run: str | None = None) -> list[Recorded]:
    """Return every event of a run, oldest first."""
    ledger = open_ledger(settings.load().state_dir)
    return ledger.records(ledger.resolve(run))


def follow(run: str | None, listener: Listener) -> Run:
    """Tell a listener of a run's events, past and coming, until the run has ended."""
    ledger = open_ledger(settings.load().state_dir)
    journal = Journal(ledger, ledger.resolve(run), listener)
    while journal.run.outcome is None:
        journal.looked(_at_present(journal.run)[1])
        time.sleep(_LOOK_AGAIN_SECONDS)
        journal.catch_up()
    return journal.run


def _at_present(run: Run) -> tuple[Run, datetime]:
    return run, present_moment(run)
