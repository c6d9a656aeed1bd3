"""What is left of a job: the same job, with the work that remains and without the first gate."""

from __future__ import annotations

from dataclasses import replace

from finsched.model.job import Budget, Dataset, JobSpec
from finsched.model.market import Location
from finsched.model.run import Attempt, Run

LEAST_SHARE = 0.001


def remaining(run: Run) -> JobSpec:
    """Return the job that is still to be done from the last committed checkpoint.

    Total budget and deadline no longer reject an offer here: both are enforced while the run
    lives, and a placement that is late or dear beats none for work that is already paid.
    """
    job = run.job
    limits = Budget(max_hourly_usd=job.budget.max_hourly_usd)
    inputs = tuple(_with_copies(run, dataset) for dataset in job.inputs)
    job = replace(job, deadline=None, budget=limits, inputs=inputs)
    if job.work is None:
        return job
    hours = job.work.hours * max(1.0 - done(run), LEAST_SHARE)
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
