"""The adaptive policy: the cheapest plan for the job's slack, by how old the spells are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from finsched.decide.spot.market_chain import chain, off_state, on_state
from finsched.decide.spot.plan import Plan, Terms
from finsched.decide.spot.safety import can_still_fall_back
from finsched.decide.spot.situation import Off, Placement, Situation, SpotJob
from finsched.decide.spot.spells import DOWN, MEASURED, STEP_S, Beliefs, age_class

_PLANS_KEPT = 12
_MOST_STEPS = 600  # of a plan: the steps of a longer one are longer
_MOST_SLACK = 240  # steps: a job with more of it is planned as one with this much
_TIE = 1e-6  # steps on demand: the present placement wins a tie
_SLACK_ROUNDED_TO = 6  # steps, so that similar jobs share a plan


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A plan that keeps to some pools; in one region no move costs egress."""

    region: str | None
    pools: tuple[int, ...]
    plan: Plan


class Adaptive:
    """Weighs spot, waiting and on-demand by expected cost to the end.

    It compares plans that stay in one region with one that roams all of them and pays egress for
    every start: each is a way to finish, so the least of their costs bounds the best from above.
    """

    def __init__(self, job: SpotJob, beliefs: Beliefs = MEASURED) -> None:
        self._job = job
        stretch = math.ceil(job.deadline_s / (_MOST_STEPS * STEP_S))
        self._step_s = stretch * STEP_S
        self._beliefs = beliefs.over(stretch)
        self._changeover = job.changeover_s / self._step_s
        self._cheapest = min(pool.price_per_hour for pool in job.pools)
        self._views = list(self._make_views())

    def decide(self, now: Situation) -> Placement:
        """The placement with the least expected cost that keeps the deadline."""
        ages = [
            age_class(age_s) if is_up else DOWN
            for age_s, is_up in zip(now.ages_s, now.available, strict=True)
        ]
        best: Placement = Off.ON_DEMAND
        least = math.inf
        for placement, cost in self._costs(now, ages):
            tied = cost - _TIE if placement == now.placement else cost
            if tied < least and can_still_fall_back(self._job, now, placement):
                best, least = placement, tied
        return best

    def _costs(self, now: Situation, ages: list[int]) -> Iterator[tuple[Placement, float]]:
        """The expected cost of every placement, under every view; on-demand first."""
        time_left = now.time_left_s / self._step_s
        slack = time_left - now.work_left_s / self._step_s
        for view in self._views:
            first, second = _two_oldest(ages, view.pools)
            at_home = None in (now.data_region, view.region) or now.data_region == view.region
            if at_home:
                state = off_state(first, second, _nothing_up_for(now, view.pools))
                changeover = self._changeover_to(now, Off.ON_DEMAND)
                yield Off.ON_DEMAND, view.plan.on_demand(state, time_left, slack, changeover)
                yield Off.IDLE, view.plan.idle(state, time_left, slack)
            for pool in view.pools:
                if ages[pool] == DOWN:
                    continue
                other = second if ages[pool] == first else first
                state = on_state(ages[pool], other)
                changeover = self._changeover_to(now, pool)
                cost = view.plan.spot(state, time_left, slack, changeover)
                yield pool, cost + self._surcharge(now, pool, ages[pool])

    def _surcharge(self, now: Situation, pool: int, age: int) -> float:
        """What the plan does not know: egress to get there, and a price above the cheapest."""
        job = self._job
        price = job.on_demand_price_per_hour
        moves = now.data_region not in (None, job.pools[pool].region)
        egress = job.egress_price / price * 3600 / self._step_s if moves else 0.0
        stays = min(now.work_left_s / self._step_s, self._beliefs.expected_steps_up(age))
        return egress + stays * (job.pools[pool].price_per_hour - self._cheapest) / price

    def _changeover_to(self, now: Situation, placement: Placement) -> float:
        """In steps: all of it for a start, what is left for staying."""
        return (
            now.changeover_left_s / self._step_s if placement == now.placement else self._changeover
        )

    def _make_views(self) -> Iterator[_View]:
        pools = self._job.pools
        regions = sorted({pool.region for pool in pools})
        everywhere = tuple(range(len(pools)))
        if len(regions) == 1:
            yield self._view(None, everywhere, egress=0.0)
            return
        yield self._view(None, everywhere, egress=self._job.egress_price)
        for region in regions:
            near = tuple(i for i in everywhere if pools[i].region == region)
            yield self._view(region, near, egress=0.0)

    def _view(self, region: str | None, pools: tuple[int, ...], *, egress: float) -> _View:
        job = self._job
        steps = math.ceil(job.deadline_s / self._step_s)
        slack = (job.deadline_s - job.work_s) / self._step_s
        terms = Terms(
            steps=steps,
            slack=min(
                max(1, math.ceil(slack / _SLACK_ROUNDED_TO)) * _SLACK_ROUNDED_TO, _MOST_SLACK
            ),
            changeover=self._changeover,
            spot_price=self._cheapest / job.on_demand_price_per_hour,
            move=egress / job.on_demand_price_per_hour * 3600 / self._step_s,
        )
        return _View(region=region, pools=pools, plan=_plan(terms, self._beliefs, len(pools)))


@lru_cache(maxsize=_PLANS_KEPT)
def _plan(terms: Terms, beliefs: Beliefs, pools: int) -> Plan:
    return Plan(terms, chain(beliefs, pools))


def _nothing_up_for(now: Situation, pools: tuple[int, ...]) -> int:
    """The age class of the youngest spell, which counts only while no pool is up."""
    return age_class(min(now.ages_s[pool] for pool in pools))


def _two_oldest(ages: list[int], pools: tuple[int, ...]) -> tuple[int, int]:
    """The two highest age classes among the pools; DOWN where there is none."""
    first = second = DOWN
    for pool in pools:
        age = ages[pool]
        if age > first:
            first, second = age, first
        elif age > second:
            second = age
    return first, second
