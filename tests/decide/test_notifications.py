"""What a person is told: each thing once, also after a restart, and in one line without secrets."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.live.budget_steps import STEPS_PERCENT, step_passed
from finsched.decide.live.notifications import Notification, notifications
from finsched.model.event import (
    AttemptEnded,
    BudgetUsed,
    Committed,
    Ended,
    Intended,
    Launched,
    Resumed,
    Warned,
    apply,
    fold,
)
from finsched.model.job import Budget
from finsched.model.notification import About
from finsched.model.run import AttemptEnd, Outcome, Rehearsal, Run, WarningCause
from finsched.testing.builders import NOW, job, offer
from finsched.testing.runs import Story, placement


def limited(usd: float | None = 100.0) -> Story:
    return Story(job=job(budget=Budget(max_cost_usd=usd)))


def told(story: Story) -> list[Notification]:
    """Everything that a run's events were told as, each with the run as it was then."""
    run: Run | None = None
    found: list[Notification] = []
    for record in story.records:
        run = apply(run, record) if run else fold([record])
        found += notifications(run, record)
    return found


def abouts(story: Story) -> list[About]:
    return [each.about for each in told(story)]


# --- the budget --------------------------------------------------------------------------------


@given(
    spends=st.lists(st.decimals(0, 200, places=2), max_size=30).map(sorted),
    restarts=st.sets(st.integers(0, 30)),
)
def test_each_step_is_told_once_whatever_the_spend_does_and_whoever_restarts(
    spends: list[Decimal], restarts: set[int]
) -> None:
    story = limited()
    for index, spent in enumerate(spends):
        run = fold(story.records) if index in restarts else story.run
        percent = step_passed(run, spent)
        if percent is not None:
            assert spent >= percent
            story.tell(BudgetUsed(percent=percent))
        assert step_passed(story.run, spent) is None
    steps = [each.event.percent for each in story.records if isinstance(each.event, BudgetUsed)]
    assert steps == sorted(set(steps))
    assert set(steps) <= set(STEPS_PERCENT)
    highest = max((step for step in STEPS_PERCENT for spent in spends if spent >= step), default=0)
    assert story.run.budget_used_percent == highest
    assert abouts(story).count(About.BUDGET) == len(steps)


@given(spent=st.decimals(-10, 10**9, places=6))
def test_without_a_limit_there_are_no_steps(spent: Decimal) -> None:
    assert step_passed(limited(None).run, spent) is None


@pytest.mark.parametrize(
    ("spent", "step"), [("0", None), ("49.999999", None), ("50", 50), ("79", 50), ("1e9", 100)]
)
def test_a_step_is_passed_when_so_much_is_spent(spent: str, step: int | None) -> None:
    assert step_passed(limited().run, Decimal(spent)) == step


def test_nothing_spent_of_a_budget_of_nothing_is_no_news() -> None:
    assert step_passed(limited(0.0).run, Decimal(0)) is None


def test_a_new_limit_begins_anew() -> None:
    story = limited().tell(BudgetUsed(percent=100)).tell(Resumed(deadline=None))
    assert step_passed(story.run, Decimal(100)) is None
    assert step_passed(story.tell(Resumed(max_cost_usd=190.0)).run, Decimal(100)) == 50


def test_a_run_that_is_stopped_just_before_its_limit_has_used_it_up() -> None:
    story = limited().launched().tell(BudgetUsed(percent=80)).ended(AttemptEnd.LIMIT)
    assert abouts(story.finished(Outcome.BUDGET)) == [About.BUDGET, About.BUDGET, About.END]
    story = limited().launched().tell(BudgetUsed(percent=100)).ended(AttemptEnd.LIMIT)
    assert abouts(story.finished(Outcome.BUDGET)) == [About.BUDGET, About.END]


# --- machines ----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", AttemptEnd)
def test_a_lost_machine_is_told_and_an_end_that_was_wanted_is_not(end: AttemptEnd) -> None:
    lost = {AttemptEnd.INTERRUPTED, AttemptEnd.NODE_FAILED, AttemptEnd.LEASE_EXPIRED}
    assert abouts(Story().launched().ended(end)) == [About.INTERRUPTION] * (end in lost)


