"""The plan against an expectation worked out state by state, and what must hold of any plan."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from finsched.decide.spot.market_chain import (
    OFF_STATES,
    ON_STATES,
    chain,
    off_state,
    on_pairs,
    on_state,
)
from finsched.decide.spot.plan import Plan, Terms
from finsched.decide.spot.spells import AGES, DOWN, MEASURED

PRICE = 0.3


@pytest.mark.parametrize("pools", [1, 2, 3, 5, 9])
def test_every_state_goes_somewhere(pools: int) -> None:
    market = chain(MEASURED, pools)
    assert np.allclose(market.off.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(market.lasts.sum(axis=1) + market.lost.sum(axis=1), 1, atol=1e-5)
    assert min(market.off.min(), market.lasts.min(), market.lost.min()) >= 0


def test_states_have_their_own_numbers() -> None:
    pairs = {off_state(a, b, 0) for a in range(AGES) for b in range(DOWN, a + 1)}
    none = {off_state(DOWN, DOWN, age) for age in range(AGES)}
    assert pairs | none == set(range(OFF_STATES))
    assert [on_state(*pair) for pair in on_pairs()] == list(range(ON_STATES))


class Expectation:
    """Recursion over whole steps, with a changeover of one step: slow, and written another way."""

    def __init__(self, pools: int) -> None:
        self._market = chain(MEASURED, pools)
        self.off = lru_cache(maxsize=None)(self._off)
        self.spot = lru_cache(maxsize=None)(self._spot)

    def _off(self, time: int, work: int, state: int, on_demand: bool) -> float:
        if work <= 0:
            return 0.0
        costs = [self.run_on_demand(time, work, state, fresh=not on_demand)]
        if time - 1 >= work + 1:
            costs.append(self._after(time, work, state, on_demand=False))
        for own, other in on_pairs():
            if other <= own and off_state(own, other, 0) == state and time - 1 >= work + 1:
                costs.append(PRICE + self._after_spot(time, work, on_state(own, other)))
        return min(costs)

    def _spot(self, time: int, work: int, state: int) -> float:
        if work <= 0:
            return 0.0
        own, other = on_pairs()[state]
        market = off_state(own, other, 0)
        costs = [self.run_on_demand(time, work, market, fresh=True)]
        if time - 1 >= work + 1:
            costs.append(self._after(time, work, market, on_demand=False))
        if time - 1 >= work - 1 + 1:
            costs.append(PRICE + self._after_spot(time, work - 1, state))
        return min(costs)

    def run_on_demand(self, time: int, work: int, state: int, *, fresh: bool) -> float:
        left = work if fresh else work - 1
        return 1 + self._after(time, left, state, on_demand=True)

    def _after(self, time: int, work: int, state: int, *, on_demand: bool) -> float:
        if work <= 0:
            return 0.0
        chances = self._market.off[state]
        return sum(
            float(chances[to]) * self.off(time - 1, work, to, on_demand)
            for to in np.flatnonzero(chances).tolist()
        )

    def _after_spot(self, time: int, work: int, state: int) -> float:
        if work <= 0:
            return 0.0
        lasts, lost = self._market.lasts[state], self._market.lost[state]
        return sum(
            float(lasts[to]) * self.spot(time - 1, work, to)
            for to in np.flatnonzero(lasts).tolist()
        ) + sum(
            float(lost[to]) * self.off(time - 1, work, to, False)
            for to in np.flatnonzero(lost).tolist()
        )


@pytest.mark.parametrize("pools", [1, 2])
def test_the_plan_is_the_expectation(pools: int) -> None:
    time, work = 10, 6  # the plan keeps every third table: between two it interpolates
    terms = Terms(steps=12, slack=6, changeover=1.0, spot_price=PRICE, move=0.0)
    plan, slow = Plan(terms, chain(MEASURED, pools)), Expectation(pools)
    for own, other in [(0, DOWN), (3, DOWN), (6, DOWN), *([(3, 3)] if pools > 1 else [])]:
        state = off_state(own, other, 0)
        expected = slow.run_on_demand(time, work, state, fresh=True)
        assert plan.on_demand(state, time, time - work, 1.0) == pytest.approx(expected, abs=1e-4)
        expected = slow._after(time, work, state, on_demand=False)
        assert plan.idle(state, time, time - work) == pytest.approx(expected, abs=1e-4)
        expected = PRICE + slow._after_spot(time, work - 1, on_state(own, other))
        assert plan.spot(on_state(own, other), time, time - work, 0.0) == pytest.approx(
            expected, abs=1e-4
        )


def test_a_looser_deadline_never_costs_more_in_expectation() -> None:
    terms = Terms(steps=96, slack=40, changeover=1.2, spot_price=PRICE, move=0.0)
    plan = Plan(terms, chain(MEASURED, 1))
    work = 48
    for age in range(AGES):
        state = off_state(DOWN, DOWN, age)
        costs = [plan.on_demand(state, work + slack, slack, 1.2) for slack in range(3, 40, 3)]
        assert all(later <= sooner + 1e-3 for sooner, later in pairwise(costs))
