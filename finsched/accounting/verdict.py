"""What a rehearsal proved: resumed every time, lost at most one interval, never went back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from finsched.accounting.account import account
from finsched.model.event import Progressed, Recorded
from finsched.model.run import Attempt, AttemptEnd, Outcome, Run

# Real seconds between a save and its commit that no cadence can remove: quiet time, polling.
COMMIT_LATENCY_SECONDS = 1.0
QUIET_SHARE_OF_INTERVAL = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What one interruption cost: real seconds of work since the last commit."""

    attempt: int
    noticed: bool
    at_progress: float | None
    committed_progress: float | None
    seconds: float
    allowed_seconds: float

    @property
    def within_one_interval(self) -> bool:
        """Whether no more than one checkpoint interval was lost."""
        return self.seconds <= self.allowed_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rehearsal proved; `failures` is empty when resume works."""

    passed: bool
    planned_interruptions: int | None
    interruptions: int
    resumed: int
    losses: tuple[Loss, ...]
    went_back: bool
    finished: bool
    would_have_cost_usd: Decimal
    failures: tuple[str, ...]


def verdict(run: Run, records: Sequence[Recorded]) -> Verdict:
    """Return what the rehearsal of this run proved."""
    interrupted = [attempt for attempt in run.attempts if attempt.end is AttemptEnd.INTERRUPTED]
    losses = tuple(_loss(run, attempt, records) for attempt in interrupted)
    resumed = sum(_resumed_after(run, attempt) for attempt in interrupted)
    went_back = any(_went_back(attempt, records) for attempt in run.attempts)
    failures = tuple(_failures(run, losses, resumed, went_back))
    return Verdict(
        passed=not failures,
        planned_interruptions=run.rehearsal.interruptions if run.rehearsal else None,
        interruptions=len(interrupted),
        resumed=resumed,
        losses=losses,
        went_back=went_back,
        finished=run.outcome is Outcome.FINISHED,
        would_have_cost_usd=account(run, records[-1].at).total_usd,
        failures=failures,
    )


def _failures(run: Run, losses: tuple[Loss, ...], resumed: int, went_back: bool) -> list[str]:
    failures = []
    planned = run.rehearsal.interruptions if run.rehearsal else None
    if run.outcome is not Outcome.FINISHED:
        failures.append(f"the job did not finish: {run.outcome} {run.detail}".rstrip())
    if planned is not None and len(losses) < planned:
        failures.append(
            f"only {len(losses)} of {planned} interruptions happened: the job ended too soon"
        )
    if losses and not any(a.restore and a.restore.sequence for a in run.attempts):
        failures.append("nothing was ever resumed: no checkpoint was committed before the end")
    if resumed < len(losses):
        failures.append(f"resumed from the last commit {resumed} of {len(losses)} times")
    failures += [
        f"attempt {loss.attempt} lost {loss.seconds:.1f} s of work,"
        f" more than one interval ({loss.allowed_seconds:.1f} s with the commit's own time)"
        for loss in losses
        if not loss.within_one_interval
    ]
    if went_back:
        failures.append("progress went back behind a commit after a resume")
    return failures


def _loss(run: Run, attempt: Attempt, records: Sequence[Recorded]) -> Loss:
    kept = [point for point in run.checkpoints if point.attempt == attempt.number]
    restored = attempt.restore.progress if attempt.restore else None
    return Loss(
        attempt=attempt.number,
        noticed=attempt.notice_at is not None,
        at_progress=attempt.progress,
        committed_progress=kept[-1].progress if kept else restored,
        seconds=_lost_seconds(run, attempt, records),
        allowed_seconds=_allowed_seconds(run, attempt),
    )


def _allowed_seconds(run: Run, attempt: Attempt) -> float:
    speed = run.rehearsal.speed if run.rehearsal else 1.0
    every = (attempt.placement.checkpoint_every_seconds or 0.0) / speed
    uploads = [c.upload_seconds for c in run.checkpoints if c.attempt == attempt.number]
    return every * (1 + QUIET_SHARE_OF_INTERVAL) + max(uploads, default=0) + COMMIT_LATENCY_SECONDS


def _lost_seconds(run: Run, attempt: Attempt, records: Sequence[Recorded]) -> float:
    """Real seconds: lost progress at the attempt's pace, else the time since the commit."""
    speed = run.rehearsal.speed if run.rehearsal else 1.0
    kept = [point for point in run.checkpoints if point.attempt == attempt.number]
    pace_per_second = _pace(attempt, records)
    if pace_per_second and attempt.progress is not None:
        base = kept[-1].progress if kept else (attempt.restore and attempt.restore.progress)
        return max(attempt.progress - (base or 0.0), 0.0) / pace_per_second / speed
    if attempt.ended_at is None or attempt.started_at is None:
        return 0.0
    since = kept[-1].at if kept else attempt.started_at
    return max((attempt.ended_at - since).total_seconds(), 0.0) / speed


def _pace(attempt: Attempt, records: Sequence[Recorded]) -> float | None:
    reports = _reports(attempt, records)
    if len(reports) < 2:
        return None
    seconds = (reports[-1][0] - reports[0][0]).total_seconds()
    return (reports[-1][1] - reports[0][1]) / seconds if seconds > 0 else None


def _reports(attempt: Attempt, records: Sequence[Recorded]) -> list[tuple[datetime, float]]:
    return [
        (record.at, record.event.progress)
        for record in records
        if isinstance(record.event, Progressed) and record.event.attempt == attempt.number
    ]


def _resumed_after(run: Run, interrupted: Attempt) -> bool:
    """Whether the next attempt that started did so from the last commit before it."""
    later = (a for a in run.attempts if a.number > interrupted.number and a.restore)
    following = next(later, None)
    if following is None or following.restore is None:
        return False
    before = [c.sequence for c in run.checkpoints if c.attempt < following.number]
    return following.restore.sequence == (before[-1] if before else None)


def _went_back(attempt: Attempt, records: Sequence[Recorded]) -> bool:
    reports = _reports(attempt, records)
    restored = attempt.restore.progress if attempt.restore else None
    return bool(reports) and restored is not None and reports[0][1] < restored - 1e-9
