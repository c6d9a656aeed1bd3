from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.rank import decide
from finsched.decide.timing.start_window import (
    TooEarly,
    TooLate,
    closes_at,
    opens_at,
    outside,
    window_said,
)
from finsched.model.event import Intended
from finsched.model.job import CheckpointSpec, JobSpec, StartWindow
from finsched.model.quote import RejectionCode
from finsched.model.run import AttemptEnd
from finsched.testing.builders import NOW, hazard_prior, job, market, offer, spot
from finsched.testing.runs import Story, moment, placement

TIMES = st.none() | st.integers(0, 100).map(lambda hours: timedelta(hours=hours))


def waiting(after_hours: float | None = None, before_hours: float | None = None) -> JobSpec:
    after, before = (
        None if hours is None else timedelta(hours=hours) for hours in (after_hours, before_hours)
    )
    return job(start=StartWindow(after=after, before=before))


@pytest.mark.parametrize("kind", [timedelta, moment])
def test_a_window_counts_from_submission_or_is_a_moment(kind: type[timedelta]) -> None:
    run = Story(job=job(start=StartWindow(after=kind(hours=8), before=kind(hours=24)))).run
    assert (opens_at(run), closes_at(run)) == (moment(hours=8), moment(hours=24))


def test_without_a_window_a_run_may_always_start() -> None:
    run = Story().run
    assert (opens_at(run), closes_at(run), outside(run, NOW)) == (None, None, None)


def test_the_window_is_closed_open_closed() -> None:
    story = Story(job=waiting(8, 24))
    opens, closes = moment(hours=8), moment(hours=24)
    second = timedelta(seconds=1)

    assert outside(story.run, opens - second) == TooEarly(
        until=opens, why="start.after asks for 2026-06-15 20:00 UTC or later"
    )
    assert outside(story.run, opens) is None
    assert outside(story.run, closes - second) is None
    assert outside(story.run, closes) == TooLate(
        why="not started by 2026-06-16 12:00 UTC, as start.before asks; launch it with a later one"
    )


def test_a_run_that_has_started_is_never_too_late_again() -> None:
    story = Story(job=waiting(before_hours=2)).launched().after(hours=5)
    story.ended(AttemptEnd.INTERRUPTED)
    assert outside(story.run, story.now) is None


def test_a_machine_that_boots_while_the_window_closes_is_left_to_start() -> None:
    story = Story(job=waiting(before_hours=2)).after(hours=1.99)
    story.tell(Intended(attempt=1, token="t1", provider="sim", placement=placement()))
    assert outside(story.run, moment(hours=3)) is None
    story.ended(AttemptEnd.NOT_LAUNCHED)
    assert isinstance(outside(story.run, moment(hours=3)), TooLate)


@given(TIMES, TIMES, st.integers(0, 200), st.integers(0, 200))
def test_time_leads_from_too_early_over_the_window_to_too_late(
    after: timedelta | None, before: timedelta | None, first: int, second: int
) -> None:
    run = Story(job=job(start=StartWindow(after=after, before=before))).run
    earlier, later = sorted((first, second))

    def stage(hours: int) -> int:
        held = outside(run, moment(hours=hours))
        return 1 if held is None else 2 * isinstance(held, TooLate)

    assert stage(earlier) <= stage(later)


@given(TIMES, TIMES, st.integers(0, 200))
def test_who_waits_until_told_to_may_start_then_or_never(
    after: timedelta | None, before: timedelta | None, hours: int
) -> None:
    run = Story(job=job(start=StartWindow(after=after, before=before))).run
    held = outside(run, moment(hours=hours))
    if isinstance(held, TooEarly):
        assert held.until > moment(hours=hours)
        assert not isinstance(outside(run, held.until), TooEarly)


def test_a_window_is_said_as_it_was_written() -> None:
    window = StartWindow(after=timedelta(minutes=90), before=timedelta(days=3))
    assert window_said(window) == "from 1.5 h after launch, before 3 d after launch"
    assert window_said(StartWindow(before=NOW)) == "before 2026-06-15 12:00 UTC"


# --- the quote ---------------------------------------------------------------------------------


def test_the_deadline_of_a_quote_is_counted_from_the_earliest_start() -> None:
    asked = job(hours=40, deadline=timedelta(hours=72))
    late = replace(asked, start=StartWindow(after=timedelta(hours=33)))
    offers = market(offer())
    assert decide(asked, offers, now=NOW).best is not None
    refused = decide(late, offers, now=NOW)
    assert refused.best is None
    assert "the deadline leaves 39 h" in refused.rejections[0].reason
    assert refused.rejections[0].code is RejectionCode.DEADLINE


@given(st.integers(0, 30), st.integers(0, 30))
def test_a_later_start_never_makes_a_deadline_likelier(first: int, second: int) -> None:
    earlier, later = sorted((first, second))
    rough = spot(4.0)
    offers = market(rough, offer(), hazards={rough.pool: hazard_prior(0.1)})

    def chance(hours: int) -> float:
        start = StartWindow(after=timedelta(hours=hours))
        spec = job(deadline=timedelta(hours=80), checkpoint=CheckpointSpec(), start=start)
        quotes = decide(spec, offers, now=NOW).quotes
        return next((q.deadline_probability for q in quotes if q.offer is rough), 0.0)

    assert chance(later) <= chance(earlier)


def test_an_earliest_start_that_is_past_gives_no_time_back() -> None:
    past = StartWindow(after=NOW - timedelta(hours=40))
    spec = job(hours=40, deadline=NOW + timedelta(hours=30), start=past)
    [refused] = decide(spec, market(offer()), now=NOW).rejections
    assert "the deadline leaves 30 h" in refused.reason


def test_a_quote_says_when_the_job_starts() -> None:
    assert decide(waiting(8, 24), market(offer()), now=NOW).notes == (
        "the job starts from 8 h after launch, before 24 h after launch",
    )
    assert decide(job(), market(offer()), now=NOW).notes == ()
