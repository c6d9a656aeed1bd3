"""Whatever stands in the rows of a ledger is a run, or a problem with a name."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from finsched.accounting.account import account
from finsched.cli.render.narration import narrate
from finsched.cli.render.status import run_document
from finsched.decide.live.notifications import notifications
from finsched.errors import LedgerProblem, SpecError
from finsched.ledger import Ledger
from finsched.model.codec import encode
from finsched.model.event import BudgetUsed, Ended, Event, Promoted, Ready, Resumed, Warned
from finsched.model.job import Budget
from finsched.model.run import AttemptEnd, Outcome
from finsched.observe.event_document import event_document
from finsched.observe.event_log import EventLog
from finsched.observe.held import HeldRuns
from finsched.observe.open_metrics import exposition
from finsched.testing.builders import NOW, job, offer
from finsched.testing.runs import Story

from .fuzzing import damaged, documents, fuzz

Row = tuple[str, str, str, str]


def story() -> Story:
    told = Story(job=job(budget=Budget(max_cost_usd=40.0))).launched().after(hours=1)
    told.progressed(0.2).committed(0.2).tell(BudgetUsed(percent=50)).tell(Ready(attempt=1))
    told.ended(AttemptEnd.INTERRUPTED, "gone").launched(offer(9.0)).tell(Promoted(attempt=2))
    told.tell(Warned(attempt=2, text="x")).after(hours=1).finished(Outcome.BUDGET)
    return told.tell(Resumed(max_cost_usd=80.0)).finished()


def row(event: Event, at: str) -> Row:
    return ("r-1", at, type(event).__name__, json.dumps(encode(event)))


WHOLE = [row(record.event, record.at.isoformat()) for record in story().records]


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """The rows of a run: some left out, repeated, in another order, some damaged."""
    picked = draw(st.lists(st.sampled_from(WHOLE), max_size=20))
    found = draw(st.sampled_from([WHOLE, WHOLE[:1] + picked, picked]))
    return [draw(hurt(each)) if draw(st.integers(0, 9)) == 0 else each for each in found]


@st.composite
def hurt(draw: st.DrawFn, whole: Row) -> Row:
    run, at, kind, body = whole
    match draw(st.integers(0, 3)):
        case 0:
            moments = ["", "now", "2026-06-15", "2026-06-15T12:00:00", "9999-12-31T23:59:59-14:00"]
            at = draw(
                st.sampled_from([*moments, "0001-01-01T00:00:00+14:00"]) | st.text(max_size=9)
            )
        case 1:
            kinds = [
                "",
                "Event",
                "Run",
                "Recorded",
                "str",
                "submitted",
                *(each[2] for each in WHOLE),
            ]
            kind = draw(st.sampled_from(kinds))
        case 2:
            body = json.dumps(draw(damaged(json.loads(body)) | documents()))
        case _:
            body = draw(st.sampled_from(["", "{", "[" * 20_000]) | st.text(max_size=20))
    return run, *(each.encode("utf-8", "replace").decode() for each in (at, kind, body))


@contextmanager
def ledger_of(found: list[Row]) -> Iterator[Ledger]:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.sqlite")
        with sqlite3.connect(ledger.path) as raw:
            raw.executemany("INSERT INTO events (run, at, kind, body) VALUES (?, ?, ?, ?)", found)
        raw.close()
        yield ledger
        ledger.close()


@fuzz(rows())
def test_a_run_is_told_of_or_its_problem_is(found: list[Row]) -> None:
    if not found:
        return
    with ledger_of(found) as ledger:
        try:
            run = ledger.run("r-1")
        except LedgerProblem:
            return
        now = run.submitted_at + timedelta(hours=3)
        json.dumps(run_document(run, now), default=str)
        account(run, now)
        exposition([(run, now)])


@fuzz(rows())
def test_what_is_told_one_by_one_is_what_is_told_at_once(found: list[Row]) -> None:
    with ledger_of(found) as ledger:
        problems: list[LedgerProblem] = []
        log = EventLog(ledger, run=None, since=None, unreadable=problems.append)
        last: Any = None
        for run, record in log.news():
            json.dumps(event_document(run, record), allow_nan=False)
            narrate(run, record)
            notifications(run, record)
            last = run
        held = HeldRuns(ledger).look(NOW)
        if problems or not found:
            assert len(problems) <= 1
            return
        assert last == ledger.run("r-1")
        assert held == (
            [] if last.ended_at and NOW - last.ended_at >= timedelta(hours=1) else [last]
        )


@fuzz(st.binary(max_size=200), st.integers(0, 5000))
def test_a_file_that_is_no_ledger_is_a_problem(noise: bytes, at: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        whole = Ledger(path)
        for record in story().records:
            whole.append("r-1", record.event, record.at)
        whole.close()
        content = path.read_bytes()
        path.write_bytes(content[:at] + noise + content[at + len(noise) :])
        try:
            ledger = Ledger(path)
            ledger.run("r-1")
            list(EventLog(ledger, run=None, since=None, unreadable=lambda _: None).news())
        except (LedgerProblem, SpecError):  # it is not read, or the run is not found any more
            return
        ledger.append("r-1", Ended(outcome=Outcome.STOPPED), NOW)
