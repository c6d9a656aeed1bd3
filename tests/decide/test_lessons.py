"""What a run's ended attempts teach, and what they do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from finsched.decide.offers.fingerprint import fingerprint
from finsched.decide.offers.lessons import Lesson, lessons
from finsched.model.event import Launched
from finsched.model.job import (
    Budget,
    CheckpointSpec,
    Dataset,
    GpuRequest,
    JobSpec,
    Requirements,
    Where,
    Work,
)
from finsched.model.run import AttemptEnd, Refusal, Rehearsal
from finsched.testing.builders import NOW, job, machine, offer, spot
from finsched.testing.runs import Story


def taught(story: Story) -> list[Lesson]:
    return list(lessons(story.run))


def test_an_interruption_is_one_in_the_instance_hours_of_the_pool() -> None:
    story = Story().launched(spot(4.0, zone="a"), nodes=2).after(hours=3)
    (lesson,) = taught(story.ended(AttemptEnd.INTERRUPTED))
    assert lesson.sighting == (spot(4.0, zone="a").pool, 1, pytest.approx(6.0))
    assert lesson.day == (NOW + timedelta(hours=3)).date()


@pytest.mark.parametrize("end", [AttemptEnd.FINISHED, AttemptEnd.STOPPED, AttemptEnd.NODE_FAILED])
def test_hours_on_spot_count_without_an_interruption(end: AttemptEnd) -> None:
    (lesson,) = taught(Story().launched(spot()).after(hours=3).ended(end))
    assert lesson.sighting == (spot().pool, 0, pytest.approx(3.0))


def test_on_demand_teaches_nothing_of_pools() -> None:
    (lesson,) = taught(Story().launched(offer(10.0)).after(hours=3).ended(AttemptEnd.FINISHED))
    assert lesson.sighting is None
    assert lesson.stretch is not None


def test_a_live_attempt_teaches_nothing_and_a_refusal_only_to_wait() -> None:
    story = Story().refused(spot(), Refusal.CAPACITY)
    [lesson] = taught(story.launched().after(hours=1))
    assert lesson.cool_down is not None
    assert lesson.cool_down.covers(spot())
    assert (lesson.sighting, lesson.start, lesson.stretch) == (None, None, None)


def test_a_refused_quota_is_no_lesson_for_other_runs() -> None:
    """A person may have got more of it before the next one."""
    [lesson] = taught(Story().refused(spot(), Refusal.QUOTA))
    assert lesson.cool_down is None


def test_a_rehearsal_teaches_nothing() -> None:
    story = Story(rehearsal=Rehearsal(speed=100.0, seed=0)).launched().after(hours=3)
    assert taught(story.ended(AttemptEnd.INTERRUPTED)) == []


# --- starts --------------------------------------------------------------------------------


def started_late(story: Story, seconds: float) -> Story:
    """Launch, and let the node report its start that many seconds later."""
    begun = story.now
    story.launched()
    started = story.records.pop()
    number = len(story.run.attempts)
    story.tell(Launched(attempt=number, instance_ids=("i",), billing_from=begun))
    story.now = begun + timedelta(seconds=seconds)
    return story.tell(started.event)


def test_a_start_lasts_from_the_first_bill_to_the_jobs_first_second() -> None:
    story = started_late(Story(), 95).after(hours=1).ended(AttemptEnd.STOPPED)
    (lesson,) = taught(story)
    assert lesson.start is not None
    assert lesson.start[:3] == ("aws", "p4de.24xlarge", "")
    assert lesson.start.seconds == pytest.approx(95)


def test_starts_with_another_setup_are_told_apart() -> None:
    first, second = (
        taught(Story(job=job(setup=setup)).launched().after(hours=1).ended(AttemptEnd.STOPPED))
        for setup in ("pip install torch", "pip install jax")
    )
    assert first[0].start is not None
    assert second[0].start is not None
    assert first[0].start.setup != second[0].start.setup


def test_a_start_from_a_checkpoint_is_no_measure_of_a_start() -> None:
    story = Story().launched().after(hours=1).committed(0.5).ended(AttemptEnd.INTERRUPTED)
    resumed = taught(story.launched().after(hours=1).ended(AttemptEnd.FINISHED))[1]
    assert resumed.start is None


# --- paces ---------------------------------------------------------------------------------


def test_progress_times_the_stated_hours_is_the_work_done() -> None:
    story = Story(job=job(hours=40)).launched().after(hours=5).progressed(0.25)
    (lesson,) = taught(story.after(hours=1).ended(AttemptEnd.INTERRUPTED))
    assert lesson.stretch is not None
    assert lesson.stretch[1:] == ("A100-80GB", 8, pytest.approx(10.0), pytest.approx(5.0))


def test_a_resumed_attempt_did_only_what_came_after_its_checkpoint() -> None:
    story = Story(job=job(hours=40)).launched().after(hours=5).progressed(0.25).committed(0.2)
    story.ended(AttemptEnd.INTERRUPTED).launched().after(hours=10).progressed(1.0)
    resumed = taught(story.ended(AttemptEnd.FINISHED))[1]
    assert resumed.stretch is not None
    assert resumed.stretch.work_hours == pytest.approx(0.8 * 40)
    assert resumed.stretch.hours == pytest.approx(10.0)


def test_a_silent_job_that_finished_from_nothing_did_all_of_it() -> None:
    (lesson,) = taught(
        Story(job=job(hours=40)).launched().after(hours=9).ended(AttemptEnd.FINISHED)
    )
    assert lesson.stretch is not None
    assert lesson.stretch[3:] == (pytest.approx(40.0), pytest.approx(9.0))


def test_saves_are_taken_out_because_a_quote_adds_them() -> None:
    saved = job(hours=40, checkpoint=CheckpointSpec(save_time=timedelta(minutes=6)))
    story = Story(job=saved).launched().after(hours=1).committed(0.1)
    story.after(hours=1).committed(0.2).progressed(0.2)
    (lesson,) = taught(story.ended(AttemptEnd.INTERRUPTED))
    assert lesson.stretch is not None
    assert lesson.stretch.hours == pytest.approx(2 - 0.2)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(Story().launched().after(hours=1), id="silent and not finished"),
        pytest.param(Story().launched().after(hours=1).progressed(0.005), id="hardly begun"),
        pytest.param(Story(job=job(hours=None)).launched().after(hours=1), id="no work stated"),
        pytest.param(
            Story().launched().committed().ended(AttemptEnd.STOPPED).launched().progressed(0.9),
            id="resumed from nobody knows where",
        ),
    ],
)
def test_a_pace_that_nobody_can_tell_is_none(story: Story) -> None:
    assert taught(story.after(hours=1).ended(AttemptEnd.STOPPED))[-1].stretch is None


def test_a_machine_without_gpu_is_known_by_its_name() -> None:
    bare = offer(1.0, instance_type=machine(name="c7i.large", gpu=None, gpu_count=0))
    (lesson,) = taught(Story().launched(bare).after(hours=2).ended(AttemptEnd.FINISHED))
    assert lesson.stretch is not None
    assert lesson.stretch[1:3] == ("c7i.large", 0)


# --- fingerprints --------------------------------------------------------------------------

WORK = job(env={"EPOCHS": "3"})


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"run": "python other.py"},
        {"setup": "pip install x"},
        {"env": {"EPOCHS": "4"}},
        {"work": Work(hours=41, reference="A100-80GB")},
        {"work": Work(hours=40, reference="H100")},
        {"inputs": (Dataset(uri="s3://lake", location=None, size_gb=1),)},
        {"requirements": Requirements(gpus=WORK.requirements.gpus, nodes=2)},
    ],
    ids=str,
)
def test_other_work_has_another_fingerprint(changes: dict[str, Any]) -> None:
    assert fingerprint(replace(WORK, **changes)) != fingerprint(WORK)


@pytest.mark.parametrize(
    "changes",
    [
        {"budget": Budget(max_cost_usd=3)},
        {"deadline": timedelta(hours=3)},
        {"where": Where(clouds=("aws",))},
        {"tags": {"team": "x"}},
        {"checkpoint": CheckpointSpec()},
        {"requirements": Requirements(gpus=(GpuRequest(count=1, name="H100"),))},
    ],
    ids=str,
)
def test_where_and_how_a_job_may_run_is_no_part_of_its_work(changes: dict[str, Any]) -> None:
    changed: JobSpec = replace(WORK, **changes)
    assert fingerprint(changed) == fingerprint(WORK)
