"""A weekday effect on prices: found where it is planted, not where there is none."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import date, timedelta
from itertools import accumulate, product
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsched.decide.timing.start_effect import SIGNIFICANCE, WeekdayEffect, weekday_effect

MONDAY = date(2026, 1, 5)
WEEKS = 12
SEEDS = range(60)
WEEKEND_OFF = 0.9
SATURDAY = 5
OF_ITS_WEEK = 100 * math.expm1(5 / 7 * math.log(WEEKEND_OFF))  # two days of seven are cheaper
Logs = Callable[[random.Random, int], list[float]]


def noise(chance: random.Random, days: int) -> list[float]:
    return [chance.gauss(0, 0.04) for _ in range(days)]


def walk(chance: random.Random, days: int) -> list[float]:
    return list(accumulate(each / 2 for each in noise(chance, days)))


def shuffled_weekends(chance: random.Random, days: int) -> list[float]:
    logs = [math.log(WEEKEND_OFF) * (day % 7 >= SATURDAY) for day in range(days)]
    chance.shuffle(logs)
    return logs


def dated(logs: list[float], first: date = MONDAY) -> list[tuple[date, float]]:
    return [(first + timedelta(days=day), 3 * math.exp(each)) for day, each in enumerate(logs)]


def with_cheap_weekends(prices: list[tuple[date, float]]) -> list[tuple[date, float]]:
    return [
        (day, price * WEEKEND_OFF if day.weekday() >= SATURDAY else price) for day, price in prices
    ]


def effects(logs: Logs, weeks: int = WEEKS) -> list[WeekdayEffect]:
    return [weekday_effect(dated(logs(random.Random(seed), 7 * weeks))) for seed in SEEDS]


@pytest.mark.parametrize("logs", [noise, walk, shuffled_weekends])
def test_prices_without_an_effect_seldom_show_one(logs: Logs) -> None:
    found = [effect.measurable for effect in effects(logs)]
    spread = math.sqrt(SIGNIFICANCE * (1 - SIGNIFICANCE) / len(found))
    assert fmean(found) <= SIGNIFICANCE + 2.5 * spread


@pytest.mark.parametrize("logs", [noise, walk])
def test_cheap_weekends_are_found(logs: Logs) -> None:
    for seed in range(20):
        prices = with_cheap_weekends(dated(logs(random.Random(seed), 7 * WEEKS)))
        effect = weekday_effect(prices)
        assert effect.measurable, seed
        assert effect.cheapest_weekday is not None
        assert effect.cheapest_weekday >= SATURDAY, seed
        assert effect.percent == pytest.approx(OF_ITS_WEEK, abs=3), seed


def test_the_interval_holds_the_planted_effect_about_as_often_as_it_says() -> None:
    held = []
    for seed in SEEDS:
        effect = weekday_effect(
            [
                (day, price * WEEKEND_OFF if day.weekday() == SATURDAY else price)
                for day, price in dated(noise(random.Random(seed), 7 * WEEKS))
            ]
        )
        assert effect.low_percent is not None
        assert effect.high_percent is not None
        truth = 100 * math.expm1(6 / 7 * math.log(WEEKEND_OFF))
        held.append(effect.low_percent <= truth <= effect.high_percent)
    assert 0.68 <= fmean(held) <= 0.92


def test_the_p_value_is_that_of_all_sign_patterns() -> None:
    prices = dated(noise(random.Random(7), 7 * 8))
    weeks = [[math.log(price) for _, price in prices[start : start + 7]]
             for start in range(0, len(prices), 7)]  # fmt: skip
    patterns = [[each - fmean(week) for each in week] for week in weeks]

    def distance(signs: tuple[int, ...]) -> float:
        return sum(
            fmean(sign * pattern[day] for sign, pattern in zip(signs, patterns, strict=True)) ** 2
            for day in range(7)
        )

    seen = distance((1,) * 8)
    as_far = [distance(signs) >= seen * (1 - 1e-9) for signs in product((1, -1), repeat=8)]
    assert weekday_effect(prices).p_value == pytest.approx(fmean(as_far))


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=41))
def test_less_than_six_weeks_never_show_an_effect(prices: list[float]) -> None:
    effect = weekday_effect([(MONDAY + timedelta(days=n), p) for n, p in enumerate(prices)])
    assert not effect.measurable
    assert effect.p_value is None
    assert effect.days == len(prices)


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.floats(0.001, 1000), st.integers(0, 52))
def test_the_unit_and_the_season_of_a_price_do_not_matter(
    seed: int, factor: float, later: int
) -> None:
    prices = with_cheap_weekends(dated(noise(random.Random(seed), 7 * WEEKS)))
    moved = [(day + timedelta(weeks=later), price * factor) for day, price in prices]
    one, other = weekday_effect(prices), weekday_effect(moved)
    assert one.cheapest_weekday == other.cheapest_weekday
    assert one.percent == pytest.approx(other.percent)


def test_a_price_that_never_changes_has_nothing_to_test() -> None:
    effect = weekday_effect([(MONDAY + timedelta(days=day), 2.5) for day in range(100)])
    assert effect == WeekdayEffect(days=100, weeks=14)


def test_only_weeks_without_a_gap_count() -> None:
    prices = dated(noise(random.Random(1), 7 * WEEKS))
    del prices[10]  # the second week loses a day: seven full weeks of the rest follow
    assert weekday_effect(prices).weeks == 1 + (7 * WEEKS - 11) // 7
    assert weekday_effect([]).weeks == 0


def test_more_series_ask_for_more() -> None:
    effect = weekday_effect(with_cheap_weekends(dated(noise(random.Random(3), 7 * WEEKS))))
    assert effect.p_value is not None
    stricter = weekday_effect(
        with_cheap_weekends(dated(noise(random.Random(3), 7 * WEEKS))), effect.p_value / 2
    )
    assert effect.measurable
    assert not stricter.measurable
