"""Daly's expectation against a simulation of the run, moment by moment."""

from __future__ import annotations

import math
import random
import statistics
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.pricing.deadline import finish_by
from finsched.decide.pricing.walltime import WallTime, expected_wall_time

RUNS = 3000


class Plan(NamedTuple):
    work_hours: float
    interval_hours: float
    save_hours: float
    restart_hours: float
    hazard_per_hour: float

    def expected(self) -> WallTime:
        wall = expected_wall_time(**self._asdict())
        assert wall is not None
        return wall


class Simulated(NamedTuple):
    hours: float
    restart_hours: float
    interruptions: int


PLANS = {
    "rare interruptions": Plan(40, 1, 1 / 60, 0.1, 0.02),
    "one a shift": Plan(24, 0.5, 1 / 60, 0.2, 0.12),
    "a save that is not small": Plan(12, 1, 0.5, 0.25, 0.3),
    "a restart as long as the mean": Plan(5, 0.5, 0.02, 1.0, 1.0),
    "no checkpoint": Plan(6, 6, 0, 0.1, 0.2),
}


def simulate(plan: Plan, draw: random.Random) -> Simulated:
    """Live through one run: work to the next checkpoint, restart after each interruption."""
    clock = restarted = 0.0
    interruptions = 0
    next_interruption = draw.expovariate(plan.hazard_per_hour)
    for _ in range(round(plan.work_hours / plan.interval_hours)):
        restart_left, done = 0.0, False
        while not done:
            end = clock + restart_left + plan.interval_hours + plan.save_hours
            done = next_interruption >= end
            stop = min(end, next_interruption)
            restarted += min(restart_left, stop - clock)
            clock = stop
            if not done:
                interruptions += 1
                restart_left = plan.restart_hours
                next_interruption = clock + draw.expovariate(plan.hazard_per_hour)
    return Simulated(clock, restarted, interruptions)


def simulations(plan: Plan, seed: int) -> list[Simulated]:
    print(f"seed {seed}")
    draw = random.Random(seed)
    return [simulate(plan, draw) for _ in range(RUNS)]


def assert_mean(values: list[float], expected: float) -> None:
    error = statistics.stdev(values) / math.sqrt(len(values))
    assert abs(statistics.fmean(values) - expected) < 4 * error + 1e-9


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_expected_time_and_its_parts_agree_with_simulated_runs(plan: Plan) -> None:
    runs, wall = simulations(plan, 7), plan.expected()
    assert_mean([run.hours for run in runs], wall.hours)
    assert_mean([run.restart_hours for run in runs], wall.restart_hours)
    assert_mean([float(run.interruptions) for run in runs], wall.interruptions)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("stretch", [1.02, 1.1, 1.3, 2.0])
def test_the_chance_to_meet_a_deadline_is_near_the_simulated_one(
    plan: Plan, stretch: float
) -> None:
    runs = simulations(plan, 11)
    segments = plan.work_hours / plan.interval_hours
    least = segments * (plan.interval_hours + plan.save_hours)
    finish = finish_by(
        slack_hours=least * (stretch - 1),
        segments=segments,
        segment_hours=plan.interval_hours + plan.save_hours,
        restart_hours=plan.restart_hours,
        hazard_per_hour=plan.hazard_per_hour,
    )
    in_time = sum(run.hours <= least * stretch for run in runs) / RUNS
    assert finish.probability == pytest.approx(in_time, abs=0.06)
    late = [run.hours - least * stretch for run in runs if run.hours > least * stretch]
    if len(late) > 300:
        assert finish.late_hours == pytest.approx(statistics.fmean(late), rel=0.3)


@given(
    work=st.floats(0.1, 500),
    parts=st.floats(1, 300),
    save=st.floats(0, 1),
    restart=st.floats(0, 3),
    hazard=st.floats(0, 1),
)
def test_the_parts_sum_to_dalys_formula(
    work: float, parts: float, save: float, restart: float, hazard: float
) -> None:
    interval = work / parts
    wall = expected_wall_time(
        work_hours=work,
        interval_hours=interval,
        save_hours=save,
        restart_hours=restart,
        hazard_per_hour=hazard,
    )
    if wall is None:
        return
    assert min(wall) >= 0
    if hazard < 1e-6:
        expected = (interval + save) * parts
    else:
        growth = math.expm1((interval + save) * hazard)
        expected = math.exp(restart * hazard) * growth * parts / hazard
    assert wall.hours == pytest.approx(expected, rel=1e-3)
    assert wall.interruptions == pytest.approx(hazard * wall.hours)


@pytest.mark.parametrize("hazard", [0.0, 1e-300, 1e-15, 1e-9])
def test_no_hazard_costs_the_work_and_one_save(hazard: float) -> None:
    wall = Plan(40, 40, 0.25, 0.1, hazard).expected()
    assert wall.hours == pytest.approx(40.25, rel=1e-6)
    assert wall.rework_hours == pytest.approx(0, abs=1e-5)


def test_what_overflows_has_no_expectation() -> None:
    assert expected_wall_time(**Plan(1000, 1000, 0, 0.1, 1.0)._asdict()) is None
