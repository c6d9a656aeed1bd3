"""What the ended attempts of a run teach: of a pool, of a machine's start, of the job's pace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from finsched.decide.live.cooldown import cool_downs
from finsched.decide.offers.fingerprint import fingerprint, setup_name
from finsched.model.interruption import Observation
from finsched.model.job import JobSpec
from finsched.model.market import CapacityType, CoolDown, Experience, Pool
from finsched.model.run import Attempt, AttemptEnd, Refusal, Run

LEAST_PROGRESS = 0.01
"""An attempt that did less tells more of loading and compiling than of pace."""


class Sighting(NamedTuple):
    """Instance-hours on a spot pool, and whether it took the machines back."""

    pool: Pool
    interruptions: int
    instance_hours: float


class Start(NamedTuple):
    """Seconds from the first billed second of a machine to the job's first one."""

    provider: str
    instance_type: str
    setup: str
    seconds: float


class Stretch(NamedTuple):
    """Hours of work, as the job file states it, that an attempt did in some hours."""

    job: str
    engine: str
    gpu_count: int
    work_hours: float
    hours: float


class Lesson(NamedTuple):
    """What one ended attempt teaches; None where it teaches nothing."""

    attempt: int
    day: date
    sighting: Sighting | None = None
    start: Start | None = None
    stretch: Stretch | None = None
    cool_down: CoolDown | None = None


def lessons(run: Run) -> Iterator[Lesson]:
    """Yield what each ended attempt teaches; a rehearsal teaches nothing of the clouds."""
    if run.rehearsal is not None:
        return
    for attempt in run.attempts:
        if attempt.ended_at is None:
            continue
        lesson = Lesson(attempt.number, attempt.ended_at.date(), cool_down=_cool_down(attempt))
        if attempt.billing_from is not None:
            lesson = lesson._replace(
                sighting=_sighting(attempt),
                start=_start(run.job, attempt),
                stretch=_stretch(run, attempt),
            )
        yield lesson


def lived_through(run: Run, experience: Experience) -> Experience:
    """Return an experience that holds what a rehearsal has seen of its pools so far, too."""
    seen: dict[Pool, list[Observation]] = {}
    for attempt in run.attempts:
        sighting = _sighting(attempt)
        if attempt.ended_at is None or sighting is None:
            continue
        observation = Observation(
            interruptions=sighting.interruptions,
            instance_hours=sighting.instance_hours,
            day=attempt.ended_at.date(),
        )
        seen.setdefault(sighting.pool, []).append(observation)
    known = experience.observations
    together = {pool: (*known.get(pool, ()), *own) for pool, own in seen.items()}
    return replace(experience, observations={**known, **together})


def _sighting(attempt: Attempt) -> Sighting | None:
    """Every hour on spot counts, however the attempt ended."""
    offer = attempt.placement.offer
    if offer.capacity_type is not CapacityType.SPOT:
        return None
    taken = attempt.end is AttemptEnd.INTERRUPTED
    return Sighting(offer.pool, int(taken), _hours_up(attempt) * attempt.placement.nodes)


def _cool_down(attempt: Attempt) -> CoolDown | None:
    """A refused quota is no lesson for others: a person may have got more before the next run."""
    return None if attempt.refusal is Refusal.QUOTA else next(cool_downs(attempt), None)


def _hours_up(attempt: Attempt) -> float:
    if attempt.billing_from is None or attempt.ended_at is None:
        return 0.0
    return max((attempt.ended_at - attempt.billing_from).total_seconds(), 0.0) / 3600


def _start(job: JobSpec, attempt: Attempt) -> Start | None:
    """Only a start from nothing, at once: a restore is reckoned apart, and a standby waits."""
    if attempt.started_at is None or attempt.billing_from is None:
        return None
    if attempt.standby or attempt.ready_at is not None or _restored(attempt):
        return None
    machine = attempt.placement.offer.instance_type
    seconds = max((attempt.started_at - attempt.billing_from).total_seconds(), 0.0)
    return Start(machine.provider, machine.name, setup_name(job), seconds)


def _restored(attempt: Attempt) -> bool:
    restore = attempt.restore
    return restore is not None and (restore.sequence is not None or restore.damaged > 0)


def _stretch(run: Run, attempt: Attempt) -> Stretch | None:
    done, hours = _done(attempt), _hours_of_work(run, attempt)
    if run.job.work is None or done is None or done < LEAST_PROGRESS or hours <= 0:
        return None
    machine = attempt.placement.offer.instance_type
    work_hours = done * run.job.work.hours
    return Stretch(fingerprint(run.job), machine.engine, machine.gpu_count, work_hours, hours)


def _done(attempt: Attempt) -> float | None:
    """The share of the work that an attempt did, lost or not; None where nobody knows."""
    restore = attempt.restore
    if restore is None:
        return None
    begun = restore.progress if _restored(attempt) else 0.0
    reached = attempt.progress
    if reached is None and attempt.end is AttemptEnd.FINISHED:
        reached = 1.0
    return None if begun is None or reached is None else reached - begun


def _hours_of_work(run: Run, attempt: Attempt) -> float:
    """From the job's first second to its last word, without the saves that a quote adds."""
    last_word = attempt.progress_at or attempt.ended_at
    if attempt.started_at is None or last_word is None:
        return 0.0
    seconds = (last_word - attempt.started_at).total_seconds()
    saves = [
        each for each in run.checkpoints if each.attempt == attempt.number and each.at <= last_word
    ]
    save_seconds = run.job.checkpoint.save_time.total_seconds() if run.job.checkpoint else 0.0
    return max(seconds - len(saves) * save_seconds, seconds / 2) / 3600
