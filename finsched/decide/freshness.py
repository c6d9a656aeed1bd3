"""Whether a run's last commit is too old: money burns and nothing is kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from finsched.model.run import Attempt, Run

INTERVALS = 2


def stale(run: Run, now: datetime, latency: timedelta = timedelta(0)) -> timedelta | None:
    """Return the age of what is not kept when it passes two intervals, else None.

    `latency` is what starting and committing take at best, in the run's own time. A job without
    a declared checkpoint is never stale: it has nothing to commit.
    """
    attempt = run.live_attempt
    if attempt is None or attempt.started_at is None or run.job.checkpoint is None:
        return None
    born_at = attempt.billing_from or attempt.started_at
    every_seconds = attempt.placement.checkpoint_every_at(now - born_at)
    if every_seconds is None:
        return None
    save = run.job.checkpoint.save_time
    age = now - _kept_at(run, attempt, attempt.started_at)
    allowed = INTERVALS * (timedelta(seconds=every_seconds) + save) + latency
    return age if age > allowed else None


def _kept_at(run: Run, attempt: Attempt, started_at: datetime) -> datetime:
    kept = [point.at for point in run.checkpoints if point.attempt == attempt.number]
    return kept[-1] if kept else started_at
