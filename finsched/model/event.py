"""What happens to a run, one event at a time, and the fold from events to the run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import Any

from finsched.model.changed import changed
from finsched.model.job import JobSpec
from finsched.model.run import (
    Attempt,
    AttemptEnd,
    AttemptState,
    Checkpoint,
    Choice,
    ClockAnchor,
    Outcome,
    Placement,
    QueuePlace,
    Refusal,
    Rehearsal,
    Restore,
    Run,
    Transfer,
    WarningCause,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A run began: the job as it was, the placement it is compared with, its store."""

    job: JobSpec
    store_uri: str
    workdir_key: str | None = None
    rehearsal: Rehearsal | None = None
    best_on_demand: Placement | None = None
    policy: str = "adaptive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockAnchored:
    """Simulated time was tied to real time (rehearsals only)."""

    anchor: ClockAnchor


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the run does next, and why; written when it changes."""

    choice: Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Intended:
    """Written before the create call: what is about to be launched."""

    attempt: int
    token: str
    provider: str
    placement: Placement
    standby: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """The provider gave us instances."""

    attempt: int
    instance_ids: tuple[str, ...]
    billing_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A standby has booted and staged what it needs; it waits for its turn."""

    attempt: int
    message: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """A standby takes over: the attempt before it has ended."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The node agent restored what there was and started the job."""

    attempt: int
    restore: Restore
    message: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """The job reported how much of it is done."""

    attempt: int
    progress: float
    message: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """A part of a checkpoint has been sent or fetched; told only where that takes long."""

    attempt: int
    transfer: Transfer
    message: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A checkpoint was committed."""

    attempt: int
    checkpoint: Checkpoint
    message: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """The provider warned that it takes the machine back."""

    attempt: int
    message: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something went wrong that did not end the attempt."""

    attempt: int
    text: str
    cause: WarningCause = WarningCause.OTHER
    message: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUsed:
    """The spend has passed a step of the budget, in percent; lower steps are passed with it."""

    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """Nothing of the attempt runs or bills any more.

    `ran_seconds` tells how long each machine was there, where that is not from the beginning to the
    end of the attempt: those of a gang do not end together, and one that nobody sees may run on.
    `refusal` is why there was none. `estimated` means that nobody could say when its machine ended,
    and so what it has cost.
    """

    attempt: int
    end: AttemptEnd
    detail: str = ""
    refusal: Refusal | None = None
    ran_seconds: tuple[float, ...] = ()
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested:
    """A person asked for the run to stop."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The run is over."""

    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A person asked for a run to go on from its last checkpoint, with new limits if given."""

    max_cost_usd: float | None = None
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """The run was handed to the per-user process; it starts when its turn comes."""

    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDiscarded:
    """A person gave up what an ended run keeps in its store; written before it is deleted."""

    why: str
    size_bytes: int


Event = (
    Submitted
    | ClockAnchored
    | Decided
    | Intended
    | Launched
    | Ready
    | Promoted
    | Started
    | Progressed
    | Transferred
    | Committed
    | Noticed
    | Warned
    | BudgetUsed
    | AttemptEnded
    | StopRequested
    | Ended
    | Resumed
    | Queued
    | StoreDiscarded
)


_OfAttempt = (
    Launched
    | Ready
    | Promoted
    | Started
    | Progressed
    | Transferred
    | Noticed
    | Warned
    | AttemptEnded
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event as it stands in the ledger."""

    sequence: int
    run: str
    at: datetime
    event: Event


def fold(records: Iterable[Recorded]) -> Run:
    """Return the run that these records, oldest first, tell of; the first is `Submitted`."""
    first, *rest = records
    if not isinstance(first.event, Submitted):
        raise TypeError(f"the first event of run {first.run} is not Submitted")
    return reduce(apply, rest, _submitted(first, first.event))


def apply(run: Run, record: Recorded) -> Run:
    """Return the run after one more event."""
    match record.event:
        case Intended():
            return changed(run, attempts=(*run.attempts, _intended(record, record.event)))
        case Committed(attempt=number, checkpoint=checkpoint):
            checkpoints = (*run.checkpoints, checkpoint)
            attempts = _attempts_after(run, record, number)
            return changed(run, checkpoints=checkpoints, attempts=attempts)
        case Warned(attempt=number, cause=WarningCause.STALE_CHECKPOINT):
            attempts = _attempts_after(run, record, number)
            return changed(run, stale_after=run.standing, attempts=attempts)
    if isinstance(record.event, _OfAttempt):
        return changed(run, attempts=_attempts_after(run, record, record.event.attempt))
    return _run_after(run, record)


