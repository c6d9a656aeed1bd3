"""Lives in seeded futures: against formulas, a decision at every tick, and the guarantee."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, stdev

import pytest

from finsched.backtest.course import Upkeep
from finsched.decide.pricing.walltime import expected_wall_time
from finsched.decide.spot.policies import named
from finsched.decide.spot.situation import Placement, Pool, Situation, SpotJob
from finsched.decide.spot.spells import AGES, MEASURED
from finsched.simulating.cheapest import Cheapest
from finsched.simulating.engine import Outcome, Rules, live_through
from finsched.simulating.futures import Futures
from finsched.simulating.patience import Patience, patience_of
from finsched.simulating.sight import CoolDown

HOUR = 3600.0
JOB = SpotJob(
    tick_s=600,
    deadline_s=30 * HOUR,
    work_s=20 * HOUR,
    changeover_s=1500,
    on_demand_price_per_hour=10.0,
    egress_price=0.0,
    pools=tuple(
        Pool(region=region, price_per_hour=price, start_price=0.25, hazard_ratio=ratio)
        for region, price, ratio in (("a", 3.0, 2.0), ("a", 3.1, 1.0), ("b", 3.3, 0.5))
    ),
)
SHAPES = (0.5, 4.0, None)
KEPT_HOURLY = Upkeep(start_s=900, kept_every_s=HOUR)


def rules(job: SpotJob, policy: str, patience: Patience | None = None) -> Rules:
    return Rules(
        horizon_s=job.deadline_s if math.isfinite(job.deadline_s) else 3000 * HOUR,
        upkeep=lambda _: KEPT_HOURLY,
        patience=patience_of(policy) if patience is None else patience,
    )


def lives(
    policy: str, job: SpotJob = JOB, *, futures: int = 40, patience: Patience | None = None
) -> list[Outcome]:
    """The same futures for every policy and job of these pools."""
    drawn = Futures(job.pools, SHAPES, seed=5)
    return [
        live_through(job, named(policy)(job), drawn.future(number), rules(job, policy, patience))
        for number in range(futures)
    ]


@pytest.mark.parametrize("save_hours", [0.0, 0.1])
def test_one_pool_of_constant_hazard_takes_as_long_as_daly_says(save_hours: float) -> None:
    """No time down, no cool-down: within three standard errors."""
    per_hour, work_hours, interval, restart = 0.25, 24.0, 2.0, 0.5
    chance = 1 - math.exp(-per_hour * MEASURED_STEP_HOURS)
    at_once = replace(MEASURED, up_ends=(chance,) * AGES, down_ends=(1.0,) * AGES)
    ratio = per_hour / at_once.losses_per_hour_up
    productive = work_hours * (1 + save_hours / interval)
    job = replace(
        JOB,
        deadline_s=math.inf,
        work_s=productive * HOUR,
        pools=(Pool(region="r", price_per_hour=1.0, hazard_ratio=ratio),),
    )
    upkeep = Upkeep(start_s=restart * HOUR, kept_every_s=(interval + save_hours) * HOUR)
    always = Rules(
        horizon_s=1e9,
        upkeep=lambda _: upkeep,
        patience=Patience.ALL,
        has_net=False,
        cool_down=CoolDown(after_loss_s=0.0, after_refusal_s=0.0),
    )
    drawn = Futures(job.pools, [None], seed=11, beliefs=at_once)
    outcomes = [
        live_through(job, Cheapest([0]), drawn.future(number), always) for number in range(1500)
    ]
    hours = [(o.finish_s or math.nan) / HOUR for o in outcomes]
    expected = expected_wall_time(
        work_hours=work_hours,
        interval_hours=interval,
        save_hours=save_hours,
        restart_hours=restart,
        hazard_per_hour=per_hour,
    )
    assert expected is not None
    first_start = math.expm1(per_hour * restart) / per_hour
    error = stdev(hours) / math.sqrt(len(hours))
    assert fmean(hours) == pytest.approx(expected.hours + first_start, abs=3 * error), "seed 11"
    assert fmean(o.cost for o in outcomes) == pytest.approx(fmean(hours))
    assert [o.interruptions for o in outcomes] == [o.starts - 1 for o in outcomes]


MEASURED_STEP_HOURS = 1 / 6


def test_on_demand_is_exact() -> None:
    hours = 20 + 900 / HOUR
    for outcome in lives("on-demand", futures=3):
        assert outcome.cost == pytest.approx(10 * hours)
        assert outcome.finish_s == pytest.approx(hours * HOUR)
        assert (outcome.starts, outcome.interruptions, outcome.spot_s) == (1, 0, 0)


@pytest.mark.parametrize("policy", ["greedy", "uniform-progress", "on-demand"])
@pytest.mark.parametrize("deadline_hours", [21.0, 22.0, 25.0, 40.0])
def test_jumps_end_like_a_decision_at_every_tick(policy: str, deadline_hours: float) -> None:
    job = replace(JOB, deadline_s=deadline_hours * HOUR)
    jumping = lives(policy, job)
    stepping = lives(policy, job, patience=Patience.NONE)
    for number, (jumped, stepped) in enumerate(zip(jumping, stepping, strict=True)):
        told = f"seed 5, future {number}"
        assert jumped.cost == pytest.approx(stepped.cost, rel=1e-9), told
        assert jumped.finish_s == pytest.approx(stepped.finish_s, rel=1e-9), told
        assert jumped.starts == stepped.starts, told
    assert policy == "on-demand" or sum(o.interruptions for o in jumping) > 4


def test_the_cheapest_jumps_like_it_steps() -> None:
    order = [0, 1, 2]
    drawn = Futures(JOB.pools, SHAPES, seed=5)
    for number in range(20):
        ends = [
            live_through(
                JOB, Cheapest(order), drawn.future(number), rules(JOB, "cheapest", patience)
            )
            for patience in (Patience.ALL, Patience.NONE)
        ]
        assert ends[0].cost == pytest.approx(ends[1].cost, rel=1e-9), f"seed 5, future {number}"


@pytest.mark.parametrize("policy", ["adaptive", "greedy", "uniform-progress", "on-demand"])
@pytest.mark.parametrize("spare_s", [0.0, 1200.0, 6 * HOUR])
def test_no_future_misses_a_deadline_that_on_demand_could_meet(policy: str, spare_s: float) -> None:
    least_s = JOB.work_s + JOB.changeover_s + JOB.tick_s
    for worse in (1.0, 20.0):
        pools = tuple(replace(p, hazard_ratio=worse * p.hazard_ratio) for p in JOB.pools)
        job = replace(JOB, deadline_s=least_s + spare_s, pools=pools)
        outcomes = lives(policy, job, futures=25)
        assert all(o.finish_s is not None for o in outcomes), "seed 5"
        assert all(o.finish_s <= job.deadline_s for o in outcomes if o.finish_s is not None)


@pytest.mark.parametrize("policy", ["greedy", "uniform-progress"])
def test_a_looser_deadline_never_costs_more(policy: str) -> None:
    """In expectation, on the same futures; a hundredth is left to luck."""
    means = [
        fmean(o.cost for o in lives(policy, replace(JOB, deadline_s=hours * HOUR), futures=150))
        for hours in (21, 24, 30, 48)
    ]
    for tight, loose in pairwise(means):
        assert loose <= tight * 1.01, f"seed 5: {means}"
    assert means[-1] < 0.8 * means[0]


def test_work_since_the_last_commit_is_lost_and_what_is_kept_is_not() -> None:
    """The longer between commits, the longer the job takes; without any, losses start anew."""
    calm = replace(JOB, deadline_s=math.inf)
    means = []
    for every_s in (0.0, HOUR, 4 * HOUR, math.inf):
        upkeep = Upkeep(start_s=900, kept_every_s=every_s)
        always = Rules(
            horizon_s=1e9, upkeep=lambda _, u=upkeep: u, patience=Patience.ALL, has_net=False
        )
        drawn = Futures(calm.pools, [None] * 3, seed=2)
        means.append(
            fmean(
                live_through(calm, Cheapest([2]), drawn.future(number), always).spot_s
                for number in range(60)
            )
        )
    assert means == sorted(means)
    assert means[1] > 1.02 * means[0]
    assert means[3] > 2 * means[0]


def test_a_horizon_ends_what_does_not_finish() -> None:
    job = replace(JOB, deadline_s=math.inf, pools=(replace(JOB.pools[0], hazard_ratio=60.0),))
    drawn = Futures(job.pools, [None], seed=1)
    never = Rules(horizon_s=100 * HOUR, upkeep=lambda _: KEPT_HOURLY, has_net=False)
    outcome = live_through(job, Cheapest([0]), drawn.future(0), never)
    assert outcome.finish_s is None
    assert outcome.interruptions > 1


class Stubborn:
    """Wants one pool, whether it can be asked or not."""

    def decide(self, now: Situation) -> Placement:
        return 0


def test_a_pool_that_cools_down_is_not_asked_and_the_net_holds() -> None:
    drawn = Futures(JOB.pools, SHAPES, seed=5)
    outcomes = [
        live_through(JOB, Stubborn(), drawn.future(number), rules(JOB, "stubborn"))
        for number in range(20)
    ]
    assert all(o.finish_s is not None and o.finish_s <= JOB.deadline_s for o in outcomes), "seed 5"
    assert sum(o.on_demand_s for o in outcomes) > 0
    assert sum(o.interruptions for o in outcomes) > 10
