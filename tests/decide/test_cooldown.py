"""What is left alone after a loss or a refusal: each cause has its own reach and time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from finsched.decide.live.cooldown import AFTER, AFTER_A_QUOTA, cooling, cools
from finsched.decide.live.prospects import Prospects, prospects
from finsched.decide.live.step import Launch
from finsched.decide.next_step import next_step
from finsched.decide.rank import decide
from finsched.decide.spot.sightings import spell_ages_s
from finsched.decide.spot.spells import UNSEEN_AGE_S
from finsched.model.market import CapacityType, CoolDown, Experience, Market, Offer
from finsched.model.run import AttemptEnd, Refusal
from finsched.policies import policy
from finsched.testing.builders import NOW, hazard_prior, job, market, spot
from finsched.testing.runs import Story

HERE = spot(4.0, zone="use1-az1")
NEXT_DOOR = spot(5.0, zone="use1-az2")
ELSEWHERE = spot(6.0, region="eu-west-1", zone="euw1-az1")


def hot(story: Story, offer: Offer) -> bool:
    return any(each.covers(offer) for each in cooling(story.run, story.now))


@pytest.mark.parametrize("refusal", [Refusal.CAPACITY, Refusal.PRICE, Refusal.OTHER])
def test_a_refusal_keeps_one_pool_cool(refusal: Refusal) -> None:
    story = Story().refused(HERE, refusal)
    assert hot(story, HERE)
    assert not hot(story, NEXT_DOOR)
    assert not hot(story.after(minutes=15.1), HERE)


def test_a_quota_keeps_the_region_cool_for_that_gpu_and_that_way_of_buying() -> None:
    story = Story().refused(HERE, Refusal.QUOTA)
    assert hot(story, NEXT_DOOR)
    assert not hot(story, ELSEWHERE)
    assert not hot(story, HERE._replace(capacity_type=CapacityType.ON_DEMAND))
    story.after(minutes=15.1)
    assert hot(story, NEXT_DOOR)
    assert not hot(story.after(minutes=45), NEXT_DOOR)
    assert AFTER[AttemptEnd.NOT_LAUNCHED] < AFTER_A_QUOTA


def test_only_a_lack_of_capacity_tells_how_old_a_spell_is() -> None:
    for refusal, age in ((Refusal.CAPACITY, 60.0), (Refusal.QUOTA, UNSEEN_AGE_S)):
        story = Story().refused(HERE, refusal).after(minutes=1)
        assert spell_ages_s(story.run, [HERE.pool], story.now) == [age]


def met_elsewhere(known: Market, offer: Offer) -> Market:
    cool = CoolDown(offer.pool, offer.capacity_type, NOW + timedelta(minutes=10))
    return replace(known, experience=Experience(cooling=(cool,)))


def ahead(story: Story, known: Market) -> Prospects:
    return prospects(story.run, known, story.now, make_policy=policy("greedy"))


@pytest.mark.parametrize("deadline", [None, timedelta(hours=100)])
def test_what_another_run_has_just_been_refused_is_not_asked(deadline: timedelta | None) -> None:
    known = market(
        HERE, NEXT_DOOR, hazards={each.pool: hazard_prior(0.01) for each in (HERE, NEXT_DOOR)}
    )
    story = Story(job=job(hours=10, deadline=deadline))
    [first, second] = decide(story.run.job, known, now=NOW).quotes
    assert first.offer.pool == HERE.pool

    def launched(known: Market) -> Offer:
        step = next_step(story.run, now=story.now, spent_usd=Decimal(0), ahead=ahead(story, known))
        assert isinstance(step, Launch)
        return step.quote.offer

    assert launched(known).pool == HERE.pool
    assert launched(met_elsewhere(known, HERE)).pool == NEXT_DOOR.pool
    assert cools(first, met_elsewhere(known, HERE).experience.cooling)
    assert not cools(second, met_elsewhere(known, HERE).experience.cooling)


def test_where_all_cool_down_they_are_asked_in_turn() -> None:
    known = market(
        HERE, ELSEWHERE, hazards={each.pool: hazard_prior(0.01) for each in (HERE, ELSEWHERE)}
    )
    story = Story(job=job(hours=10)).refused(ELSEWHERE, Refusal.QUOTA)  # which lasts for longest
    asked = []
    for _ in range(4):
        step = next_step(story.run, now=story.now, spent_usd=Decimal(0), ahead=ahead(story, known))
        assert isinstance(step, Launch)
        asked.append(step.quote.offer.pool.zone)
        story.refused(step.quote.offer, Refusal.CAPACITY)
    assert set(asked) == {HERE.pool.zone, ELSEWHERE.pool.zone}
