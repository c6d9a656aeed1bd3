from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from finsched.decide.live.prospects import Prospects, prospects
from finsched.decide.live.spend import spent_usd
from finsched.decide.live.step import End, Launch, Stay, Step, Wait
from finsched.decide.next_step import next_step
from finsched.decide.spot.policies import named
from finsched.model.event import Resumed, StopRequested
from finsched.model.job import Budget, CapacityPreference, CheckpointSpec
from finsched.model.market import BillingRule, CapacityType
from finsched.model.run import AttemptEnd, Outcome
from finsched.testing.builders import hazard_prior, job, market, offer, spot, terms
from finsched.testing.runs import Story

CHEAP, DEAR, CALM = spot(4.0), spot(5.0, region="eu-north-1"), offer(10.0)


def ahead(story: Story) -> Prospects:
    hazards = {each.pool: hazard_prior(0.05) for each in (CHEAP, DEAR)}
    there = market(CHEAP, DEAR, CALM, hazards=hazards)
    saved = replace(story.run.job, checkpoint=CheckpointSpec(size_gb=1))
    run = replace(story.run, job=saved)
    return prospects(run, there, story.now, make_policy=named("adaptive"))


def step(story: Story, *, reserve: timedelta = timedelta(0)) -> Step:
    run = story.run
    return next_step(
        run,
        now=story.now,
        spent_usd=spent_usd(run, story.now),
        reserve=reserve,
        ahead=ahead(story),
    )


def test_a_new_run_starts_on_the_cheapest_quote() -> None:
    taken = step(Story())
    assert isinstance(taken, Launch)
    assert taken.quote.offer is CHEAP


def test_a_live_attempt_is_left_alone() -> None:
    assert step(Story().launched().after(hours=3)) == Stay()


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (AttemptEnd.FINISHED, Outcome.FINISHED),
        (AttemptEnd.JOB_FAILED, Outcome.JOB_FAILED),
        (AttemptEnd.LIMIT, Outcome.BUDGET),
    ],
)
def test_some_ends_of_an_attempt_end_the_run(end: AttemptEnd, outcome: Outcome) -> None:
    taken = step(Story().launched().after(hours=1).ended(end))
    assert isinstance(taken, End)
    assert taken.outcome is outcome


@pytest.mark.parametrize(
    "end", [AttemptEnd.INTERRUPTED, AttemptEnd.LEASE_EXPIRED, AttemptEnd.NODE_FAILED]
)
def test_other_ends_lead_to_the_next_attempt(end: AttemptEnd) -> None:
    assert isinstance(step(Story().launched().after(hours=1).ended(end)), Launch)


def test_a_stop_request_ends_a_live_run() -> None:
    taken = step(Story().launched().tell(StopRequested(reason="enough")))
    assert taken == End(outcome=Outcome.STOPPED, why="enough")


def test_the_budget_is_met_before_it_is_passed() -> None:
    story = Story(job=job(budget=Budget(max_cost_usd=8.0))).launched(spot(4.0))
    assert step(story.after(hours=1.8), reserve=timedelta(minutes=6)) == Stay()
    taken = step(story.after(hours=0.15), reserve=timedelta(minutes=6))
    assert isinstance(taken, End)
    assert taken.outcome is Outcome.BUDGET


def test_the_deadline_is_met_before_it_is_passed() -> None:
    spot_only = job(deadline=timedelta(hours=5), capacity=CapacityPreference.SPOT)
    story = Story(job=spot_only).launched()
    assert step(story.after(hours=4.8), reserve=timedelta(minutes=6)) == Stay()
    taken = step(story.after(hours=0.15), reserve=timedelta(minutes=6))
    assert isinstance(taken, End)
    assert taken.outcome is Outcome.DEADLINE


def test_after_the_allowed_interruptions_only_on_demand_is_taken() -> None:
    story = Story(job=job(budget=Budget(max_interruptions=1)))
    story.launched().after(hours=1).ended(AttemptEnd.INTERRUPTED)
    taken = step(story)
    assert isinstance(taken, Launch)
    assert taken.quote.offer.capacity_type is CapacityType.ON_DEMAND


