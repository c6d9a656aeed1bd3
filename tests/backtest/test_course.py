"""The course of a job: commits, starts that cost money, other speeds, and handing over."""

from __future__ import annotations

import math

import pytest

from finsched.backtest.course import Course, Upkeep
from finsched.decide.spot.situation import Off, Pool, SpotJob

HOUR = 3600.0
JOB = SpotJob(
    tick_s=600,
    deadline_s=10 * HOUR,
    work_s=4 * HOUR,
    changeover_s=720,
    on_demand_price_per_hour=10.0,
    egress_price=0.0,
    pools=(Pool(region="a", price_per_hour=3.0, start_price=0.5, speed=2.0),),
)


def course(kept_every_s: float, *, hands_over: bool = False) -> Course:
    return Course(
        JOB, lambda _: Upkeep(start_s=360, kept_every_s=kept_every_s), hands_over=hands_over
    )


def test_a_pool_of_twice_the_speed_needs_half_the_time_and_a_start_its_price() -> None:
    run = course(0.0)
    run.go_to(0)
    assert run.left_s == 360 + 2 * HOUR
    assert run.run_for(math.inf)
    assert run.cost == pytest.approx(0.5 + 3 * 2.1)


@pytest.mark.parametrize(
    ("kept_every_s", "left_hours"), [(0.0, 1.0), (HOUR, 2.0), (0.5 * HOUR, 1.0), (math.inf, 4.0)]
)
def test_a_loss_goes_back_to_the_last_commit(kept_every_s: float, left_hours: float) -> None:
    run = course(kept_every_s)
    run.go_to(0)
    assert not run.run_for(360 + 1.5 * HOUR)
    assert run.work_left_s == HOUR
    run.interrupt()
    assert run.work_left_s == left_hours * HOUR
    assert (run.placement, run.interruptions) == (Off.IDLE, 1)


def test_leaving_saves_first() -> None:
    run = course(HOUR)
    run.go_to(0)
    run.run_for(360 + 1.5 * HOUR)
    run.go_to(Off.ON_DEMAND)
    assert run.work_left_s == HOUR


def test_a_machine_that_hands_over_is_paid_while_the_next_one_starts() -> None:
    bills = []
    for hands_over in (True, False):
        run = course(HOUR, hands_over=hands_over)
        run.go_to(Off.ON_DEMAND)
        run.run_for(360 + HOUR)
        run.go_to(0)
        assert run.run_for(math.inf)
        bills.append((run.on_demand_s / HOUR, run.spot_s / HOUR))
    assert bills == [(pytest.approx(1.2), pytest.approx(1.5)), (pytest.approx(1.1), 1.6)]
