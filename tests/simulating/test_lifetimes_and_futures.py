"""Spells and futures: lengths against integrals, rates against the pool's hazard."""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import replace
from itertools import pairwise
from random import Random
from statistics import fmean

import pytest

from finsched.decide.offers.hazard import gamma_quantile
from finsched.decide.spot.situation import Pool
from finsched.decide.spot.spells import AGE_EDGES_S, AGES, MEASURED, STEP_S
from finsched.simulating.futures import Futures, rate_drawn, shape_of
from finsched.simulating.lifetimes import Lifetimes

Z_80_PERCENT = 1.2815515655446004
FIRST_UNTIL_S = 2421.961239477737
UP = Lifetimes(MEASURED.up_ends)


@pytest.mark.parametrize("age_s", AGE_EDGES_S)
def test_a_spell_ends_within_a_step_as_often_as_was_measured(age_s: float) -> None:
    """Invert the survival: the chances of the age class must come back."""
    age_class = bisect(AGE_EDGES_S, age_s)
    survives = [_survives(age_s), _survives(age_s + STEP_S)]
    assert 1 - survives[1] / survives[0] == pytest.approx(MEASURED.up_ends[age_class])


def _survives(at_s: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if UP.whole_s(middle) < at_s else (low, middle)
    return 1 - low


def test_the_mean_is_that_of_the_lengths() -> None:
    steps = 100_000
    lengths = [UP.whole_s((at + 0.5) / steps) for at in range(steps)]
    assert fmean(lengths) == pytest.approx(UP.mean_s, rel=0.002)


def test_what_is_left_of_a_spell_met_at_random_has_the_renewal_mean() -> None:
    """E[rest] = E[L^2] / (2 E[L])."""
    steps = 100_000
    draws = [(at + 0.5) / steps for at in range(steps)]
    squares = fmean(UP.whole_s(draw) ** 2 for draw in draws)
    rest = fmean(UP.rest_s(draw) for draw in draws)
    assert rest == pytest.approx(squares / 2 / UP.mean_s, rel=0.01)


def test_a_spell_that_ends_at_once_has_no_length() -> None:
    at_once = Lifetimes((1.0,) * len(MEASURED.up_ends))
    assert (at_once.mean_s, at_once.whole_s(0.7)) == (0.0, 0.0)


@pytest.mark.parametrize("ratio", [0.2, 1.0, 3.0])
def test_a_pool_loses_machines_as_often_as_its_hazard_says(ratio: float) -> None:
    drawn = Futures([Pool(region="r", price_per_hour=1, hazard_ratio=ratio)], [None], seed=3)
    up_s = losses = 0.0
    for number in range(40):
        pool, now_s = drawn.future(number)[0], 0.0
        while now_s < 4000 * 3600:
            is_up, until_s = pool.spell(now_s)
            up_s += (until_s - now_s) if is_up else 0.0
            losses += is_up
            now_s = until_s
    expected = ratio * MEASURED.losses_per_hour_up
    assert losses / up_s * 3600 == pytest.approx(expected, rel=4 / math.sqrt(losses)), "seed 3"


def test_the_spells_do_not_depend_on_how_they_are_asked() -> None:
    drawn = Futures([Pool(region="r", price_per_hour=1)], [2.0], seed=1)
    moments = [hour * 3600.0 for hour in range(200)]
    forwards = [drawn.future(7)[0].spell(at_s) for at_s in moments]
    pool = drawn.future(7)[0]
    backwards = [pool.spell(at_s) for at_s in reversed(moments)]
    assert forwards == backwards[::-1]


def test_seeds_numbers_and_pools_differ() -> None:
    def first(seed: int, number: int, pool: int) -> float:
        pools = [Pool(region="r", price_per_hour=1)] * 2
        return Futures(pools, [None, None], seed=seed).future(number)[pool].spell(0.0)[1]

    firsts = [first(0, 0, 0), first(1, 0, 0), first(0, 1, 0), first(0, 0, 1)]
    assert all(a != b for a, b in pairwise(sorted(firsts)))


def test_the_first_draws_are_what_they_were() -> None:
    """The same seed gives the same futures on every machine."""
    fixed = replace(
        MEASURED, up_ends=(0.1,) * AGES, down_ends=(0.2,) * AGES, up_share=(0.1,) * AGES
    )
    drawn = Futures([Pool(region="r", price_per_hour=1)], [2.0], seed=0, beliefs=fixed)
    assert drawn.future(0)[0].spell(0.0) == (True, pytest.approx(FIRST_UNTIL_S, rel=1e-9))


@pytest.mark.parametrize("shape", [0.1, 0.3, 0.5, 1.0, 4.0, 60.0])
def test_the_shape_comes_back_from_the_interval(shape: float) -> None:
    low, high = (0.1 * gamma_quantile(shape, z) / shape for z in (-Z_80_PERCENT, Z_80_PERCENT))
    found = shape_of(0.1, low, high)
    assert found == pytest.approx(shape)


def test_a_rate_that_is_known_is_not_drawn() -> None:
    assert shape_of(0.1, 0.1, 0.1) is None
    assert rate_drawn(None, 2.0) == 1.0


def test_drawn_rates_have_the_mean_of_the_posterior() -> None:
    draw = Random("rates")
    rates = [rate_drawn(2.0, draw.gauss()) for _ in range(20_000)]
    assert fmean(rates) == pytest.approx(1.0, abs=0.02)
