"""When a machine that keeps nothing is warned of, and when it is given up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from finsched.decide.live.freshness import in_vain, stale
from finsched.model.job import CheckpointSpec
from finsched.model.run import Rehearsal
from finsched.testing.builders import job
from finsched.testing.runs import Story

SAVES = job(checkpoint=CheckpointSpec(save_time=timedelta(seconds=60)))


@pytest.mark.parametrize(
    ("minutes", "is_stale", "is_in_vain"),
    [(20, False, False), (30, True, False), (130, True, True)],
)
def test_what_is_stale_is_given_up_later(minutes: int, is_stale: bool, is_in_vain: bool) -> None:
    story = Story(job=SAVES).launched().after(minutes=5).committed(0.1).after(minutes=minutes)
    assert (stale(story.run, story.now) is not None) is is_stale
    assert in_vain(story.run, story.now) is is_in_vain


def test_a_run_that_never_kept_anything_is_left_alone() -> None:
    story = Story(job=SAVES).launched().after(hours=9)
    assert stale(story.run, story.now)
    assert not in_vain(story.run, story.now)


def test_a_rehearsal_is_left_alone() -> None:
    story = Story(job=SAVES, rehearsal=Rehearsal(speed=300, seed=0)).launched().committed(0.1)
    story.after(hours=9)
    assert stale(story.run, story.now)
    assert not in_vain(story.run, story.now)
