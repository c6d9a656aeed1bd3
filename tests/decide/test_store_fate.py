"""A store goes when a person wants it gone and no run needs it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.leftovers.orphans import Fate
from finsched.decide.leftovers.store_fate import Wish, rule_store
from finsched.model.event import Ended, StopRequested, StoreDiscarded
from finsched.model.run import Outcome, Run
from finsched.testing.runs import Story

DAY = timedelta(days=1)
BY_AGE = Wish(older_than=30 * DAY)
NAMED = Wish(runs=frozenset({"r-1"}))


def ended(outcome: Outcome | None = Outcome.FINISHED) -> Run:
    story = Story()
    if outcome:
        story.tell(Ended(outcome=outcome))
    return replace(story.run, store_uri="s3://bucket/runs/r-1")


def fate(run: Run, wish: Wish, *, days: float = 40, supervised: bool = False) -> Fate:
    ruling = rule_store(run, wish, ended_for=days * DAY, supervised=supervised)
    assert ruling.why
    return ruling.fate


@pytest.mark.parametrize(("days", "expected"), [(29.9, Fate.KEPT), (30, Fate.ORPHAN)])
def test_a_finished_run_goes_by_its_age(days: float, expected: Fate) -> None:
    assert fate(ended(), BY_AGE, days=days) is expected


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.FINISHED}))
def test_a_run_that_can_be_resumed_goes_by_its_name_alone(outcome: Outcome) -> None:
    assert fate(ended(outcome), BY_AGE) is Fate.KEPT
    assert fate(ended(outcome), NAMED) is Fate.ORPHAN


def test_nothing_goes_where_nobody_asked() -> None:
    assert fate(ended(), Wish()) is Fate.KEPT


@given(
    outcome=st.none() | st.sampled_from(Outcome),
    named=st.booleans(),
    older_than=st.none() | st.timedeltas(min_value=timedelta(0)),
    days=st.floats(0, 10_000),
)
def test_a_run_that_lives_is_never_touched(
    outcome: Outcome | None, named: bool, older_than: timedelta | None, days: float
) -> None:
    wish = Wish(runs=frozenset({"r-1"} if named else ()), older_than=older_than)
    assert fate(ended(outcome), wish, days=days, supervised=True) is Fate.KEPT
    assert fate(ended(None), wish, days=days) is Fate.KEPT
    with_machine = replace(
        Story().launched().tell(StopRequested(reason="x")).run, outcome=Outcome.STOPPED
    )
    assert fate(replace(with_machine, store_uri="s3://b/r-1"), wish, days=days) is Fate.KEPT


def test_a_deletion_that_had_begun_goes_on_without_being_asked_for_again() -> None:
    story = Story().tell(Ended(outcome=Outcome.STOPPED))
    story.tell(StoreDiscarded(why="you named its run", size_bytes=5))
    assert fate(replace(story.run, store_uri="s3://bucket/runs/r-1"), Wish()) is Fate.ORPHAN


@pytest.mark.parametrize("uri", ["s3://bucket", "s3://bucket/r-1x", "file:///r-2", "s3://r-1"])
def test_a_place_that_is_not_the_runs_own_folder_is_never_emptied(uri: str) -> None:
    run = replace(ended(), store_uri=uri)
    assert fate(run, NAMED) is Fate.KEPT
