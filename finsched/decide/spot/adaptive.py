"""The adaptive policy: the cheapest plan for the job's slack, by how old the spells are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

from finsched.decide.spot.market_chain import chain, off_state, on_state
from finsched.decide.spot.plan import Plan, Terms
from finsched.decide.spot.safety import can_still_fall_back
from finsched.decide.spot.situation import Off, Placement, Pool, Situation, SpotJob
from finsched.decide.spot.spells import DOWN, MEASURED, STEP_S, Beliefs, age_class

_PLANS_KEPT = 12
_MOST_STEPS = 600  # of a plan: the steps of a longer one are longer
_MOST_SLACK = 240  # steps: a job with more of it is planned as one with this much
_TIE = 1e-6  # steps on demand: the present placement wins a tie
_LEAST_RATIO, _MOST_RATIO = 1 / 1024, 4.0  # of hazards, that a plan is made for
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
        self._hazard_ratio = _rounded(fmean(pool.hazard_ratio for pool in job.pools))
        self._beliefs = beliefs.taken_back(self._hazard_ratio).over(stretch)
        self._changeover = job.changeover_s / self._step_s
        self._cheapest = min(map(_price_of_work, job.pools))
        self._start_later = self._in_steps(min(pool.start_price for pool in job.pools))
        self._views = list(self._make_views())

    def decide(self, now: Situation) -> Placement:
        """The placement with the least expected cost that keeps the deadline."""
        best: Placement = Off.ON_DEMAND
        least = math.inf
        for placement, cost in self._costs(now):
            tied = cost - _TIE if placement == now.placement else cost
            if tied < least and can_still_fall_back(self._job, now, placement):
                best, least = placement, tied
        return best

    def weigh(self, now: Situation) -> dict[Placement, float]:
        """The expected cost of every placement that could be had, in the job's money."""
        least: dict[Placement, float] = {}
        for placement, cost in self._costs(now):
            least[placement] = min(cost, least.get(placement, math.inf))
        usd_per_step = self._job.on_demand_price_per_hour * self._step_s / 3600
        return {placement: cost * usd_per_step for placement, cost in least.items()}

    def _costs(self, now: Situation) -> Iterator[tuple[Placement, float]]:
        """The expected cost of every placement, under every view; on-demand first."""
        ages = [
            age_class(age_s) if is_up else DOWN
            for age_s, is_up in zip(now.ages_s, now.available, strict=True)
        ]
        time_left = now.time_left_s / self._step_s
        slack = time_left - now.work_left_s / self._step_s
        for view in self._views:
            first, second = _two_oldest(ages, view.pools)
            at_home = None in (now.data_region, view.region) or now.data_region == view.region
            if at_home:
                state = off_state(first, second, _nothing_up_for(now, view.pools))
                changeover = self._changeover_to(now, Off.ON_DEMAND)
                yield Off.ON_DEMAND, view.plan.on_demand(state, time_left, slack, changeover)
                yield Off.IDLE, view.plan.idle(state, time_left, slack) + self._start_later
            for pool in view.pools:
                if ages[pool] == DOWN:
                    continue
                other = second if ages[pool] == first else first
                state = on_state(ages[pool], other)
                changeover = self._changeover_to(now, pool)
                cost = view.plan.spot(state, time_left, slack, changeover)
                yield pool, cost + self._surcharge(now, pool, ages[pool])

    def _surcharge(self, now: Situation, pool: int, age: int) -> float:
        """What the plan does not know: how this pool differs from the cheapest and the calmest."""
        pool_there = self._job.pools[pool]
        stays = min(now.work_left_s / self._step_s, self._beliefs.expected_steps_up(age))
        dearer = _price_of_work(pool_there) - self._cheapest
        cost = stays * dearer / self._job.on_demand_price_per_hour
        if pool_there.hazard_ratio != self._hazard_ratio:
            more_often = pool_there.hazard_ratio / self._hazard_ratio - 1
            cost += more_often * stays * self._beliefs.up_ends[age] * self._changeover
        return cost + self._start_cost(now, pool)

    def _start_cost(self, now: Situation, pool: int) -> float:
        """Egress to get there, in steps on demand."""
        if pool == now.placement:
            return 0.0
        job, there = self._job, self._job.pools[pool]
        moves = now.data_region not in (None, there.region)
        return self._in_steps(there.start_price + (job.egress_price if moves else 0.0))

    def _in_steps(self, price: float) -> float:
        return price / self._job.on_demand_price_per_hour * 3600 / self._step_s

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
            spot_price=round(self._cheapest / job.on_demand_price_per_hour, 2),
            move=self._in_steps(egress),
        )
        return _View(region=region, pools=pools, plan=_plan(terms, self._beliefs, len(pools)))


def _price_of_work(pool: Pool) -> float:
    """Per hour of the on-demand machine's work."""
    return pool.price_per_hour / pool.speed


def _rounded(ratio: float) -> float:
    """To the next power of the square root of two, so that similar markets share a plan."""
    halves = round(2 * math.log2(max(ratio, _LEAST_RATIO)))
    return min(2 ** (halves / 2), _MOST_RATIO)


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
