"""Ledger to account: every attempt, every dollar, at the prices that were in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from finsched.decide.live.spend import (
    attempt_usd,
    billed_seconds,
    money,
    storage_usd,
    transfer_usd,
)
from finsched.model.run import Attempt, AttemptEnd, Outcome, Placement, Run

_MICRODOLLAR = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One attempt in the account; `estimated` where nobody could say when its machine ended."""

    attempt: int
    placement: Placement
    end: AttemptEnd | None
    billed_seconds: int
    lost_seconds: float
    usd: Decimal
    detail: str
    estimated: bool = False


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
        transfer_usd=transfer_usd(run),
        storage_usd=storage_usd(run, now),
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
        estimated=attempt.estimated,
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
    moved_usd = best.copy_usd + best.restage_usd + best.stream_usd + best.output_transfer_usd
    return money(best.usd_per_hour * seconds / 3600 + moved_usd)
