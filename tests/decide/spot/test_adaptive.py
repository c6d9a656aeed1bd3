"""What people expect of the adaptive policy, whatever its tables hold."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from finsched.decide.spot.adaptive import Adaptive
from finsched.decide.spot.policies import POLICIES, named
from finsched.decide.spot.situation import Off, Placement, Pool, Situation, SpotJob
from finsched.decide.spot.spells import AGES, MEASURED, UNSEEN_AGE_S, Spells
from finsched.errors import SpecError

JOB = SpotJob(
    tick_s=600,
    deadline_s=60 * 600,
    work_s=48 * 600,
    changeover_s=720,
    on_demand_price_per_hour=1.0,
    egress_price=0.1,
    pools=(
        Pool(region="us-west-2", price_per_hour=0.3),
        Pool(region="us-west-2", price_per_hour=0.35),
    ),
)
START = Situation(
    time_left_s=JOB.deadline_s,
    work_left_s=JOB.work_s,
    placement=Off.IDLE,
    changeover_left_s=0.0,
    data_region=None,
    available=(True, True),
    ages_s=(0.0, 0.0),
)


def decide_all(job: SpotJob, flags: list[tuple[bool, ...]]) -> list[Placement]:
    """The placements of a job that makes no progress, tick by tick."""
    policy, now, placements = Adaptive(job), START, []
    spells = Spells(len(job.pools))
    for available in flags:
        spells.observe(available, job.tick_s)
        stays = not isinstance(now.placement, int) or available[now.placement]
        where = now.placement if stays else Off.IDLE
        now = replace(now, available=available, ages_s=spells.ages_s, placement=where)
        now = replace(now, placement=policy.decide(now), time_left_s=now.time_left_s - 600)
        placements.append(now.placement)
    return placements


@pytest.mark.parametrize("dearer", [0, 1])
def test_a_dearer_pool_is_never_preferred_to_an_identical_cheaper_one(dearer: int) -> None:
    cheap, dear = (replace(JOB.pools[0], price_per_hour=price) for price in (0.3, 0.3001))
    pools = (dear, cheap) if dearer == 0 else (cheap, dear)
    for seed in range(300):
        chance = random.Random(seed)
        flags = [(up, up) for up in (chance.random() < 0.7 for _ in range(10))]
        assert dearer not in decide_all(replace(JOB, pools=pools), flags), f"seed {seed}"


def test_an_old_spell_is_taken_before_a_young_one() -> None:
    job = replace(JOB, pools=(JOB.pools[0], JOB.pools[0]))
    assert Adaptive(job).decide(replace(START, ages_s=(0.0, 12000.0))) == 1


def test_data_is_not_moved_for_a_pool_that_is_no_older() -> None:
    job = replace(JOB, pools=(JOB.pools[0], replace(JOB.pools[0], region="us-east-1")))
    assert Adaptive(job).decide(replace(START, data_region="us-east-1")) == 1


def test_the_present_pool_is_kept() -> None:
    job = replace(JOB, pools=(JOB.pools[0], JOB.pools[0]))
    now = replace(START, placement=1, data_region="us-west-2")
    assert Adaptive(job).decide(now) == 1


def test_spells_age_and_start_anew() -> None:
    spells = Spells(pools=2)
    for flags in [(True, False), (True, False), (True, True)]:
        spells.observe(flags, 600)
    assert spells.ages_s == [UNSEEN_AGE_S + 1200, 0]


def test_an_older_spell_is_expected_to_last_longer() -> None:
    rest = [MEASURED.expected_steps_up(age) for age in range(AGES)]
    assert rest == sorted(rest)


def test_an_unknown_policy_is_named_with_the_known_ones() -> None:
    with pytest.raises(SpecError) as caught:
        named("clever")
    assert all(name in (caught.value.fix or "") for name in POLICIES)


def test_longer_steps_are_chances_that_add_up() -> None:
    stretched = MEASURED.over(5)
    for ends, grows in [
        (stretched.up_ends, stretched.up_grows),
        (stretched.down_ends, stretched.down_grows),
    ]:
        assert all(0 <= g <= 1 - e <= 1 for e, g in zip(ends, grows, strict=True))
    assert stretched.up_ends[0] == pytest.approx(1 - (1 - MEASURED.up_ends[0]) ** 5)


def test_a_month_is_planned_too() -> None:
    month = replace(JOB, deadline_s=30 * 86400, work_s=20 * 86400)
    now = replace(START, time_left_s=month.deadline_s, work_left_s=month.work_s)
    assert Adaptive(month).decide(now) == 0
