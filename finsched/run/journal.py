"""One run's thread through the ledger: what is written is folded at once, and heard."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Protocol

from finsched.ledger import Ledger
from finsched.model.event import Event, Recorded, apply, fold
from finsched.model.run import Run


class Observer(Protocol):
    """Somebody who wants to know what happens to a run."""

    def heard(self, run: Run, record: Recorded) -> None:
        """Take note of one event; `run` is the state after it."""
        ...

    def looked(self, run: Run, now: datetime) -> None:
        """Take note that the run was looked at and nothing may have changed."""
        ...


class Listener(Observer, Protocol):
    """Somebody who watches a run: a terminal, a log, a test."""

    def sending(self, size_bytes: int) -> AbstractContextManager[Callable[[int], None]]:
        """Watch the workdir on its way to the store; yields what hears of the bytes that go."""
        ...


class Journal:
    """The events of one run, and the run that they fold to."""

    def __init__(self, ledger: Ledger, run_id: str, *observers: Observer | None) -> None:
        self._ledger = ledger
        self._observers = [each for each in observers if each is not None]
        records = ledger.records(run_id)
        self.run = fold(records)
        self._last_sequence = records[-1].sequence
        if not self.run.attempts:
            self._tell(partial(_heard, self.run, records[0]))

    @property
    def last_sequence(self) -> int:
        """The last row of the ledger that is in `run`."""
        return self._last_sequence

    def record(self, event: Event, at: datetime) -> None:
        """Write one event, after those that others wrote meanwhile."""
        record = self._ledger.append(self.run.id, event, at)
        if record.sequence == self._last_sequence + 1:  # nobody wrote anything meanwhile
            self._fold(record)
        else:
            self.catch_up()

    def catch_up(self) -> None:
        """Fold what was written since the last look, by us or by others."""
        for record in self._ledger.records(self.run.id, after=self._last_sequence):
            self._fold(record)

    def looked(self, now: datetime) -> None:
        """Tell the observers that time has passed."""
        self._tell(lambda observer: observer.looked(self.run, now))

    def _fold(self, record: Recorded) -> None:
        self.run = apply(self.run, record)
        self._last_sequence = record.sequence
        self._tell(partial(_heard, self.run, record))

    def _tell(self, news: Callable[[Observer], None]) -> None:
        """A terminal that went away must not take the run with it."""
        for observer in list(self._observers):
            try:
                news(observer)
            except OSError:
                self._observers.remove(observer)


def _heard(run: Run, record: Recorded, observer: Observer) -> None:
    observer.heard(run, record)