def refused(story: Story, number: int, chosen: object) -> Story:
    intended = Intended(attempt=number, token=f"t{number}", provider="sim", placement=chosen)  # type: ignore[arg-type]
    return story.tell(intended).tell(AttemptEnded(attempt=number, end=AttemptEnd.NOT_LAUNCHED))


def test_on_demand_after_spot_is_told_once() -> None:
    story = Story().launched().ended(AttemptEnd.INTERRUPTED).launched(offer(9.0))
    assert abouts(story) == [About.INTERRUPTION, About.FALLBACK]
    story.ended(AttemptEnd.NODE_FAILED).launched(offer(9.0))
    assert abouts(story).count(About.FALLBACK) == 1
    story.ended(AttemptEnd.MOVED).launched().ended(AttemptEnd.INTERRUPTED).launched(offer(9.0))
    assert abouts(story).count(About.FALLBACK) == 2


def test_spot_that_nobody_had_is_a_fallback_too() -> None:
    story = refused(refused(Story(), 1, placement()), 2, placement(offer(9.0)))
    assert abouts(story.launched(offer(9.0))) == [About.FALLBACK]


def test_on_demand_from_the_beginning_is_no_fallback() -> None:
    assert not abouts(Story().launched(offer(9.0)).ended(AttemptEnd.MOVED).launched(offer(8.0)))


def test_a_stale_checkpoint_is_told_and_other_warnings_are_not() -> None:
    story = Story().launched()
    story.tell(Warned(attempt=1, text="odd")).tell(
        Warned(attempt=1, text="no news", cause=WarningCause.NOTIFIER)
    )
    assert not told(story)
    stale = Warned(attempt=1, text="nothing for 2 h", cause=WarningCause.STALE_CHECKPOINT)
    assert abouts(story.tell(stale)) == [About.STALE_CHECKPOINT]
    still = Warned(attempt=1, text="no progress for 15 min", cause=WarningCause.STALLED_JOB)
    assert abouts(story.tell(still)) == [About.STALE_CHECKPOINT, About.STALLED_JOB]
    assert story.run.stale_after == story.run.standing
    assert story.committed(0.5).run.stale_after != story.run.standing


# --- words -------------------------------------------------------------------------------------


def test_a_rehearsal_is_told_of_nothing() -> None:
    story = Story(rehearsal=Rehearsal(speed=10.0, seed=1)).launched()
    assert not told(story.ended(AttemptEnd.INTERRUPTED).finished())


@pytest.mark.parametrize("outcome", Outcome)
def test_every_end_is_told_and_only_a_finished_run_is_good_news(outcome: Outcome) -> None:
    story = Story().launched().after(hours=2).committed(0.5).finished(outcome)
    last = told(story)[-1]
    assert last.good is (outcome is Outcome.FINISHED)
    assert "$8.00" in last.text
    assert last.title == f"job: {outcome.replace('_', ' ')}"


@given(detail=st.text(max_size=2000))
def test_whatever_a_cloud_says_is_one_short_line(detail: str) -> None:
    story = Story(job=job(env={"KEY": "hunter2"}, run="train hunter2")).launched()
    story.ended(AttemptEnd.INTERRUPTED, detail).tell(Ended(outcome=Outcome.BROKEN, detail=detail))
    for each in told(story):
        assert len(each.text.splitlines()) == 1
        assert len(each.text) < 600
        assert "hunter2" not in each.text + each.title


def test_events_of_attempts_that_nobody_knows_are_told_all_the_same() -> None:
    point = Story().launched().committed(0.2).run.checkpoints[0]
    story = Story().tell(AttemptEnded(attempt=7, end=AttemptEnd.INTERRUPTED))
    story.tell(Launched(attempt=8, instance_ids=("i",), billing_from=NOW))
    story.tell(Committed(attempt=9, checkpoint=replace(point, attempt=9)))
    assert abouts(story) == [About.INTERRUPTION]
