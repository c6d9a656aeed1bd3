"""What must hold of the adaptive policy whatever the market does, on made-up markets."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsched.backtest.recorded import Window
from finsched.backtest.replay import replay
from finsched.decide.spot.adaptive import Adaptive
from finsched.decide.spot.policies import POLICIES
from finsched.decide.spot.situation import Off, Pool, Situation, SpotJob
from finsched.decide.spot.spells import MEASURED, STEP_S, age_class

JOB = SpotJob(
    tick_s=STEP_S,
    deadline_s=60 * STEP_S,
    work_s=48 * STEP_S,
    changeover_s=720,
    on_demand_price_per_hour=1.0,
    egress_price=0.1,
    pools=(Pool(region="us-west-2", price_per_hour=0.3),) * 2,
)
WINDOW = Window(
    id="w",
    setting="s",
    mode="single",
    group="g",
    tick_s=STEP_S,
    work_s=48 * STEP_S,
    changeover_s=720,
    spot_price=0.3,
    egress=0.0,
    regions=("us-west-2",),
    available=(),
)
LONGEST = 96
AGES_S = st.floats(min_value=0, max_value=60_000)


def made_up(seed: int) -> tuple[bool, ...]:
    """A pool whose spells end as they are believed to, for as long as the loosest deadline."""
    draw, flags = random.Random(seed), []
    is_up, age_s = draw.random() < sum(MEASURED.up_share), 3600.0
    for _ in range(LONGEST):
        flags.append(is_up)
        ends = (MEASURED.up_ends if is_up else MEASURED.down_ends)[age_class(age_s)]
        flips = draw.random() < ends
        is_up, age_s = is_up != flips, 0.0 if flips else age_s + STEP_S
    return tuple(flags)


@pytest.mark.parametrize("pools", [1, 2])
def test_a_looser_deadline_never_costs_more_on_the_same_markets(pools: int) -> None:
    """The mean of 150 markets, each with every deadline."""
    first_seed = 20261122
    means = []
    for ticks in (52, 56, 64, 78, LONGEST):
        costs = []
        for seed in range(first_seed, first_seed + 150):
            flags = tuple(made_up(1000 * seed + pool)[:ticks] for pool in range(pools))
            window = replace(WINDOW, available=flags, regions=("us-west-2",) * pools)
            costs.append(replay(window, POLICIES["adaptive"]).cost)
        means.append(fmean(costs))
    assert means == sorted(means, reverse=True), f"seeds from {first_seed}: {means}"


@settings(max_examples=300, deadline=None)
@given(
    age_s=AGES_S,
    dearer=st.sampled_from([0.301, 0.33, 0.5, 0.99]),
    dear_first=st.booleans(),
    work_left=st.integers(1, 48),
    slack=st.integers(2, 12),
    placement=st.sampled_from([Off.IDLE, Off.ON_DEMAND]),
)
def test_a_dearer_pool_is_never_preferred_to_an_identical_cheaper_one(
    age_s: float, dearer: float, dear_first: bool, work_left: int, slack: int, placement: Off
) -> None:
    cheap, dear = (replace(JOB.pools[0], price_per_hour=price) for price in (0.3, dearer))
    job = replace(JOB, pools=(dear, cheap) if dear_first else (cheap, dear))
    now = situation(work_left, slack, placement, (age_s, age_s))
    assert Adaptive(job).decide(now) != (0 if dear_first else 1)


@settings(max_examples=300, deadline=None)
@given(
    ages_s=st.tuples(AGES_S, AGES_S),
    up=st.tuples(st.booleans(), st.booleans()),
    price=st.sampled_from([0.1, 0.3, 0.9]),
    work_left=st.integers(1, 48),
    slack=st.integers(0, 12),
    placement=st.sampled_from([Off.IDLE, Off.ON_DEMAND]),
)
def test_nothing_is_chosen_that_cannot_be_had_and_no_pool_at_the_price_of_on_demand(
    ages_s: tuple[float, float],
    up: tuple[bool, bool],
    price: float,
    work_left: int,
    slack: int,
    placement: Off,
) -> None:
    now = replace(situation(work_left, slack, placement, ages_s), available=up)
    pools = tuple(replace(pool, price_per_hour=price) for pool in JOB.pools)
    chosen = Adaptive(replace(JOB, pools=pools)).decide(now)
    assert not isinstance(chosen, int) or up[chosen]
    as_dear = tuple(replace(pool, price_per_hour=1.0) for pool in JOB.pools)
    if placement is Off.ON_DEMAND:
        assert Adaptive(replace(JOB, pools=as_dear)).decide(now) is Off.ON_DEMAND


def situation(work_left: int, slack: int, placement: Off, ages_s: tuple[float, float]) -> Situation:
    """Between two machines, with whole steps left."""
    return Situation(
        time_left_s=(work_left + slack) * STEP_S,
        work_left_s=work_left * STEP_S,
        placement=placement,
        changeover_left_s=0.0,
        data_region=None,
        available=(True, True),
        ages_s=ages_s,
    )


@pytest.mark.parametrize("changeover_s", [60.0, 720.0, 1800.0])
def test_no_job_is_late_whenever_its_pool_comes_and_for_good_goes(changeover_s: float) -> None:
    """Every first and last moment of a pool there are: the worst one is among them."""
    ticks = 53
    window = replace(WINDOW, work_s=8 * 3600, changeover_s=changeover_s)
    for comes in range(ticks):
        for goes in range(comes + 1, ticks + 1):
            flags = tuple(comes <= tick < goes for tick in range(ticks))
            outcome = replay(replace(window, available=(flags,)), POLICIES["adaptive"])
            assert not outcome.missed, f"up from {comes} to {goes}"


@pytest.mark.parametrize("changeover_s", [60.0, 720.0, 1800.0])
def test_no_job_is_late_whose_machine_is_taken_after_every_so_many_ticks(
    changeover_s: float,
) -> None:
    """Two pools that take turns, so that leaving one for the other is punished as well."""
    ticks = 53
    window = replace(WINDOW, work_s=8 * 3600, changeover_s=changeover_s, regions=("a", "b"))
    for stays in range(1, 15):
        for phase in range(stays + 1):
            turns = [(tick + phase) % (stays + 1) for tick in range(ticks)]
            flags = tuple(turn != 0 for turn in turns), tuple(turn == 0 for turn in turns)
            outcome = replay(replace(window, available=flags), POLICIES["adaptive"])
            assert not outcome.missed, f"stays {stays}, phase {phase}"
