"""When a job may start and at which price it runs, as written in job.yaml."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched import jobfile
from finsched.errors import SpecError
from finsched.model.job import JobSpec, StartWindow

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def job(lines: str) -> JobSpec:
    text = f"resources: {{}}\nrun: make\n{lines}\n"
    return jobfile.parse(text, source="job.yaml", known_gpus={}, now=NOW)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("{after: 8h}", StartWindow(after=hours(8))),
        ("{before: 1d12h}", StartWindow(before=hours(36))),
        ("{after: 8h, before: 12h}", StartWindow(after=hours(8), before=hours(12))),
        (
            "{after: 2026-12-01T22:00:00Z, before: 2026-12-02T06:00:00+02:00}",
            StartWindow(
                after=datetime(2026, 12, 1, 22, tzinfo=UTC),
                before=datetime(2026, 12, 2, 4, tzinfo=UTC),
            ),
        ),
        (
            "{after: 8h, before: 2026-11-22T20:00:01Z}",
            StartWindow(after=hours(8), before=datetime(2026, 11, 22, 20, 0, 1, tzinfo=UTC)),
        ),
    ],
)
def test_a_start_is_two_times_of_either_kind(start: str, expected: StartWindow) -> None:
    assert job(f"start: {start}").start == expected


def test_without_them_a_job_starts_at_once_and_at_any_price() -> None:
    assert (job("").start, job("").scavenge_below_usd_per_hour) == (None, None)


@pytest.mark.parametrize("text", ["1.20", "$1.20", "1.20 USD"])
def test_a_price_is_written_as_the_budget_is(text: str) -> None:
    assert job(f"scavenge_below: {text}").scavenge_below_usd_per_hour == 1.2


@pytest.mark.parametrize(
    ("lines", "message", "fix"),
    [
        (
            "start:\n  after: 8h\n  before: 8h",
            "line 5, column 11: start.before is 8 h after launch, not later than start.after",
            "write a later before, or an earlier after",
        ),
        (
            "start: {after: 2026-12-02T06:00:00Z, before: 2026-12-01T22:00:00Z}",
            "line 3, column 46: start.before is 2026-12-01 22:00 UTC, not later than start.after",
            "write a later before, or an earlier after",
        ),
        (
            "start: {after: 8h, before: 2026-11-22T20:00:00Z}",
            "line 3, column 28: start.before is 2026-11-22 20:00 UTC, not later than start.after",
            "write a later before, or an earlier after",
        ),
        (
            "start: {after: 2026-11-22T11:00:00Z, before: 2026-11-22T10:00:00Z}",
            "line 3, column 46: start.before is 2026-11-22 10:00 UTC, in the past",
            "write a later time",
        ),
        (
            "start: {after: 3d}\ndeadline: 72h",
            "line 4, column 11: deadline is 3 d after launch, before the job may start",
            "write a later deadline, or an earlier start.after",
        ),
        (
            "deadline: 2026-12-01T00:00:00Z\nstart: {after: 2026-12-01T22:00:00Z}",
            "line 3, column 11: deadline is 2026-12-01 00:00 UTC, before the job may start",
            "write a later deadline, or an earlier start.after",
        ),
        (
            "start: {}",
            "line 3, column 8: start says neither after nor before",
            "write {after: 8h}, or remove it",
        ),
        (
            "start: {after: tonight}",
            "line 3, column 16: start.after is 'tonight', which is not a duration",
            "write it like 72h",
        ),
        (
            "start: {after: 2026-12-01T22:00:00}",
            "line 3, column 16: start.after is '2026-12-01T22:00:00', which has no time zone",
            "write 2026-12-01T22:00:00Z for UTC",
        ),
        (
            "start: {until: 8h}",
            "line 3, column 9: start.until is not a key",
            "the keys here are after, before",
        ),
        (
            "start: 8h",
            "line 3, column 8: start is not a mapping",
            "write `key: value` lines below it",
        ),
        (
            "scavenge_below: 0.00",
            "line 3, column 17: scavenge_below is '0.00': nothing costs less",
            "write it like 1.20",
        ),
        (
            "scavenge_below: cheap",
            "line 3, column 17: scavenge_below is 'cheap', which is not an amount of USD",
            "write it like 300 or 14.50",
        ),
        ("after: 8h", "line 3, column 1: after is not a key", "it belongs under start"),
    ],
)
def test_a_mistake_is_one_line_with_its_place_and_its_fix(
    lines: str, message: str, fix: str
) -> None:
    with pytest.raises(SpecError) as caught:
        job(lines)
    assert caught.value.message == f"job.yaml, {message}"
    assert caught.value.fix == fix


def test_two_mistakes_come_together() -> None:
    with pytest.raises(SpecError) as caught:
        job("start: {after: 9h, before: 8h}\ndeadline: 9h")
    assert [line.split(";")[0].strip() for line in caught.value.message.splitlines()[1:]] == [
        "line 3: start.before is 8 h after launch, not later than start.after",
        "line 4: deadline is 9 h after launch, before the job may start",
    ]


def test_a_deadline_that_is_past_is_said_when_the_job_is_quoted() -> None:
    assert job("deadline: 2026-11-01T00:00:00Z").deadline is not None


@given(st.integers(1, 300), st.integers(1, 300), st.booleans(), st.booleans())
def test_the_order_of_two_times_is_the_same_however_they_are_written(
    after_hours: int, before_hours: int, after_is_moment: bool, before_is_moment: bool
) -> None:
    after, before = (
        f"{NOW + hours(count):%Y-%m-%dT%H:%M:%SZ}" if is_moment else f"{count}h"
        for count, is_moment in (
            (after_hours, after_is_moment),
            (before_hours, before_is_moment),
        )
    )
    try:
        job(f"start: {{after: {after}, before: {before}}}")
        allowed = True
    except SpecError:
        allowed = False
    assert allowed is (after_hours < before_hours)
