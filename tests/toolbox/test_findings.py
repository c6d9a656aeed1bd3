"""What the checks of all clouds say in the same way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from finsched.errors import NoAnswer, NotAuthorized, ProviderProblem, Throttled
from finsched.provider import Verdict
from finsched.toolbox.findings import MOST_SKEW, clock, failed

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(0, Verdict.OK), (60, Verdict.OK), (-60, Verdict.OK), (61, Verdict.PROBLEM)],
)
def test_the_clock_may_be_a_minute_off(seconds: int, verdict: Verdict) -> None:
    assert timedelta(minutes=1) == MOST_SKEW
    told = "Mon, 15 Jun 2026 12:00:00 GMT"
    assert clock(told, NOW + timedelta(seconds=seconds), "AWS").verdict is verdict
    assert clock(told, NOW - timedelta(seconds=seconds), "AWS").verdict is verdict


def test_a_clock_that_nobody_told_is_unknown() -> None:
    assert clock(None, NOW, "AWS").verdict is Verdict.UNKNOWN


def test_which_way_the_clock_is_off() -> None:
    told = "Mon, 15 Jun 2026 12:00:00 GMT"
    assert "300 s ahead of AWS" in clock(told, NOW + timedelta(minutes=5), "AWS").detail
    assert "300 s behind AWS" in clock(told, NOW - timedelta(minutes=5), "AWS").detail


@pytest.mark.parametrize(
    ("why", "verdict"),
    [
        (NotAuthorized("no", fix="ask"), Verdict.PROBLEM),
        (NoAnswer("silence"), Verdict.UNKNOWN),
        (Throttled("later"), Verdict.UNKNOWN),
    ],
)
def test_a_cloud_that_does_not_answer_is_no_problem_found(
    why: ProviderProblem, verdict: Verdict
) -> None:
    finding = failed("identity", why)
    assert (finding.verdict, finding.detail, finding.fix) == (verdict, why.message, why.fix or "")
