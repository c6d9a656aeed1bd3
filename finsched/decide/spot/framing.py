"""From quotes to the job that a spot policy is told: pools, prices, changeover, the way out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from finsched.decide.live.punctual import punctual
from finsched.decide.spot.situation import Off, Placement, Pool, SpotJob
from finsched.decide.spot.spells import MEASURED
from finsched.model.market import CapacityType
from finsched.model.market import Pool as MarketPool
from finsched.model.quote import Basis, Quote

MOST_POOLS = 5
_ANYWHERE = ""  # what it costs to get to a pool is in its start price
_CHANGEOVER_STEP_S = 150.0  # rounded up to it, so that the same plan serves while a run lives
LEAST_SHARE = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The time that a job has: until its deadline in all, and what is left of it, in seconds.

    `done` is the share of the work that is kept, `reaction_s` what passes between two looks at the
    run. `changeover_s` is the longest that a start of this run has taken so far, `kept_every_s` the
    longest time between two of its commits.
    """

    deadline_s: float
    left_s: float
    done: float = 0.0
    reaction_s: float = 0.0
    changeover_s: float = 0.0
    kept_every_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A job as a policy is told it, and the quotes that its placements stand for."""

    job: SpotJob
    pools: tuple[Quote, ...]
    on_demand: Quote

    def quote(self, placement: Placement) -> Quote | None:
        """What is bought there; None for nothing."""
        if placement is Off.IDLE:
            return None
        return self.pools[placement] if isinstance(placement, int) else self.on_demand

    def without_spot(self) -> Frame:
        """The same job where no spot may be taken any more."""
        return replace(self, job=replace(self.job, pools=()), pools=())

    def index(self, pool: MarketPool) -> int | None:
        """The policy's number of a pool."""
        pools = [quote.offer.pool for quote in self.pools]
        return pools.index(pool) if pool in pools else None


def frame(
    quotes: Sequence[Quote], horizon: Horizon, holding: MarketPool | None = None
) -> Frame | None:
    """The choice that is left to a policy; None without on-demand or known hours.

    `quotes` are for the work that is left, the cheapest first. The best spot pools are told, and
    the one that is held, even if others have become cheaper; none where no spot is offered.
    """
    way_out = fallback(quotes, horizon.left_s)
    spot = [quote for quote in quotes if quote.offer.capacity_type is CapacityType.SPOT]
    if way_out is None or way_out.basis is Basis.HOUR:
        return None
    best = [*spot[:MOST_POOLS]]
    best += [quote for quote in spot[MOST_POOLS:] if quote.offer.pool == holding]
    return Frame(
        job=_job(best, way_out, horizon),
        pools=tuple(best),
        on_demand=way_out,
    )


def fallback(quotes: Sequence[Quote], left_s: float) -> Quote | None:
    """The cheapest on-demand quote, of those that end in time if any does."""
    calm = [each for each in quotes if each.offer.capacity_type is CapacityType.ON_DEMAND]
    return next(iter(punctual(calm, left_s)), None)


def _job(spot: Sequence[Quote], on_demand: Quote, horizon: Horizon) -> SpotJob:
    work_left_s = _productive_hours(on_demand) * 3600
    lost_s = max(_most_lost_s(spot[0]) if spot else 0.0, horizon.kept_every_s)
    return SpotJob(
        tick_s=max(horizon.reaction_s, 1.0),
        deadline_s=horizon.deadline_s,
        work_s=work_left_s / max(1 - horizon.done, LEAST_SHARE),
        changeover_s=_rounded_up(max(_start_s(on_demand) + lost_s / 2, horizon.changeover_s)),
        on_demand_price_per_hour=on_demand.price_usd_per_hour,
        egress_price=0.0,
        kept_every_s=lost_s,
        pools=tuple(_pool(quote, on_demand) for quote in spot),
    )


def _pool(quote: Quote, on_demand: Quote) -> Pool:
    gang_hazard_per_hour = quote.hazard.per_hour * quote.nodes
    return Pool(
        region=_ANYWHERE,
        price_per_hour=quote.price_usd_per_hour,
        start_price=max(quote.cost.transfer_usd - on_demand.cost.transfer_usd, 0.0),
        hazard_ratio=gang_hazard_per_hour / MEASURED.losses_per_hour_up,
        speed=_productive_hours(on_demand) / _productive_hours(quote),
    )


def _start_s(on_demand: Quote) -> float:
    """The start of the way out."""
    first_hours = on_demand.hours.restart + on_demand.hours.staging
    return max(on_demand.restart_hours, first_hours) * 3600


def _most_lost_s(spot: Quote) -> float:
    """What an interruption may lose: an interval, or all of the work where nothing is kept."""
    return spot.checkpoint_every_seconds or _productive_hours(spot) * 3600


def _rounded_up(changeover_s: float) -> float:
    return math.ceil(changeover_s / _CHANGEOVER_STEP_S) * _CHANGEOVER_STEP_S


def _productive_hours(quote: Quote) -> float:
    return quote.hours.work + quote.hours.checkpoint