def _submitted(record: Recorded, event: Submitted) -> Run:
    return Run(
        id=record.run,
        job=event.job,
        submitted_at=record.at,
        store_uri=event.store_uri,
        workdir_key=event.workdir_key,
        rehearsal=event.rehearsal,
        best_on_demand=event.best_on_demand,
        policy=event.policy,
    )


def _run_after(run: Run, record: Recorded) -> Run:
    match record.event:
        case ClockAnchored(anchor=anchor):
            return replace(run, anchor=anchor)
        case Decided(choice=choice):
            return changed(run, choice=choice)
        case BudgetUsed(percent=percent):
            return replace(run, budget_used_percent=percent)
        case StopRequested(reason=reason):
            return replace(run, stop_requested=reason)
        case Ended(outcome=outcome, detail=detail):
            return replace(run, outcome=outcome, detail=detail, ended_at=record.at)
        case Resumed():
            return _resumed(run, record.event)
        case Queued(priority=priority):
            place = QueuePlace(priority=priority, since=record.at, after=len(run.attempts))
            return replace(run, queue_place=place)
        case StoreDiscarded():
            return replace(run, store_discarded_at=record.at)
    raise TypeError(f"{type(record.event).__name__} is not an event of a submitted run")


def _resumed(run: Run, event: Resumed) -> Run:
    job = run.job
    if event.max_cost_usd is not None:
        job = replace(job, budget=replace(job.budget, max_cost_usd=event.max_cost_usd))
        run = replace(run, budget_used_percent=0)
    if event.deadline is not None:
        job = replace(job, deadline=event.deadline)
    return replace(
        run,
        job=job,
        resumed_after=_before_the_first_live(run),
        limits_since=len(run.attempts),
        outcome=None,
        ended_at=None,
        stop_requested=None,
        choice=None,
        detail="",
    )


def _before_the_first_live(run: Run) -> int:
    live = [attempt.number for attempt in run.attempts if attempt.live]
    return min(live) - 1 if live else len(run.attempts)


def _intended(record: Recorded, event: Intended) -> Attempt:
    return Attempt(
        number=event.attempt,
        token=event.token,
        provider=event.provider,
        placement=event.placement,
        intended_at=record.at,
        standby=event.standby,
    )


def _attempts_after(run: Run, record: Recorded, number: int) -> tuple[Attempt, ...]:
    return tuple(
        [
            _attempt_after(attempt, record) if attempt.number == number else attempt
            for attempt in run.attempts
        ]
    )


def _attempt_after(attempt: Attempt, record: Recorded) -> Attempt:
    heard = max(attempt.mailbox_position, getattr(record.event, "message", 0))
    return changed(attempt, mailbox_position=heard, **_changed_by(record))


def _changed_by(record: Recorded) -> dict[str, Any]:
    """The fields of an attempt that an event changes, but for what was heard of its node."""
    match record.event:
        case Launched(instance_ids=ids, billing_from=billing_from):
            state = AttemptState.LAUNCHED
            return {"state": state, "instance_ids": ids, "billing_from": billing_from}
        case Ready():
            return {"ready_at": record.at}
        case Promoted():
            return {"promoted_at": record.at}
        case Noticed():
            return {"notice_at": record.at}
        case AttemptEnded(end=end, detail=detail, refusal=refusal, ran_seconds=ran):
            over = {"state": AttemptState.ENDED, "ended_at": record.at, "transfer": None}
            told = {"end": end, "detail": detail, "refusal": refusal, "ran_seconds": ran}
            return {**over, **told, "estimated": record.event.estimated}
    return _changed_at_work(record)


def _changed_at_work(record: Recorded) -> dict[str, Any]:
    match record.event:
        case Started(restore=restore):
            begun = {"state": AttemptState.RUNNING, "started_at": record.at}
            return {**begun, "restore": restore, "transfer": None}
        case Progressed(progress=progress):
            return {"progress": progress, "progress_at": record.at}
        case Transferred(transfer=transfer):
            return {"transfer": transfer}
        case Committed():
            return {"transfer": None}
        case Warned():
            return {}
    raise TypeError(f"{type(record.event).__name__} is not an event of an attempt")
