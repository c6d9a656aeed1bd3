"""What a run has cost so far, from its attempts and the prices frozen when they were chosen."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal

from finsched.model.run import Attempt, Run

SECONDS_PER_HOUR = Decimal(3600)
_MICRODOLLAR = Decimal("0.000001")


def billed_seconds(attempt: Attempt, now: datetime) -> int:
    """Return the seconds the provider bills: rounded up, never below its minimum."""
    if attempt.billing_from is None:
        return 0
    rule = attempt.placement.billing
    ran = ((attempt.ended_at or now) - attempt.billing_from).total_seconds()
    steps = math.ceil(max(ran, 0.0) / rule.granularity_seconds)
    return max(steps * rule.granularity_seconds, rule.minimum_seconds)


def attempt_usd(attempt: Attempt, now: datetime) -> Decimal:
    """Return the compute cost of one attempt up to `now`, to the millionth of a dollar."""
    price = Decimal(str(attempt.placement.offer.price_usd_per_hour)) * attempt.placement.nodes
    usd = price * billed_seconds(attempt, now) / SECONDS_PER_HOUR
    return usd.quantize(_MICRODOLLAR)


def spent_usd(run: Run, now: datetime) -> Decimal:
    """Return the compute cost of all attempts up to `now`."""
    return sum((attempt_usd(attempt, now) for attempt in run.attempts), Decimal(0))


def budget_ends_at(run: Run, attempt: Attempt, now: datetime) -> datetime | None:
    """Return when this attempt, running on, will have used up `budget.max_cost`."""
    limit = run.job.budget.max_cost_usd
    price_usd_per_hour = attempt.placement.usd_per_hour
    if limit is None or price_usd_per_hour <= 0:
        return None
    left_usd = Decimal(str(limit)) - spent_usd(run, now)
    hours_left = max(float(left_usd) / price_usd_per_hour, 0.0)
    return now + min(timedelta(hours=hours_left), timedelta(days=3650))
