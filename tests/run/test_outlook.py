"""When the market is looked up for a run, and when it is left alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from finsched.model.job import JobSpec
from finsched.model.market import Market
from finsched.model.run import AttemptEnd, Run
from finsched.node.clock import time_from
from finsched.run.clock import wall_clock
from finsched.run.outlook import Outlook
from finsched.testing.builders import job, market, offer, spot
from finsched.testing.runs import Story

SPOT = spot(3.0)


@dataclass
class StoryTime:
    """The moment of a story, as every clock has it."""

    story: Story

    def now(self) -> datetime:
        return self.story.now

    def monotonic(self) -> float:
        return self.story.now.timestamp()

    def pause(self, seconds: float) -> None:
        raise AssertionError(f"nobody waits here, and not for {seconds} s")


class WatchedMarket:
    """A market that counts how often it is read."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self, _run: Run, _now: datetime) -> Market:
        self.reads += 1
        return replace(market(offer(10.0), SPOT), launchable=frozenset({SPOT.provider}))


def outlook(story: Story, read: WatchedMarket) -> Outlook:
    with time_from(StoryTime(story)):
        return Outlook(story.run, read, wall_clock())


def look(seen: Outlook, story: Story) -> bool:
    """Look ahead, and say whether there are quotes."""
    with time_from(StoryTime(story)):
        return bool(seen.ahead(story.run, story.now).quotes)


@pytest.mark.parametrize(
    ("wanted", "reads"),
    [
        pytest.param(job(hours=10.0), 1, id="nothing to weigh"),
        pytest.param(job(hours=10.0, deadline=timedelta(hours=20)), 2, id="a deadline"),
        pytest.param(job(hours=10.0, scavenge_below_usd_per_hour=9.0), 2, id="a highest price"),
    ],
)
def test_a_live_run_has_the_market_read_only_where_that_matters(
    wanted: JobSpec, reads: int
) -> None:
    story, read = Story(job=wanted), WatchedMarket()
    seen = outlook(story, read)
    look(seen, story.launched(SPOT).after(minutes=30))
    assert read.reads == reads


def test_the_end_of_an_attempt_has_the_market_read_at_once() -> None:
    story, read = Story(job=job(hours=10.0)), WatchedMarket()
    seen = outlook(story, read)
    assert not look(seen, story.launched(SPOT).after(minutes=30))
    assert look(seen, story.after(seconds=1).ended(AttemptEnd.INTERRUPTED))
    assert read.reads == 2
