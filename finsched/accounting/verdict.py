"""What a rehearsal proved: resumed every time, lost at most one interval, never went back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from finsched.accounting.account import account
from finsched.model.event import Progressed, Recorded
from finsched.model.run import Attempt, AttemptEnd, Checkpoint, Outcome, Run

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
    """What a rehearsal proved; `failures` is empty when resume works.

    `resumed` counts the interruptions after which the next attempt went on from the last
    commit, `started_over` those after which there was none to go on from.
    """

    passed: bool
    planned_interruptions: int | None
    interruptions: int
    resumed: int
    started_over: int
    losses: tuple[Loss, ...]
    went_back: bool
    finished: bool
    speed: float
    would_have_cost_usd: Decimal
    quoted_usd: float | None
    failures: tuple[str, ...]


def verdict(run: Run, records: Sequence[Recorded]) -> Verdict:
    """Return what the rehearsal of this run proved."""
    evidence = _Evidence(run, records)
    failures = tuple(evidence.failures())
    return Verdict(
        passed=not failures,
        planned_interruptions=run.rehearsal.interruptions if run.rehearsal else None,
        interruptions=len(evidence.interrupted),
        resumed=len(evidence.resumed),
        started_over=len(evidence.started_over),
        losses=evidence.losses,
        went_back=bool(evidence.went_back),
        finished=run.outcome is Outcome.FINISHED,
        speed=evidence.speed,
        would_have_cost_usd=account(run, records[-1].at).total_usd,
        quoted_usd=run.attempts[0].placement.expected_total_usd if run.attempts else None,
        failures=failures,
    )


class _Evidence:
    """The run's attempts, as far as they speak for or against it."""

    def __init__(self, run: Run, records: Sequence[Recorded]) -> None:
        self.run = run
        self.speed = run.rehearsal.speed if run.rehearsal else 1.0
        self._reports = {each.number: _reports(each, records) for each in run.attempts}
        self.interrupted = [each for each in run.attempts if each.end is AttemptEnd.INTERRUPTED]
        pairs = [(each, _next_start(run, each)) for each in self.interrupted]
        self.resumed = [follower for _, follower in pairs if follower and _resumes(run, follower)]
        self.started_over = [
            follower for _, follower in pairs if follower and follower not in self.resumed
        ]
        self.losses = tuple(self._loss(each) for each in self.interrupted)
        self.went_back = [each for each in self.resumed if self._is_behind(each)]

    def failures(self) -> Iterator[str]:
        """Yield every reason why this rehearsal does not prove that the job resumes."""
        yield from self._not_finished()
        yield from self._not_interrupted()
        yield from self._not_resumed()
        yield from self._lost_too_much()
        yield from self._silent()
        for attempt in self.went_back:
            yield self._behind(attempt)

    def _not_finished(self) -> Iterator[str]:
        if self.run.outcome is Outcome.FINISHED:
            return
        last = self.run.attempts[-1] if self.run.attempts else None
        after = "right after a resume " if last and last in self.resumed else ""
        yield f"the job did not finish: {self.run.outcome} {after}{self.run.detail}".rstrip()

    def _not_interrupted(self) -> Iterator[str]:
        planned = self.run.rehearsal.interruptions if self.run.rehearsal else None
        happened = len(self.interrupted)
        if not happened and not planned:
            yield "nothing was interrupted, so nothing was proven"
        elif planned is not None and happened < planned:
            yield (
                f"only {happened} of {planned} interruptions happened: the job ended too soon;"
                " make it longer or its interval shorter (a higher --speed)"
            )

    def _not_resumed(self) -> Iterator[str]:
        if self.interrupted and not self.resumed:
            yield (
                "nothing was ever resumed: no checkpoint was committed before an interruption;"
                " does the job save to FINSCHED_CHECKPOINT_DIR every FINSCHED_CHECKPOINT_EVERY s?"
            )

    def _lost_too_much(self) -> Iterator[str]:
        for loss in self.losses:
            if not loss.within_one_interval:
                yield (
                    f"attempt {loss.attempt} lost {loss.seconds:.1f} s of work, more than one"
                    f" interval ({loss.allowed_seconds:.1f} s with the commit's own time)"
                )

    def _silent(self) -> Iterator[str]:
        if self.interrupted and not any(self._reports.values()):
            yield (
                "the job never wrote FINSCHED_PROGRESS, so going on cannot be told from"
                " starting over"
            )

    def _behind(self, attempt: Attempt) -> str:
        kept = attempt.restore.progress if attempt.restore else None
        return (
            f"attempt {attempt.number} was given {kept or 0:.0%} and began at"
            f" {self._reports[attempt.number][0][1]:.0%}: progress went back behind a commit;"
            " does the job load FINSCHED_RESUME_FROM?"
        )

    def _is_behind(self, attempt: Attempt) -> bool:
        reports = self._reports[attempt.number]
        restored = attempt.restore.progress if attempt.restore else None
        return bool(reports) and restored is not None and reports[0][1] < restored - 1e-9

    def _loss(self, attempt: Attempt) -> Loss:
        kept = _commits(self.run, attempt)
        restored = attempt.restore.progress if attempt.restore else None
        return Loss(
            attempt=attempt.number,
            noticed=attempt.notice_at is not None,
            at_progress=attempt.progress,
            committed_progress=kept[-1].progress if kept else restored,
            seconds=self._lost_seconds(attempt, kept) / self.speed,
            allowed_seconds=self._allowed_seconds(attempt, kept),
        )

    def _allowed_seconds(self, attempt: Attempt, kept: Sequence[Checkpoint]) -> float:
        every_seconds = (_last_interval_seconds(attempt) or 0.0) / self.speed
        upload_seconds = max((point.upload_seconds for point in kept), default=0.0)
        interval_seconds = every_seconds * (1 + QUIET_SHARE_OF_INTERVAL)
        return interval_seconds + upload_seconds + COMMIT_LATENCY_SECONDS

    def _lost_seconds(self, attempt: Attempt, kept: Sequence[Checkpoint]) -> float:
        """The run's seconds: lost progress at the attempt's pace, else time since the commit."""
        pace_per_second = _pace(self._reports[attempt.number])
        if pace_per_second and attempt.progress is not None:
            restored = attempt.restore.progress if attempt.restore else None
            base = kept[-1].progress if kept else restored
            return max(attempt.progress - (base or 0.0), 0.0) / pace_per_second
        if attempt.ended_at is None or attempt.started_at is None:
            return 0.0
        since = kept[-1].at if kept else attempt.started_at
        return max((attempt.ended_at - since).total_seconds(), 0.0)


