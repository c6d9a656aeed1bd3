"""The runs that go on, kept up to date with the ledger at the price of its news alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

from finsched.errors import LedgerProblem
from finsched.ledger import Ledger, senseless
from finsched.model.event import Recorded, apply, fold
from finsched.model.run import Run

REMEMBERED = timedelta(hours=1)
"""How long a run is held after its end, so that its last figures are seen."""


class HeldRuns:
    """Real runs that have not ended, or only just; rehearsals cost nothing and are left out."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._runs: dict[str, tuple[Run, int]] = {}
        self._position: int | None = None
        self._lock = Lock()

    def look(self, now: datetime) -> list[Run]:
        """Return them as the ledger tells of them now; what cannot be read is left out."""
        with self._lock:
            for run_id in self._touched(now):
                self._catch_up(run_id)
            self._runs = {
                run_id: held for run_id, held in self._runs.items() if _is_news(held, now)
            }
            return [run for run, _ in self._runs.values()]

    def _touched(self, now: datetime) -> list[str]:
        if self._position is None:
            self._position = self._ledger.newest()
            return sorted(self._ledger.alive(now - REMEMBERED))
        news = self._ledger.news(self._position)
        self._position = max(news.values(), default=self._position)
        return sorted(news)

    def _catch_up(self, run_id: str) -> None:
        known = self._runs.pop(run_id, None)
        try:
            records = self._ledger.records(run_id, after=known[1] if known else 0)
            run = _after(known[0] if known else None, records)
        except LedgerProblem:
            return
        if run and run.rehearsal is None:
            known_up_to = known[1] if known else 0
            self._runs[run_id] = run, records[-1].sequence if records else known_up_to


def _after(run: Run | None, records: list[Recorded]) -> Run | None:
    try:
        for record in records:
            run = apply(run, record) if run else fold([record])
    except TypeError as error:
        raise senseless(records[-1], error) from error
    return run


def _is_news(held: tuple[Run, int], now: datetime) -> bool:
    ended_at = held[0].ended_at
    return ended_at is None or now - ended_at < REMEMBERED
