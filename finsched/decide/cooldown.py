"""Which pools are left alone for a while, because they just took or refused a machine."""

from __future__ import annotations

from datetime import datetime, timedelta

from finsched.decide.feasible import Cooling
from finsched.model.run import Attempt, AttemptEnd, Run

AFTER = {
    AttemptEnd.INTERRUPTED: timedelta(hours=1),
    AttemptEnd.NOT_LAUNCHED: timedelta(minutes=15),
    AttemptEnd.NODE_FAILED: timedelta(minutes=15),
}


def cooling(run: Run, now: datetime) -> Cooling:
    """Return the pools, at a capacity type, that this run should not use yet, with the reason."""
    return {
        (attempt.placement.offer.pool, attempt.placement.offer.capacity_type): _reason(attempt)
        for attempt in run.attempts
        if _cools_until(attempt) > now
    }


def _cools_until(attempt: Attempt) -> datetime:
    if attempt.end is None or attempt.ended_at is None:
        return attempt.intended_at
    return attempt.ended_at + AFTER.get(attempt.end, timedelta(0))


def _reason(attempt: Attempt) -> str:
    verb = "took attempt" if attempt.end is AttemptEnd.INTERRUPTED else "refused attempt"
    return f"{verb} {attempt.number} moments ago"
