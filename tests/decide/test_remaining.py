from datetime import timedelta

import pytest

from finsched.decide.live.cooldown import cooling
from finsched.decide.live.freshness import stale
from finsched.decide.live.remaining import done, in_hand, remaining, slowness
from finsched.decide.rank import decide
from finsched.model.job import Budget, CheckpointSpec, Dataset
from finsched.model.market import CapacityType, Location
from finsched.model.quote import Movement
from finsched.model.run import AttemptEnd
from finsched.testing.builders import NOW, job, market, offer, path, spot, terms
from finsched.testing.runs import Story

LAKE, THERE = Location("aws", "us-east-1"), Location("aws", "eu-north-1")
TOKENS = Dataset(uri="s3://lake/tokens", location=LAKE, size_gb=500.0, reads=9)
SAVED = CheckpointSpec(size_gb=1, save_time=timedelta(seconds=60))


def test_the_reported_share_behind_a_commit_is_done() -> None:
    story = Story(job=job(hours=40)).launched().after(hours=9).committed(0.25).progressed(0.3)
    rest = remaining(story.run)
    assert rest.work is not None
    assert rest.work.hours == pytest.approx(30)


def test_the_pace_so_far_stretches_what_is_left() -> None:
    story = Story(job=job(hours=40)).launched(speedup=2.0).after(hours=10).progressed(0.25)
    slow = slowness(story.run, lambda placement: placement.speedup)
    assert slow == pytest.approx(2.0)
    assert slowness(story.run, lambda _: 1.0) == pytest.approx(1.0), "already known to be slower"
    rest = remaining(story.committed(0.25).run, slow)
    assert rest.work is not None
    assert rest.work.hours == pytest.approx(60)


def test_a_twentieth_of_the_work_tells_nothing_of_its_pace() -> None:
    story = Story(job=job(hours=40)).launched().after(hours=10).progressed(0.04)
    assert slowness(story.run, lambda _: 1.0) == 1.0


def test_work_in_hand_counts_what_is_not_kept() -> None:
    story = Story(job=job(hours=40)).launched().after(hours=4).committed(0.1).after(hours=2)
    assert in_hand(story.run, story.now) == pytest.approx(0.15)
    assert in_hand(story.progressed(0.2).run, story.now) == pytest.approx(0.2)


def test_without_reports_the_hours_behind_a_commit_are_done() -> None:
    story = Story(job=job(hours=40)).launched(speedup=2.0).after(hours=5).committed()
    assert done(story.after(hours=3).run) == pytest.approx(0.25)


def test_limits_of_the_whole_run_do_not_reject_offers_for_the_rest() -> None:
    limits = Budget(max_cost_usd=1.0, max_hourly_usd=9.0, max_interruptions=3)
    rest = remaining(Story(job=job(budget=limits, deadline=timedelta(hours=1))).run)
    assert (rest.budget.max_cost_usd, rest.deadline) == (None, None)
    assert rest.budget.max_hourly_usd == 9.0


def test_a_region_that_holds_a_copy_is_free_to_return_to() -> None:
    asked = job(inputs=(TOKENS,), checkpoint=SAVED)
    here = spot(region=THERE.region)
    story = Story(job=asked).launched(here, copied_uris=(TOKENS.uri,)).after(hours=1)
    story.ended(AttemptEnd.INTERRUPTED)
    roads = [path(LAKE, THERE, 0.02)]
    known = market(
        offer(5.0, region=THERE.region),
        paths=roads,
        provider_terms=[terms(storage_usd_per_gb_month=0.02)],
    )
    before = decide(asked, known, now=NOW).quotes[0].transfers[0]
    after = decide(remaining(story.run), known, now=NOW).quotes[0].transfers[0]
    assert (before.movement, before.usd) == (Movement.COPY_ONCE, pytest.approx(10.0))
    assert (after.movement, after.usd) == (Movement.STAY, 0.0)


def test_a_pool_cools_down_only_as_it_was_bought() -> None:
    taken = spot()
    story = Story().launched(taken).after(hours=1).ended(AttemptEnd.INTERRUPTED)
    [hot] = cooling(story.run, story.now)
    assert (hot.pool, hot.capacity_type) == (taken.pool, CapacityType.SPOT)
    assert hot.covers(taken)
    assert not hot.covers(taken._replace(capacity_type=CapacityType.ON_DEMAND))
    story.after(minutes=61)
    assert not cooling(story.run, story.now)


def test_two_intervals_without_a_commit_are_stale() -> None:
    story = Story(job=job(checkpoint=SAVED)).launched(checkpoint_every_seconds=600.0)
    story.after(minutes=21.9)
    assert stale(story.run, story.now) is None
    story.after(minutes=0.2)
    assert stale(story.run, story.now) == timedelta(minutes=22.1)
    assert stale(story.committed().run, story.now) is None


def test_a_job_without_a_checkpoint_is_never_stale() -> None:
    story = Story(job=job()).launched().after(hours=100)
    assert stale(story.run, story.now) is None
