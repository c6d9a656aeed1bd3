"""The events of one run or of all, each with the run as it was then, as they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from finsched.errors import LedgerProblem
from finsched.ledger import Ledger, Row, recorded, senseless
from finsched.model.event import Recorded, Submitted, apply, fold
from finsched.model.run import Run

Told = tuple[Run, Recorded]
"""An event, and the run after it."""


class EventLog:
    """Reads the ledger on from where it stopped.

    Of a run that has ended only the name is kept, however many there were. `unreadable` hears
    once of a run that makes no sense, and the others are read on.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        run: str | None,
        since: datetime | None,
        unreadable: Callable[[LedgerProblem], None],
    ) -> None:
        self._ledger = ledger
        self._run = run
        self._since = since
        self._unreadable = unreadable
        self._position = ledger.row_before(since) if since else 0
        self._runs: dict[str, Run] = {}
        self._ended: set[str] = set()
        self._given_up: set[str] = set()

    def news(self) -> Iterator[Told]:
        """Yield what was written since the last call, oldest first."""
        while rows := self._ledger.rows(run=self._run, after=self._position):
            for row in rows:
                self._position = row.sequence
                told = self._told(row)
                if told and (self._since is None or told[1].at >= self._since):
                    yield told

    def _told(self, row: Row) -> Told | None:
        if row.run in self._given_up:
            return None
        try:
            record = recorded(*row)
            return self._after(record), record
        except LedgerProblem as problem:
            self._given_up.add(row.run)
            self._unreadable(problem)
            return None

    def _after(self, record: Recorded) -> Run:
        known = self._runs.pop(record.run, None)
        try:
            run = apply(known, record) if known else self._from_the_beginning(record)
        except TypeError as error:
            raise senseless(record, error) from error
        if run.outcome is None:
            self._runs[record.run] = run
        else:
            self._ended.add(record.run)
        return run

    def _from_the_beginning(self, record: Recorded) -> Run:
        if isinstance(record.event, Submitted) and record.run not in self._ended:
            return fold([record])
        return fold(recorded(*row) for row in self._rows_up_to(record))

    def _rows_up_to(self, record: Recorded) -> Iterator[Row]:
        after = 0
        while rows := self._ledger.rows(run=record.run, after=after):
            yield from (row for row in rows if row.sequence <= record.sequence)
            after = rows[-1].sequence
            if after >= record.sequence:
                return