def test_refusals_in_a_row_slow_the_launches_down() -> None:
    story = Story()
    for each in (CHEAP, DEAR, CHEAP, DEAR):
        story.launched(each).ended(AttemptEnd.NOT_LAUNCHED)
    assert isinstance(step(story), Launch), "one pool was not asked yet"
    taken = step(story.launched(CALM).ended(AttemptEnd.NOT_LAUNCHED))
    assert isinstance(taken, Wait)
    assert story.now < taken.until <= story.now + timedelta(minutes=10)
    assert isinstance(step(story.after(minutes=11)), Launch)


def test_machines_that_break_in_a_row_end_the_run() -> None:
    story = Story()
    for _ in range(3):
        story.launched().ended(AttemptEnd.NODE_FAILED, "no agent")
    taken = step(story)
    assert isinstance(taken, End)
    assert taken.outcome is Outcome.BROKEN


def test_a_resumed_run_goes_on_where_a_limit_had_ended_it() -> None:
    story = Story(job=job(budget=Budget(max_cost_usd=4.0))).launched(spot(4.0))
    story.after(hours=1).ended(AttemptEnd.LIMIT).finished(Outcome.BUDGET)
    assert isinstance(step(story.tell(Resumed(max_cost_usd=40.0))), Launch)
    assert story.run.job.budget.max_cost_usd == 40.0


def test_spend_counts_against_the_budget_across_attempts() -> None:
    story = Story(job=job(budget=Budget(max_cost_usd=8.0)))
    for _ in range(2):
        story.launched(spot(4.0)).after(hours=1).ended(AttemptEnd.INTERRUPTED)
    assert spent_usd(story.run, story.now) == Decimal(8)
    taken = step(story)
    assert isinstance(taken, End)
    assert taken.outcome is Outcome.BUDGET


def test_an_adopted_attempt_still_decides_how_the_run_ends() -> None:
    story = Story().launched().after(hours=1).tell(Resumed()).after(hours=1)
    taken = step(story.ended(AttemptEnd.FINISHED))
    assert isinstance(taken, End)
    assert taken.outcome is Outcome.FINISHED


def test_an_adopted_attempt_that_met_an_old_limit_is_followed_by_another() -> None:
    story = Story(job=job(budget=Budget(max_cost_usd=4.0))).launched(spot(4.0)).after(hours=1)
    story.tell(Resumed(max_cost_usd=400.0)).ended(AttemptEnd.LIMIT)
    assert isinstance(step(story), Launch)


def test_after_a_budget_stop_no_other_machine_is_bought() -> None:
    story = Story(job=job(budget=Budget(max_cost_usd=8.0))).launched(spot(4.0))
    story.after(hours=1.9).ended(AttemptEnd.INTERRUPTED)
    taken = step(story, reserve=timedelta(minutes=6))
    assert isinstance(taken, End)
    assert taken.outcome is Outcome.BUDGET


def test_a_start_that_the_budget_cannot_pay_is_not_made() -> None:
    story = Story(job=job(budget=Budget(max_cost_usd=100.0)))
    story.launched(spot(4.0), copy_usd=99.95).after(minutes=0.5).ended(AttemptEnd.INTERRUPTED)
    taken = step(story)
    assert isinstance(taken, End)
    assert taken.outcome is Outcome.BUDGET


@pytest.mark.parametrize("hours", [40.0, None], ids=["by the run", "by the hour"])
def test_a_start_that_is_billed_in_full_has_to_fit(hours: float | None) -> None:
    """Five minutes of $40 an hour are the least that this machine costs."""
    rule = BillingRule(minimum_seconds=300)
    there = market(offer(40.0), provider_terms=[terms(billing=rule)])
    story = Story(job=job(hours=hours, budget=Budget(max_cost_usd=2000.0)))
    could = prospects(story.run, there, story.now, make_policy=named("adaptive"))

    def with_left(usd: str) -> Step:
        spent = Decimal(2000) - Decimal(usd)
        return next_step(story.run, now=story.now, spent_usd=spent, ahead=could)

    assert isinstance(with_left("100.00"), Launch)
    refused = with_left("3.30")
    assert isinstance(refused, End)
    assert refused.outcome is Outcome.BUDGET
