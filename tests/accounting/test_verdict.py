from finsched.accounting.verdict import Verdict, verdict
from finsched.model.run import AttemptEnd, Rehearsal
from finsched.testing.runs import Story

TWICE = Rehearsal(speed=1.0, seed=0, interruptions=2)


def rehearsed(rehearsal: Rehearsal = TWICE) -> Story:
    return Story(rehearsal=rehearsal)


def judged(story: Story) -> Verdict:
    return verdict(story.run, story.records)


def working(story: Story, *, begin: float, end: float, seconds: float = 100.0) -> Story:
    """An attempt that reports its progress at an even pace."""
    story.launched(checkpoint_every_seconds=10.0)
    for step in range(11):
        story.progressed(begin + (end - begin) * step / 10)
        if step < 10:
            story.after(seconds=seconds / 10)
    return story


def good() -> Story:
    story = working(rehearsed(), begin=0.0, end=0.4).committed(0.4).ended(AttemptEnd.INTERRUPTED)
    working(story, begin=0.4, end=0.7).committed(0.7).ended(AttemptEnd.INTERRUPTED)
    return working(story, begin=0.7, end=1.0).committed(1.0).ended(AttemptEnd.FINISHED).finished()


def test_a_rehearsal_that_resumes_every_time_passes() -> None:
    proven = judged(good())
    assert proven.passed
    assert (proven.interruptions, proven.resumed, proven.went_back) == (2, 2, False)


def test_losing_more_than_an_interval_fails() -> None:
    story = working(rehearsed(), begin=0.0, end=0.2).committed(0.2)
    story.after(seconds=1).progressed(0.4).ended(AttemptEnd.INTERRUPTED)
    working(story, begin=0.2, end=0.7).committed(0.7).ended(AttemptEnd.INTERRUPTED)
    working(story, begin=0.7, end=1.0).ended(AttemptEnd.FINISHED).finished()
    assert any("more than one interval" in failure for failure in judged(story).failures)


def test_an_old_machine_is_allowed_the_interval_of_its_age() -> None:
    story = rehearsed(Rehearsal(speed=1.0, seed=0, interruptions=1))
    story.launched(checkpoint_every_seconds=10.0, checkpoint_cadence=((0.0, 5.0), (3600.0, 300.0)))
    story.after(hours=1).committed().after(seconds=290).ended(AttemptEnd.INTERRUPTED)
    [loss] = judged(story).losses
    assert loss.within_one_interval
    assert loss.seconds == 290


def test_going_back_behind_a_commit_fails() -> None:
    story = working(rehearsed(), begin=0.0, end=0.4).committed(0.4).ended(AttemptEnd.INTERRUPTED)
    working(story, begin=0.0, end=0.7).committed(0.7).ended(AttemptEnd.INTERRUPTED)
    working(story, begin=0.7, end=1.0).ended(AttemptEnd.FINISHED).finished()
    proven = judged(story)
    assert proven.went_back
    assert any("attempt 2 was given 40% and began at 0%" in each for each in proven.failures)


def test_a_job_that_ends_before_its_interruptions_proves_nothing() -> None:
    story = working(rehearsed(), begin=0.0, end=1.0).ended(AttemptEnd.FINISHED).finished()
    assert any("0 of 2 interruptions" in failure for failure in judged(story).failures)


def test_a_job_that_never_resumed_from_a_commit_proves_nothing() -> None:
    story = rehearsed()
    for _ in range(2):
        story.launched(checkpoint_every_seconds=600.0).after(seconds=5)
        story.ended(AttemptEnd.INTERRUPTED)
    story.launched().after(seconds=50).ended(AttemptEnd.FINISHED).finished()
    assert any("nothing was ever resumed" in failure for failure in judged(story).failures)


def test_an_unfinished_job_fails() -> None:
    story = working(rehearsed(), begin=0.0, end=0.4).committed(0.4).ended(AttemptEnd.JOB_FAILED)
    assert not judged(story).passed


def test_a_restart_is_not_counted_as_a_resume() -> None:
    story = working(rehearsed(), begin=0.0, end=0.1).ended(AttemptEnd.INTERRUPTED)
    working(story, begin=0.0, end=0.5).committed(0.5).ended(AttemptEnd.INTERRUPTED)
    working(story, begin=0.5, end=1.0).ended(AttemptEnd.FINISHED).finished()
    proven = judged(story)
    assert (proven.resumed, proven.started_over) == (1, 1)


def test_without_an_interruption_nothing_is_proven() -> None:
    story = rehearsed(Rehearsal(speed=1.0, seed=0, interruptions=0))
    working(story, begin=0.0, end=1.0).ended(AttemptEnd.FINISHED).finished()
    assert any("nothing was interrupted" in failure for failure in judged(story).failures)


def test_a_silent_job_cannot_prove_that_it_went_on() -> None:
    story = rehearsed(Rehearsal(speed=1.0, seed=0, interruptions=1))
    story.launched(checkpoint_every_seconds=10.0).after(seconds=5).committed().after(seconds=2)
    story.ended(AttemptEnd.INTERRUPTED).launched().after(seconds=9).ended(AttemptEnd.FINISHED)
    proven = judged(story.finished())
    assert proven.resumed == 1
    assert any("never wrote FINSCHED_PROGRESS" in failure for failure in proven.failures)
