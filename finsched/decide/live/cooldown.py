"""What is left alone for a while, because it just took or refused a machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from finsched.model.market import CoolDown
from finsched.model.quote import Quote
from finsched.model.run import Attempt, AttemptEnd, Refusal, Run

AFTER = {
    AttemptEnd.INTERRUPTED: timedelta(hours=1),
    AttemptEnd.NOT_LAUNCHED: timedelta(minutes=15),
    AttemptEnd.NODE_FAILED: timedelta(minutes=15),
}
AFTER_A_QUOTA = timedelta(hours=1)
"""Nobody grants more within minutes, and the other zones of the region count on the same quota."""

_LONGEST = max(AFTER_A_QUOTA, *AFTER.values())

Cooling = tuple[CoolDown, ...]


def cooling(run: Run, now: datetime, elsewhere: Iterable[CoolDown] = ()) -> Cooling:
    """Return what this run should not ask yet; `elsewhere` is what other runs have met."""
    since = now - _LONGEST
    late = (each for each in run.attempts if each.ended_at and each.ended_at > since)
    own = (each for attempt in late for each in cool_downs(attempt))
    return tuple(each for each in (*own, *elsewhere) if each.until > now)


def cool_downs(attempt: Attempt) -> Iterator[CoolDown]:
    """Yield what an attempt says is better left alone; nothing where it ended in another way."""
    if attempt.end is None or attempt.ended_at is None or attempt.end not in AFTER:
        return
    offer = attempt.placement.offer
    no_quota = attempt.refusal is Refusal.QUOTA
    lasts = AFTER_A_QUOTA if no_quota else AFTER[attempt.end]
    until = attempt.ended_at + lasts
    gpu = offer.instance_type.gpu or "" if no_quota else ""
    yield CoolDown(offer.pool, offer.capacity_type, until, gpu)


def cools(quote: Quote, hot: Cooling) -> bool:
    """Whether a quote's machines are among those that cool down."""
    return any(each.covers(quote.offer) for each in hot)


def heat(quote: Quote, hot: Cooling) -> tuple[int, datetime]:
    """How hot machines are that cool down: how often they were lost or refused, and until when.

    So of several that all cool down none is asked again and again while another is never asked.
    """
    until = [each.until for each in hot if each.covers(quote.offer)]
    return len(until), max(until)
