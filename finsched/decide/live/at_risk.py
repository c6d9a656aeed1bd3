"""What a loss right now would cost: the time since the last commit, and its price."""

from __future__ import annotations

from datetime import datetime, timedelta

from finsched.model.run import Run


def at_risk(run: Run, now: datetime) -> tuple[float, timedelta]:
    """Return the USD and the time since the last commit; nothing where no job runs."""
    attempt = run.live_attempt
    if attempt is None or attempt.started_at is None:
        return 0.0, timedelta(0)
    last = run.last_checkpoint
    since = last.at if last and last.attempt == attempt.number else attempt.started_at
    age = max(now - since, timedelta(0))
    return attempt.placement.usd_per_hour * age.total_seconds() / 3600, age
