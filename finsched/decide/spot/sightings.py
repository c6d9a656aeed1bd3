"""What a run has seen of the pools: which can be asked for a machine, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from finsched.decide.spot.spells import UNSEEN_AGE_S
from finsched.model.market import CapacityType, Pool
from finsched.model.run import Attempt, AttemptEnd, Refusal, Run


def spell_ages_s(run: Run, pools: Sequence[Pool], now: datetime) -> list[float]:
    """For how long each pool has been as this run last saw it, in seconds.

    A held pool counts from its machine's start, one that took or refused a machine from that
    moment. A pool that was never tried, or long ago, is one that somebody comes upon by chance.
    """
    return [_age_s(_last_on(run, pool), now) for pool in pools]


def _last_on(run: Run, pool: Pool) -> Attempt | None:
    return next((each for each in reversed(run.attempts) if _spot_on(each, pool)), None)


def _spot_on(attempt: Attempt, pool: Pool) -> bool:
    offer = attempt.placement.offer
    return offer.capacity_type is CapacityType.SPOT and offer.pool == pool


def _age_s(attempt: Attempt | None, now: datetime) -> float:
    if attempt is None:
        return UNSEEN_AGE_S
    if attempt.live:
        return (now - (attempt.billing_from or attempt.intended_at)).total_seconds()
    if _tells_of_capacity(attempt) and attempt.ended_at:
        return min((now - attempt.ended_at).total_seconds(), UNSEEN_AGE_S)
    return UNSEEN_AGE_S


def _tells_of_capacity(attempt: Attempt) -> bool:
    """Whether its end says that the pool had nothing; a quota or a price says nothing of that."""
    if attempt.end is AttemptEnd.NOT_LAUNCHED:
        return attempt.refusal not in {Refusal.QUOTA, Refusal.PRICE}
    return attempt.end is AttemptEnd.INTERRUPTED
