"""What a sweep may delete: told from the ledger, and never too much."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.leftovers.orphans import GRACE, Fate, Situation, rule, rule_without_run
from finsched.model.event import Intended, Resumed
from finsched.model.run import AttemptEnd, ClockAnchor, Run
from finsched.testing.builders import NOW
from finsched.testing.runs import Story, placement

LATER = GRACE + timedelta(seconds=1)
LEASE = timedelta(minutes=10)


def intended() -> Story:
    story = Story()
    return story.tell(Intended(attempt=1, token="t1", provider="sim", placement=placement()))


def moved() -> Story:
    return Story().launched().ended(AttemptEnd.INTERRUPTED).launched()


def resumed() -> Story:
    stopped = Story().launched().ended(AttemptEnd.STOPPED).finished()
    return stopped.after(days=1).tell(Resumed()).launched()


def fate(run: Run, number: int | None, after: timedelta = LATER, **seen: object) -> Fate:
    lease_until = seen.pop("lease_until", None)
    assert lease_until is None or isinstance(lease_until, timedelta)
    situation = Situation(
        now=NOW + after,
        supervised=bool(seen.get("supervised")),
        lease_until=None if lease_until is None else NOW + lease_until,
        given_up=bool(seen.get("given_up")),
    )
    return rule(run, number, situation).fate


@pytest.mark.parametrize(
    ("story", "number", "expected"),
    [
        (Story().launched().ended(AttemptEnd.FINISHED).finished(), 1, Fate.ORPHAN),
        (Story().launched().ended(AttemptEnd.FINISHED).finished(), None, Fate.ORPHAN),
        (Story().launched().ended(AttemptEnd.FINISHED).finished(), 7, Fate.ORPHAN),
        (moved(), 1, Fate.ORPHAN),
        (moved(), None, Fate.KEPT),
        (moved(), 3, Fate.ORPHAN),
    ],
    ids=[
        "of an ended run",
        "of an ended run, and no attempt",
        "of an ended run, and an unknown attempt",
        "of an ended attempt",
        "of a going run, and no attempt",
        "of a going run, and an unknown attempt",
    ],
)
def test_what_is_over_is_left_over(story: Story, number: int | None, expected: Fate) -> None:
    assert fate(story.run, number, lease_until=LEASE) is expected
    assert fate(story.run, number, supervised=True) is Fate.KEPT


@pytest.mark.parametrize("story", [intended(), Story().launched(), moved()])
def test_a_machine_without_a_supervisor_is_kept_until_it_outlived_its_lease(story: Story) -> None:
    number = len(story.run.attempts)
    edge = LEASE + GRACE
    second = timedelta(seconds=1)
    assert fate(story.run, number, edge, lease_until=LEASE) is Fate.KEPT
    assert fate(story.run, number, edge + second, lease_until=LEASE) is Fate.ORPHAN
    assert fate(story.run, number, second, lease_until=LEASE, given_up=True) is Fate.ORPHAN
    assert fate(story.run, number, edge + second, lease_until=LEASE, supervised=True) is Fate.KEPT


def test_an_end_may_take_a_moment_to_show() -> None:
    ended = Story().launched().ended(AttemptEnd.FINISHED)
    for run in (ended.run, ended.finished().run):
        assert fate(run, 1, GRACE) is Fate.KEPT
        assert fate(run, 1, GRACE + timedelta(seconds=1)) is Fate.ORPHAN
        assert fate(run, 1, GRACE, given_up=True) is Fate.ORPHAN


def test_a_rehearsals_moment_is_as_long_as_a_real_one() -> None:
    run = Story().launched().ended(AttemptEnd.INTERRUPTED).run
    anchor = ClockAnchor(real=NOW, simulated=NOW, speed=1000.0)
    rehearsed = replace(run, anchor=anchor)
    assert fate(rehearsed, 1, 999 * GRACE) is Fate.KEPT
    assert fate(rehearsed, 1, 1001 * GRACE) is Fate.ORPHAN


def test_a_resumed_run_keeps_its_new_machine() -> None:
    run = resumed().run
    assert fate(run, 2, timedelta(days=1), lease_until=timedelta(days=1)) is Fate.KEPT
    assert fate(run, 1, timedelta(days=1), lease_until=timedelta(days=1)) is Fate.ORPHAN


def test_what_our_ledger_does_not_know_is_never_left_over() -> None:
    assert rule_without_run("r-2", shared=False).fate is Fate.FOREIGN
    assert rule_without_run(None, shared=False).fate is Fate.FOREIGN
    assert rule_without_run(None, shared=True).fate is Fate.KEPT


@given(
    story=st.sampled_from([intended(), moved(), resumed(), Story().launched().finished()]),
    number=st.one_of(st.none(), st.integers(1, 4)),
    minutes=st.integers(0, 10_000),
    more=st.integers(0, 10_000),
    given_up=st.booleans(),
)
def test_time_never_takes_an_orphan_back_and_a_supervisor_always_protects(
    story: Story, number: int | None, minutes: int, more: int, given_up: bool
) -> None:
    def at(passed: int, *, supervised: bool) -> Fate:
        after = timedelta(minutes=passed)
        return fate(
            story.run, number, after, lease_until=LEASE, given_up=given_up, supervised=supervised
        )

    assert at(minutes, supervised=True) is Fate.KEPT
    if at(minutes, supervised=False) is Fate.ORPHAN:
        assert at(minutes + more, supervised=False) is Fate.ORPHAN
