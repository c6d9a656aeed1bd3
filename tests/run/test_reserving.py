"""What is set aside for a run and what is written of it are one: never one without the other."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from finsched.errors import LedgerProblem
from finsched.ledger import Ledger
from finsched.model.event import Ended, Event, Recorded, Resumed, Submitted
from finsched.model.job import Budget, JobSpec
from finsched.model.run import Outcome
from finsched.run.reserving import reserve, settle
from finsched.run.session import Session
from finsched.settings import Settings
from finsched.testing.builders import NOW, job

LIMITS = {"total": 1000.0}


def costly(usd: float) -> JobSpec:
    return job(budget=Budget(max_cost_usd=usd))


def ended_run(ledger: Ledger, run: str, usd: float) -> None:
    reserve(ledger, run, costly(usd), LIMITS, NOW)
    ledger.append(run, Submitted(job=costly(usd), store_uri="file:///nowhere"), NOW)
    ledger.append(run, Ended(outcome=Outcome.BUDGET), NOW)


def taken(ledger: Ledger) -> Decimal:
    [(_, month)] = {(each.budget, each.month) for _, each in ledger.reservations("r-1")}
    return sum(ledger.counted("total", month).values(), Decimal(0))


class FullAtResumed(Ledger):
    """The disk is full for the one event that lets a run go on."""

    def append(self, run: str, event: Event, at: datetime) -> Recorded:
        if isinstance(event, Resumed):
            raise LedgerProblem("the disk is full")
        return super().append(run, event, at)


def test_a_run_that_cannot_go_on_holds_nothing(tmp_path: Path) -> None:
    ledger = FullAtResumed(tmp_path / "ledger.sqlite")
    ended_run(ledger, "r-1", 300.0)
    settle(ledger, NOW)
    assert taken(ledger) == 0
    settings = Settings(state_dir=tmp_path, cache_dir=tmp_path, store="", budgets=LIMITS)
    session = Session(settings=settings, ledger=ledger, secrets={})
    with pytest.raises(LedgerProblem, match="full"):
        session.reopen("r-1", max_cost_usd=None, deadline=None)
    assert taken(ledger) == 0


def test_a_run_that_cannot_be_read_keeps_what_it_holds_and_holds_up_nobody(tmp_path: Path) -> None:
    """A newer finsched may have written it."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ended_run(ledger, "r-1", 300.0)
    with sqlite3.connect(ledger.path) as raw:
        insert = "INSERT INTO events (run, at, kind, body) VALUES ('r-1', ?, 'FromTheFuture', '{}')"
        raw.execute(insert, (NOW.isoformat(),))
    reserve(ledger, "r-2", costly(700.0), LIMITS, NOW)
    assert taken(ledger) == 1000
