"""Whose turn it is: limits are never passed, nobody waits for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from finsched.decide.queue.queueing import A_STEP_EVERY, PATIENCE, Claim, Waiting, turns
from finsched.model.queue import QueueLimits

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TAGS = ("team=ai", "team=bio", "kind=nightly")

claims = st.builds(
    Claim,
    provider=st.sampled_from(["", "aws", "gcp"]),
    tags=st.frozensets(st.sampled_from(TAGS), max_size=2),
)
limits = st.builds(
    QueueLimits,
    total=st.none() | st.integers(1, 4),
    per_provider=st.dictionaries(st.sampled_from(["aws", "gcp"]), st.integers(1, 3)),
    per_tag=st.dictionaries(st.sampled_from(TAGS), st.integers(1, 3)),
)


def waiting(
    run: str, *, hours: float = 0.0, priority: int = 0, claim: Claim | None = None
) -> Waiting:
    since = NOW - timedelta(hours=hours)
    return Waiting(run=run, priority=priority, since=since, claim=claim or Claim())


@st.composite
def queues(draw: st.DrawFn) -> list[Waiting]:
    drawn = draw(st.lists(st.tuples(claims, st.integers(-3, 3), st.floats(0, 50)), max_size=12))
    return [
        waiting(f"r{number:02}", hours=hours, priority=priority, claim=claim)
        for number, (claim, priority, hours) in enumerate(drawn)
    ]


def places(claim: Claim) -> list[str]:
    return ["all", *([claim.provider] if claim.provider else []), *claim.tags]


def passed(running: Sequence[Claim], of: QueueLimits) -> list[str]:
    most = {"all": of.total, **of.per_provider, **of.per_tag}
    taken = Counter(place for claim in running for place in places(claim))
    return [each for each, limit in most.items() if limit is not None and taken[each] > limit]


def start(queue: list[Waiting], running: list[Claim], of: QueueLimits, now: datetime) -> list[str]:
    """Start whose turn it is, and return them."""
    by_run = {each.run: each for each in queue}
    called = [turn.run for turn in turns(queue, running, of, now) if turn.held_by is None]
    for run in called:
        running.append(by_run[run].claim)
        queue.remove(by_run[run])
    return called


@settings(deadline=None)  # others may use the processor
@given(queues(), limits)
def test_limits_are_never_passed(queue: list[Waiting], of: QueueLimits) -> None:
    running: list[Claim] = []
    start(queue, running, of, NOW)
    assert not passed(running, of)


@settings(deadline=None)  # others may use the processor
@given(queues(), limits)
def test_all_are_told_and_a_place_that_is_free_for_a_patient_queue_is_used(
    queue: list[Waiting], of: QueueLimits
) -> None:
    patient = [each for each in queue if NOW - each.since < PATIENCE]
    found = turns(patient, [], of, NOW)
    assert {turn.run for turn in found} == {each.run for each in patient}
    by_run = {each.run: each for each in patient}
    running = [by_run[turn.run].claim for turn in found if turn.held_by is None]
    for turn in found:
        if turn.held_by:
            assert passed([*running, by_run[turn.run].claim], of)


@settings(deadline=None)  # others may use the processor
@given(queues(), limits)
def test_nobody_waits_without_a_limit_that_is_met(queue: list[Waiting], of: QueueLimits) -> None:
    assert all(turn.held_by is None for turn in turns(queue, [], QueueLimits(), NOW))
    first = turns(queue, [], of, NOW)[:1]
    assert all(turn.held_by is None for turn in first)


@settings(max_examples=60, deadline=None)
@given(queues(), limits, st.data())
def test_nobody_starves_however_many_come_after(
    queue: list[Waiting], of: QueueLimits, data: st.DataObject
) -> None:
    """Work takes up to an hour and dearer priorities come without end: all of today's get in."""
    first, running, now = {each.run for each in queue}, list[Claim](), NOW
    for hour in range(200):
        now = NOW + timedelta(hours=hour)
        first -= set(start(queue, running, of, now))
        assert not passed(running, of)
        if not first:
            return
        running.clear()
        claim = data.draw(claims)
        queue += [
            Waiting(run=f"late{hour}-{k}", priority=3, since=now, claim=claim) for k in range(4)
        ]
    raise AssertionError(f"{first} starve")


def test_priority_comes_first_then_who_came_first_and_waiting_adds_to_it() -> None:
    queue = [waiting("young"), waiting("old", hours=0.5), waiting("urgent", priority=2)]
    assert [turn.run for turn in turns(queue, [], QueueLimits(), NOW)] == ["urgent", "old", "young"]
    aged = waiting("aged", hours=3 * A_STEP_EVERY / timedelta(hours=1))
    assert turns([*queue, aged], [], QueueLimits(), NOW)[0].run == "aged"


def test_who_has_lost_patience_keeps_its_places_free() -> None:
    """Two limits that are never free together would else let others in for ever."""
    of = QueueLimits(per_provider={"aws": 1}, per_tag={"team=ai": 1})
    both = Claim(provider="aws", tags=frozenset({"team=ai"}))
    later = waiting("later", claim=Claim(provider="gcp", tags=frozenset({"team=ai"})))
    running = [Claim(provider="aws")]
    patient = turns([waiting("both", hours=0.5, claim=both), later], running, of, NOW)
    assert [turn.held_by for turn in patient] == ["at most 1 at once on aws", None]
    impatient = turns([waiting("both", hours=1, claim=both), later], running, of, NOW)
    assert impatient[1].held_by == "at most 1 at once with team=ai"


def test_who_cannot_start_for_its_own_tag_keeps_no_place_of_all() -> None:
    of = QueueLimits(total=8, per_tag={"team=ai": 2})
    ai = Claim(tags=frozenset({"team=ai"}))
    held = [waiting(f"ai-{number}", hours=2, claim=ai) for number in range(6)]
    other = waiting("other", claim=Claim(tags=frozenset({"team=bio"})))
    found = {turn.run: turn.held_by for turn in turns([*held, other], [ai, ai], of, NOW)}
    assert found.pop("other") is None
    assert set(found.values()) == {"at most 2 at once with team=ai"}
