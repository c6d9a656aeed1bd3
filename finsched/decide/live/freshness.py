"""Whether a run's last commit is too old: money burns and nothing is kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from finsched.model.run import Attempt, Run

INTERVALS = 2
SHORTEST_HOPE = timedelta(hours=2)
"""A machine on which nothing is kept is not given up earlier than that."""


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


def in_vain(run: Run, now: datetime, latency: timedelta = timedelta(0)) -> bool:
    """Whether a machine is paid for work that nobody keeps, and is better given up.

    That is so after twice the age at which it is stale, and the longest uploads on top. A run that
    has never kept anything is left alone: nobody knows how long its first upload takes. So is a
    rehearsal, whose job saves in its own time.
    """
    age = stale(run, now, latency)
    if age is None or not run.checkpoints or run.rehearsal:
        return False
    uploads = timedelta(seconds=3 * max(point.upload_seconds for point in run.checkpoints))
    return age > SHORTEST_HOPE + uploads and stale(run, now - age / 2, latency) is not None


def _kept_at(run: Run, attempt: Attempt, started_at: datetime) -> datetime:
    newest_first = reversed(run.checkpoints)
    kept = (point.at for point in newest_first if point.attempt == attempt.number)
    return next(kept, started_at)
