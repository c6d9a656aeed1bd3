"""The checkpoint interval: published formulas, and an exhaustive search over round intervals."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.pricing.cadence import (
    LONGEST_INTERVAL_HOURS,
    ROUND_MINUTES,
    cadence_by_age,
    daly_interval_hours,
    interval_hours,
    young_interval_hours,
)

ONE_MINUTE = 1 / 60


@pytest.mark.parametrize(
    ("mean_hours", "minutes"), [(3.3, 20), (7.5, 30)], ids=["M = 3.3 h", "M = 7.5 h"]
)
def test_a_one_minute_save_gives_the_20_to_30_minutes_of_the_handbook(
    mean_hours: float, minutes: float
) -> None:
    assert young_interval_hours(ONE_MINUTE, 1 / mean_hours) * 60 == pytest.approx(minutes, abs=0.11)
    chosen = interval_hours(work_hours=48, save_hours=ONE_MINUTE, hazard_per_hour=1 / mean_hours)
    assert chosen * 60 == pytest.approx(minutes)


@given(save=st.floats(1e-3, 1), mean=st.floats(0.5, 1000))
def test_daly_minimises_the_expected_time_to_within_one_percent(save: float, mean: float) -> None:
    if save > mean:
        return

    def stretch(interval: float) -> float:
        return math.expm1((interval + save) / mean) / interval

    best = min(stretch(mean * 10 ** (power / 100)) for power in range(-400, 101))
    assert stretch(daly_interval_hours(save, 1 / mean)) <= best * 1.01


def test_a_save_longer_than_twice_the_mean_saves_once_per_mean() -> None:
    assert daly_interval_hours(5.0, 0.5) == 2.0


def test_without_interruptions_the_one_interval_is_the_work() -> None:
    assert interval_hours(work_hours=40, save_hours=ONE_MINUTE, hazard_per_hour=0) == 40


def test_a_calm_pool_saves_every_two_hours_unless_an_upload_takes_longer() -> None:
    calm = {"work_hours": 40.0, "save_hours": ONE_MINUTE, "hazard_per_hour": 1e-4}
    assert daly_interval_hours(ONE_MINUTE, 1e-4) > 10
    assert interval_hours(**calm) == LONGEST_INTERVAL_HOURS == 2
    assert interval_hours(**calm, at_least_hours=2.1) == 2.5


@given(
    work=st.floats(0.01, 1000),
    save=st.floats(0, 0.5),
    hazard=st.floats(1e-6, 2),
    least=st.floats(0, 5),
)
def test_no_other_round_interval_wastes_less(
    work: float, save: float, hazard: float, least: float
) -> None:
    chosen = interval_hours(
        work_hours=work, save_hours=save, hazard_per_hour=hazard, at_least_hours=least
    )
    assert chosen <= work
    assert chosen == work or chosen >= least
    longest = max(LONGEST_INTERVAL_HOURS, next(m / 60 for m in ROUND_MINUTES if m / 60 >= least))
    choices = [m / 60 for m in ROUND_MINUTES if least <= m / 60 < work and m / 60 <= longest]
    choices += [work] if work <= longest else []
    best = min(math.expm1(min(hazard * (each + save), 700)) / each for each in choices)
    assert math.expm1(min(hazard * (chosen + save), 700)) / chosen <= best * (1 + 1e-9)


@given(
    save=st.floats(0, 0.5),
    hazards=st.lists(st.floats(0, 5), min_size=1, max_size=7),
    least=st.floats(0, 5),
)
def test_the_table_holds_the_best_interval_of_every_age(
    save: float, hazards: list[float], least: float
) -> None:
    ages = [600.0 * k for k in range(len(hazards))]
    table = cadence_by_age(
        save_hours=save, hazards_per_hour=zip(ages, hazards, strict=True), at_least_hours=least
    )
    longest_hours = max(2.0, next(m / 60 for m in ROUND_MINUTES if m / 60 >= least))
    for age, hazard in zip(ages, hazards, strict=True):
        alone = interval_hours(
            work_hours=longest_hours,
            save_hours=save,
            hazard_per_hour=hazard,
            at_least_hours=least,
        )
        in_force = [every for since, every in table if since <= age][-1]
        assert in_force == pytest.approx(alone * 3600)
    assert all(before[1] != after[1] for before, after in pairwise(table))


def test_a_calmer_machine_saves_less_often_and_never_rarer_than_every_two_hours() -> None:
    hazards = [(0.0, 2.0), (600.0, 0.5), (3600.0, 0.5), (7200.0, 0.01), (28800.0, 0.0)]
    table = cadence_by_age(save_hours=ONE_MINUTE, hazards_per_hour=hazards)
    assert table == ((0.0, 480.0), (600.0, 900.0), (7200.0, 6300.0), (28800.0, 7200.0))
