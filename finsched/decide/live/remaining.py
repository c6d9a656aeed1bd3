"""What is left of a job: the same job, with the work that remains and without the first gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from finsched.model.job import Budget, Dataset, JobSpec
from finsched.model.market import Location
from finsched.model.run import Attempt, Placement, Run

LEAST_SHARE = 0.001
LEAST_SEEN = 0.05  # of the work, before its pace is believed


def remaining(run: Run, slowness: float = 1.0) -> JobSpec:
    """Return the job that is still to be done from the last committed checkpoint.

    `slowness` stretches its hours: what the work took so far, against what was believed of it.
    Total budget and deadline no longer reject an offer here: both are enforced while the run
    lives, and a placement that is late or dear beats none for work that is already paid. The
    start window holds for the run, not for its rest.
    """
    job = run.job
    limits = Budget(max_hourly_usd=job.budget.max_hourly_usd)
    inputs = tuple(_with_copies(run, dataset) for dataset in job.inputs)
    job = replace(job, deadline=None, start=None, budget=limits, inputs=inputs)
    if job.work is None:
        return job
    hours = job.work.hours * max(1.0 - done(run), LEAST_SHARE) * slowness
    return replace(job, work=replace(job.work, hours=hours))


def _with_copies(run: Run, dataset: Dataset) -> Dataset:
    """The dataset, knowing where earlier attempts have put a copy that is still there."""
    places = (
        Location(attempt.placement.offer.provider, attempt.placement.offer.region)
        for attempt in run.attempts
        if attempt.started_at and dataset.uri in attempt.placement.copied_uris
    )
    return replace(dataset, copies=tuple(dict.fromkeys(places)))


def done(run: Run) -> float:
    """Return the share of the work that is behind a commit: as reported, else by time."""
    last = run.last_checkpoint
    if last is None or run.job.work is None:
        return 0.0
    if last.progress is not None:
        return last.progress
    hours = sum(_committed_hours(run, attempt) for attempt in run.attempts)
    return min(hours / run.job.work.hours, 1.0)


def _committed_hours(run: Run, attempt: Attempt) -> float:
    kept = [point.at for point in run.checkpoints if point.attempt == attempt.number]
    if attempt.started_at is None or not kept:
        return 0.0
    seconds = (kept[-1] - attempt.started_at).total_seconds()
    return max(seconds, 0.0) / 3600 * attempt.placement.speedup


def in_hand(run: Run, now: datetime) -> float:
    """Return the share of the work that is done, what the live attempt has not kept included."""
    attempt, work = run.live_attempt, run.job.work
    if attempt is None or attempt.started_at is None or work is None:
        return done(run)
    if attempt.progress is not None:
        return max(done(run), attempt.progress)
    hours = (now - _kept_since(run, attempt, attempt.started_at)).total_seconds() / 3600
    return min(done(run) + hours * attempt.placement.speedup / work.hours, 1.0)


def slowness(run: Run, speed_of: Callable[[Placement], float]) -> float:
    """Return how much slower the work goes than is believed of it now, never less than 1.

    By the progress that attempts report, and the speed that each machine is believed to have; 1
    until a twentieth of the work was reported. Work that seems quicker may report its share badly:
    a deadline is not staked on that.
    """
    if run.job.work is None:
        return 1.0
    seen = [_seen(attempt, speed_of) for attempt in run.attempts]
    share = sum(progress for progress, _ in seen)
    hours = sum(hours for _, hours in seen)
    if share < LEAST_SEEN or hours <= 0:
        return 1.0
    return max(hours / (share * run.job.work.hours), 1.0)


def _seen(attempt: Attempt, speed_of: Callable[[Placement], float]) -> tuple[float, float]:
    """Progress that an attempt has reported, and the hours it took on the reference."""
    if attempt.progress is None or attempt.progress_at is None or attempt.started_at is None:
        return 0.0, 0.0
    begun = attempt.restore.progress if attempt.restore else None
    hours = (attempt.progress_at - attempt.started_at).total_seconds() / 3600
    return max(attempt.progress - (begun or 0.0), 0.0), hours * speed_of(attempt.placement)


def _kept_since(run: Run, attempt: Attempt, started_at: datetime) -> datetime:
    newest_first = reversed(run.checkpoints)
    kept = (point.at for point in newest_first if point.attempt == attempt.number)
    return next(kept, started_at)
