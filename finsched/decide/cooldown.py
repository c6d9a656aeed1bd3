"""Which pools are left alone for a while, because they just took or refused a machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from finsched.model.market import CapacityType, Pool
from finsched.model.quote import Quote
from finsched.model.run import Attempt, AttemptEnd, Run

AFTER = {
    AttemptEnd.INTERRUPTED: timedelta(hours=1),
    AttemptEnd.NOT_LAUNCHED: timedelta(minutes=15),
    AttemptEnd.NODE_FAILED: timedelta(minutes=15),
}

Cooling = Mapping[tuple[Pool, CapacityType], datetime]
"""Until when each pool, at a capacity type, should not be asked."""


def cooling(run: Run, now: datetime) -> Cooling:
    """Return the pools that this run should not ask yet."""
    until: dict[tuple[Pool, CapacityType], datetime] = {}
    for attempt in run.attempts:
        offer, moment = attempt.placement.offer, _cools_until(attempt)
        if moment > now:
            until[offer.pool, offer.capacity_type] = moment
    return until


def cools(quote: Quote, pools: Cooling) -> bool:
    """Whether a quote's pool is among those that cool down."""
    return (quote.offer.pool, quote.offer.capacity_type) in pools


def cools_until(quote: Quote, pools: Cooling) -> datetime:
    """Until when a quote's pool, which cools down, should not be asked."""
    return pools[quote.offer.pool, quote.offer.capacity_type]


def _cools_until(attempt: Attempt) -> datetime:
    if attempt.end is None or attempt.ended_at is None:
        return attempt.intended_at
    return attempt.ended_at + AFTER.get(attempt.end, timedelta(0))
