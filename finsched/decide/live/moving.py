"""Whether a live run may go to another machine, and how long it waits for one to be ready."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal

from finsched.decide.live.limits import fits
from finsched.decide.live.step import DropStandby, HandOver, Launch, Move, Pause, Stay, Step, Wait
from finsched.model.run import Attempt, Run

STANDBY_PATIENCE = timedelta(hours=2)
SHORTEST_PATIENCE = timedelta(minutes=30)
FIRST_HOLD_OFF = timedelta(seconds=30)
LONGEST_HOLD_OFF = timedelta(minutes=10)


def beside_a_standby(standby: Attempt, now: datetime, changeover_s: float | None) -> Step:
    """Hand over to a standby once it is ready; give it up when it takes far too long."""
    if standby.ready_at:
        return HandOver()
    patience = STANDBY_PATIENCE
    if changeover_s is not None:
        patience = max(SHORTEST_PATIENCE, timedelta(seconds=4 * changeover_s))
    return DropStandby() if now - standby.intended_at > patience else Stay()


def allowed(run: Run, wanted: Launch | Move | Wait | Stay, now: datetime, spent: Decimal) -> Step:
    """The step that a live run may take: a move has to be paid, and is not tried all the time."""
    live = run.live_attempt
    if not isinstance(wanted, Move) or live is None:
        return Stay()
    if _held_off(run, now) or not fits(run, wanted.quote, spent):
        return Stay()
    if _over_hourly(run, live, wanted.quote.price_usd_per_hour):
        return Pause(choice=wanted.choice)
    return wanted


def _held_off(run: Run, now: datetime) -> bool:
    """After standbys that came to nothing, the next one waits: longer each time."""
    failed = 0
    for attempt in reversed(run.attempts):
        if not attempt.waiting:
            break
        failed += 1
    last = run.attempts[-1].ended_at
    if not failed or last is None:
        return False
    seconds = FIRST_HOLD_OFF.total_seconds() * math.pow(2, min(failed - 1, 10))
    return now < last + min(timedelta(seconds=seconds), LONGEST_HOLD_OFF)


def _over_hourly(run: Run, live: Attempt, price_usd_per_hour: float) -> bool:
    """Whether both machines together cost more an hour than the run may."""
    limit = run.job.budget.max_hourly_usd
    return limit is not None and live.placement.usd_per_hour + price_usd_per_hour > limit
