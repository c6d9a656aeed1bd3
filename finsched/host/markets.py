"""What is known of the market, read once for many runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock

from finsched import quoting
from finsched.decide.pricing.paths import places_of
from finsched.model.market import Market
from finsched.model.run import Run
from finsched.settings import Settings

KEPT_FOR = timedelta(minutes=5)
_Key = tuple[object, ...]


class SharedMarkets:
    """The markets of runs that ask the same of them, kept for a few minutes.

    Prices and paths depend on the places and clouds that a job names alone. What our own runs teach
    is read for each job, every time.
    """

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._now = now
        self._kept: dict[_Key, tuple[datetime, Market]] = {}
        self._reading = Lock()

    def of(self, run: Run, now: datetime) -> Market:
        """Return the market for a run."""
        return quoting.with_experience(run.job, self._shared(run, now), self._settings)

    def _shared(self, run: Run, now: datetime) -> Market:
        key = (run.rehearsal is not None, places_of(run.job), run.job.where.clouds)
        with self._reading:
            kept = self._kept.get(key)
            if kept is None or self._now() - kept[0] > KEPT_FOR:
                kept = self._now(), self._read(run, now)
                self._kept[key] = kept
        return kept[1]

    def _read(self, run: Run, now: datetime) -> Market:
        market = quoting.read_market(run.job, self._settings, now=now)
        if run.rehearsal:
            return market
        return replace(market, offers=tuple(filter(market.can_launch, market.offers)))
