"""Holds the supervisor to its freshness alarm: no machine is paid for long for nothing kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from finsched.decide.live.freshness import SHORTEST_HOPE
from finsched.model.run import Attempt, Run
from finsched.testing.chaos import invariants
from finsched.testing.chaos.weather import LEDGER, STORE, Weather
from finsched_sim.machine import Machine
from finsched_sim.timeline import Timeline

_INTERVALS = 4
_SLACK = timedelta(hours=1)  # polls that fail, calls that are slow, a clock that is wrong


class Alarm:
    """Knows since when a supervisor has been able to see that nothing is kept."""

    def __init__(self, timeline: Timeline, weather: Weather) -> None:
        self._timeline = timeline
        self._weather = weather
        self._blind_at: dict[str, datetime] = {}

    def nobody_looks(self, run_id: str) -> None:
        """Note that the supervisor of a run is gone or asleep just now."""
        self._blind_at[run_id] = self._timeline.now()

    def fresh(self, run: Run, machines: Sequence[Machine]) -> str | None:
        """Check the attempt that works now, unless its cloud denies what it is paid for."""
        now, attempt = self._timeline.now(), run.live_attempt
        is_blind = attempt and any(
            self._weather.storm_over(place) for place in (attempt.provider, STORE, LEDGER)
        )
        paid = [each for each in machines if each.runs and not each.unlisted]
        if attempt is None or is_blind or not paid:
            self._blind_at[run.id] = now
            return None
        if attempt.started_at is None or not run.checkpoints or run.job.checkpoint is None:
            return None
        since = max(_kept_at(run, attempt), self._blind_at.get(run.id, run.submitted_at))
        return invariants.fresh(attempt, now - since, _allowed(run, attempt))


def _kept_at(run: Run, attempt: Attempt) -> datetime:
    kept = [point.at for point in run.checkpoints if point.attempt == attempt.number]
    return max([attempt.started_at or attempt.intended_at, *kept])


def _allowed(run: Run, attempt: Attempt) -> timedelta:
    by_age = (every for _, every in attempt.placement.checkpoint_cadence)
    every_seconds = max(attempt.placement.checkpoint_every_seconds or 0.0, *by_age, 0.0)
    save = run.job.checkpoint.save_time if run.job.checkpoint else timedelta(0)
    interval = timedelta(seconds=every_seconds) + save
    uploads = timedelta(seconds=3 * max(point.upload_seconds for point in run.checkpoints))
    return max(SHORTEST_HOPE + uploads, _INTERVALS * interval) + _SLACK
