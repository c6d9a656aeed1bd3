"""Asking an API over HTTP: real servers that are slow, dead, rude or wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from finsched.errors import (
    InvalidRequest,
    NoAnswer,
    NotAuthorized,
    ProviderError,
    ProviderProblem,
    Throttled,
)
from finsched.testing.web import Reply, Site, served
from finsched.toolbox.json_api import JsonApi, Patience
from finsched.toolbox.side_by_side import as_answered

QUICK = Patience(seconds=1.0, silent_seconds=0.3, tries=3, retry_seconds=0.01)
KEY = "canary-key"


@pytest.fixture
def site() -> Iterator[Site]:
    with served(lambda _: Reply(document={"fine": True})) as found:
        yield found


def api(site: Site, **changes: object) -> JsonApi:
    headers = {"Authorization": f"Bearer {KEY}"}
    plain = {"provider": "acme", "address": site.address, "headers": headers, "patience": QUICK}
    return JsonApi(**{**plain, **changes})  # type: ignore[arg-type]


def test_a_question_is_asked_as_it_was_put(site: Site) -> None:
    assert api(site).post("/prices", {"gpu": "H100"}, {"page": 2}) == {"fine": True}
    [asked] = site.calls
    assert (asked.method, asked.path, asked.query) == ("POST", "/prices", {"page": "2"})
    assert asked.json == {"gpu": "H100"}
    assert asked.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "trouble", [Reply(document={}, status=429), Reply(document={}, status=503), Reply()]
)
def test_what_passes_is_asked_again(site: Site, trouble: Reply) -> None:
    replies = [trouble, trouble, Reply(document=[1])]
    site.answer = lambda _: replies.pop(0)
    assert api(site).get("/prices") == [1]


@pytest.mark.parametrize(
    ("status", "problem", "calls"),
    [(429, Throttled, 3), (503, NoAnswer, 3), (401, NotAuthorized, 1), (418, ProviderError, 1)],
)
def test_what_stays_is_told_as_what_it_is(
    site: Site, status: int, problem: type[ProviderProblem], calls: int
) -> None:
    site.answer = lambda _: Reply(document={"error": f"no good: {KEY}"}, status=status)
    with pytest.raises(problem) as caught:
        api(site).get("/prices")
    assert "no good" in caught.value.message
    assert KEY not in caught.value.message
    assert len(site.calls) == calls


@pytest.mark.parametrize(
    "reply", [Reply(document={}, wait_seconds=60), Reply(document="x" * 600, drip_seconds=0.1)]
)
def test_nobody_waits_longer_than_they_are_patient(site: Site, reply: Reply) -> None:
    site.answer = lambda _: reply
    started = time.monotonic()
    with pytest.raises(NoAnswer):
        api(site).get("/prices")
    assert time.monotonic() - started < 30, "the answer takes a minute"


def test_a_key_is_never_taken_elsewhere(site: Site) -> None:
    with served(lambda _: Reply(document={"stolen": True})) as elsewhere:
        moved = Reply(document={}, status=302, headers={"Location": elsewhere.address})
        site.answer = lambda _: moved
        with pytest.raises(ProviderError, match="302"):
            api(site).get("/prices")
        assert not elsewhere.calls


def test_an_answer_without_end_or_sense_is_refused(site: Site) -> None:
    site.answer = lambda _: Reply(document="x" * 100_000)
    with pytest.raises(ProviderError, match="too long"):
        api(site, largest_bytes=50_000).get("/prices")
    with pytest.raises(InvalidRequest, match="not the address"):
        JsonApi(provider="acme", address="file:///etc/passwd")
    assert KEY not in repr(api(site))


def test_results_come_as_they_are_ready_and_nobody_waits_for_the_last() -> None:
    def told(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    started = time.monotonic()
    answers = as_answered([lambda s=s: told(s) for s in (60.0, 0.2, 0.0)], at_once=3)  # type: ignore[misc]
    assert [next(answers), next(answers)] == [0.0, 0.2]
    assert time.monotonic() - started < 30


def test_what_a_question_raises_is_raised_where_it_is_awaited() -> None:
    def broken() -> int:
        raise KeyError("price")

    with pytest.raises(KeyError):
        list(as_answered([broken], at_once=1))
