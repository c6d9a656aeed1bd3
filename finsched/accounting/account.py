"""Ledger to account: every attempt, every dollar, at the prices that were in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from finsched.decide.spend import attempt_usd, billed_seconds
from finsched.model.job import CheckpointSpec
from finsched.model.run import Attempt, AttemptEnd, Outcome, Placement, Run

_MICRODOLLAR = Decimal("0.000001")
_HOURS_PER_MONTH = 730
KEPT_CHECKPOINTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One attempt in the account."""

    attempt: int
    placement: Placement
    end: AttemptEnd | None
    billed_seconds: int
    lost_seconds: float
    usd: Decimal
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a run cost, in parts that sum to `total_usd`.

    Compute is metered; transfer and storage are estimated from the job file's sizes, the
    bytes that really moved and the tables' prices. `on_demand_usd` is what the same useful
    hours, never interrupted, cost on the best on-demand placement known at the start.
    """

    run: str
    job: str
    outcome: Outcome | None
    rehearsed: bool
    lines: tuple[Line, ...]
    compute_usd: Decimal
    transfer_usd: Decimal
    storage_usd: Decimal
    useful_seconds: float
    on_demand: Placement | None
    on_demand_usd: Decimal | None

    @property
    def total_usd(self) -> Decimal:
        """The sum of the parts."""
        return self.compute_usd + self.transfer_usd + self.storage_usd

    @property
    def saved_usd(self) -> Decimal | None:
        """On-demand less what it cost; negative when it was dearer."""
        return None if self.on_demand_usd is None else self.on_demand_usd - self.total_usd

    @property
    def lost_usd(self) -> Decimal:
        """What the lost work cost: part of compute, not on top of it."""
        return sum((_share(line) for line in self.lines), Decimal(0)).quantize(_MICRODOLLAR)


def account(run: Run, now: datetime) -> Account:
    """Return the account of a run up to `now`."""
    lines = tuple(_line(run, attempt, now) for attempt in run.attempts)
    useful_seconds = sum(_useful_seconds(run, attempt, now) for attempt in run.attempts)
    return Account(
        run=run.id,
        job=run.job.name,
        outcome=run.outcome,
        rehearsed=run.rehearsal is not None,
        lines=lines,
        compute_usd=sum((line.usd for line in lines), Decimal(0)),
        transfer_usd=_transfer_usd(run),
        storage_usd=_storage_usd(run, now),
        useful_seconds=useful_seconds,
        on_demand=run.best_on_demand,
        on_demand_usd=_on_demand_usd(run, now),
    )


def lost_seconds(run: Run, attempt: Attempt) -> float:
    """Return how long an attempt had run without a commit when it ended: work to do again."""
    if attempt.ended_at is None or attempt.end is AttemptEnd.FINISHED:
        return 0.0
    if attempt.started_at is None:
        return 0.0
    kept = [point for point in run.checkpoints if point.attempt == attempt.number]
    elapsed = (attempt.ended_at - (kept[-1].at if kept else attempt.started_at)).total_seconds()
    return max(elapsed, 0.0)


def _line(run: Run, attempt: Attempt, now: datetime) -> Line:
    return Line(
        attempt=attempt.number,
        placement=attempt.placement,
        end=attempt.end,
        billed_seconds=billed_seconds(attempt, now),
        lost_seconds=lost_seconds(run, attempt),
        usd=attempt_usd(attempt, now),
        detail=attempt.detail,
    )


def _share(line: Line) -> Decimal:
    if not line.billed_seconds:
        return Decimal(0)
    return line.usd * Decimal(min(line.lost_seconds / line.billed_seconds, 1.0))


def _useful_seconds(run: Run, attempt: Attempt, now: datetime) -> float:
    if attempt.started_at is None:
        return 0.0
    ran = ((attempt.ended_at or now) - attempt.started_at).total_seconds()
    return max(ran - lost_seconds(run, attempt), 0.0)


def _on_demand_usd(run: Run, now: datetime) -> Decimal | None:
    best = run.best_on_demand
    if best is None:
        return None
    seconds = sum(
        _useful_seconds(run, attempt, now) * attempt.placement.speedup / best.speedup
        for attempt in run.attempts
    )
    moved_usd = best.input_transfer_usd + best.output_transfer_usd
    return _money(best.usd_per_hour * seconds / 3600 + moved_usd)


def _transfer_usd(run: Run) -> Decimal:
    return _money(_input_usd(run) + _restore_usd(run) + _output_usd(run))


def _input_usd(run: Run) -> float:
    regions: dict[tuple[str, str], float] = {}
    for attempt in run.attempts:
        if attempt.started_at is not None:
            place = attempt.placement.offer.provider, attempt.placement.offer.region
            usd = attempt.placement.input_transfer_usd
            regions[place] = max(regions.get(place, 0.0), usd)
    return sum(regions.values())


def _restore_usd(run: Run) -> float:
    return sum(
        attempt.placement.restore_usd_per_gb * _billed_gb(run.job.checkpoint, attempt)
        for attempt in run.attempts
        if attempt.restore
    )


def _billed_gb(checkpoint: CheckpointSpec | None, attempt: Attempt) -> float:
    moved_gb = attempt.restore.size_bytes / 1e9 if attempt.restore else 0.0
    declared_gb = checkpoint.size_gb if checkpoint and moved_gb else 0.0
    return max(moved_gb, declared_gb)


def _output_usd(run: Run) -> float:
    finished = run.outcome is Outcome.FINISHED and run.attempts
    return run.attempts[-1].placement.output_transfer_usd if finished else 0.0


def _storage_usd(run: Run, now: datetime) -> Decimal:
    if not run.checkpoints:
        return Decimal(0)
    declared_gb = run.job.checkpoint.size_gb if run.job.checkpoint else 0.0
    size_gb = KEPT_CHECKPOINTS * max(run.checkpoints[-1].size_bytes / 1e9, declared_gb)
    hours = ((run.ended_at or now) - run.checkpoints[0].at).total_seconds() / 3600
    rate = run.attempts[-1].placement.storage_usd_per_gb_month
    return _money(rate * size_gb * hours / _HOURS_PER_MONTH)


def _money(usd: float) -> Decimal:
    return Decimal(str(usd)).quantize(_MICRODOLLAR)