def _last_interval_seconds(attempt: Attempt) -> float | None:
    """The interval that held at the attempt's end."""
    born_at, ended_at = attempt.billing_from, attempt.ended_at
    if born_at is None or ended_at is None:
        return attempt.placement.checkpoint_every_seconds
    return attempt.placement.checkpoint_every_at(ended_at - born_at)


def _commits(run: Run, attempt: Attempt) -> list[Checkpoint]:
    return [point for point in run.checkpoints if point.attempt == attempt.number]


def _next_start(run: Run, interrupted: Attempt) -> Attempt | None:
    later = (each for each in run.attempts if each.number > interrupted.number and each.restore)
    return next(later, None)


def _resumes(run: Run, attempt: Attempt) -> bool:
    """Whether an attempt started from the last commit before it."""
    before = [point.sequence for point in run.checkpoints if point.attempt < attempt.number]
    restored = attempt.restore.sequence if attempt.restore else None
    return restored is not None and bool(before) and restored == before[-1]


def _reports(attempt: Attempt, records: Sequence[Recorded]) -> list[tuple[datetime, float]]:
    return [
        (record.at, record.event.progress)
        for record in records
        if isinstance(record.event, Progressed) and record.event.attempt == attempt.number
    ]


def _pace(reports: Sequence[tuple[datetime, float]]) -> float | None:
    """Progress per second of the run's time between the first report and the last."""
    if len(reports) < 2:
        return None
    seconds = (reports[-1][0] - reports[0][0]).total_seconds()
    return (reports[-1][1] - reports[0][1]) / seconds if seconds > 0 else None
