"""What a run has cost so far, from its attempts and the prices frozen when they were chosen.

Compute is metered. Transfer and storage are estimated from declared sizes and the bytes that
moved; they count against the budget all the same, because the invoice has them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from finsched.decide.pricing.paths import egress_usd
from finsched.decide.pricing.transfer import HOURS_PER_MONTH
from finsched.model.job import CheckpointSpec
from finsched.model.market import BillingRule, EgressTier
from finsched.model.run import Attempt, AttemptEnd, Outcome, Placement, Run

SECONDS_PER_HOUR = Decimal(3600)
_MICRODOLLAR = Decimal("0.000001")


def billed_seconds(attempt: Attempt, now: datetime) -> int:
    """Return the seconds the provider bills: rounded up, never below its minimum.

    An intent counts from when it was written: its machine may be there already. Of several machines
    it is the time of the one that was there for longest.
    """
    if attempt.ran_seconds:
        return max(_in_steps(ran, attempt.placement.billing) for ran in attempt.ran_seconds)
    began_at = attempt.billing_from or (attempt.intended_at if attempt.live else None)
    if began_at is None:
        return 0
    ran_seconds = ((attempt.ended_at or now) - began_at).total_seconds()
    return _in_steps(ran_seconds, attempt.placement.billing)


def attempt_usd(attempt: Attempt, now: datetime) -> Decimal:
    """Return the compute cost of one attempt up to `now`, to the millionth of a dollar."""
    usd_per_hour = attempt.placement.offer.price_usd_per_hour
    return _metered_usd(usd_per_hour, _machine_seconds(attempt, now))


def compute_usd(run: Run, now: datetime) -> Decimal:
    """Return the compute cost of all attempts up to `now`."""
    billed = (each for each in run.attempts if each.billing_from or each.live)
    return sum((attempt_usd(attempt, now) for attempt in billed), Decimal(0))


def possible_usd(run: Run, now: datetime) -> Decimal:
    """Return the part of the compute cost that is none where a launch has made no machine."""
    unsure = (attempt_usd(attempt, now) for attempt in run.attempts if attempt.unconfirmed)
    return sum(unsure, Decimal(0))


def transfer_usd(run: Run) -> Decimal:
    """Return what moving inputs, checkpoints and outputs has cost, estimated."""
    moved_usd = _inputs_usd(run) + _outputs_usd(run)
    moved_usd += _checkpoints_usd(run, lambda placement: placement.restore_tiers, _restored_gb)
    moved_usd += _checkpoints_usd(run, lambda placement: placement.upload_tiers, _committed_gb)
    return money(moved_usd)


def storage_usd(run: Run, now: datetime) -> Decimal:
    """Return what keeping the last checkpoints has cost, estimated."""
    last = run.last_at_work
    if not run.checkpoints or last is None:
        return Decimal(0)
    kept = (run.job.checkpoint or CheckpointSpec()).keep
    size_gb = kept * _size_gb(run, run.checkpoints[-1].size_bytes)
    hours = ((run.ended_at or now) - run.checkpoints[0].at).total_seconds() / 3600
    rate_usd = last.placement.storage_usd_per_gb_month
    return money(rate_usd * size_gb * max(hours, 0.0) / HOURS_PER_MONTH)


def spent_usd(run: Run, now: datetime) -> Decimal:
    """Return what the run has cost up to `now`: compute, transfer and storage."""
    return compute_usd(run, now) + transfer_usd(run) + storage_usd(run, now)


def budget_ends_at(run: Run, attempt: Attempt, now: datetime) -> datetime | None:
    """Return when this attempt, running on, leaves just enough of `budget.max_cost` to deliver."""
    limit = run.job.budget.max_cost_usd
    price_usd_per_hour = attempt.placement.usd_per_hour
    if limit is None or price_usd_per_hour <= 0:
        return None
    left_usd = limit - float(spent_usd(run, now)) - attempt.placement.output_transfer_usd
    hours_left = max(left_usd / price_usd_per_hour, 0.0)
    return now + min(timedelta(hours=hours_left), timedelta(days=3650))


def budget_met_at(run: Run, now: datetime, reserve: timedelta) -> datetime | None:
    """Return when all that runs together leaves just enough of the budget to save and deliver."""
    limit = run.job.budget.max_cost_usd
    if limit is None:
        return None
    live = [attempt.placement for attempt in run.attempts if attempt.live]
    usd_per_hour = sum(placement.usd_per_hour for placement in live)
    if usd_per_hour <= 0:
        return None
    kept_usd = max(placement.output_transfer_usd for placement in live)
    left_usd = limit - float(spent_usd(run, now)) - kept_usd
    hours_left = max(left_usd / usd_per_hour, 0.0)
    return now + min(timedelta(hours=hours_left), timedelta(days=3650)) - reserve


def money(usd: float) -> Decimal:
    """Return an estimate as an amount, to the millionth of a dollar."""
    return Decimal(str(usd)).quantize(_MICRODOLLAR)


@lru_cache(maxsize=4096)
def _metered_usd(usd_per_hour: float, machine_seconds: int) -> Decimal:
    """Remembered, because attempts that have ended are summed up at every look."""
    usd = Decimal(str(usd_per_hour)) * machine_seconds / SECONDS_PER_HOUR
    return usd.quantize(_MICRODOLLAR)


def _machine_seconds(attempt: Attempt, now: datetime) -> int:
    """The billed seconds of all nodes: while they run, as if all had been there from the start."""
    if attempt.ran_seconds:
        return sum(_in_steps(ran, attempt.placement.billing) for ran in attempt.ran_seconds)
    return billed_seconds(attempt, now) * attempt.placement.nodes


def _in_steps(ran_seconds: float, rule: BillingRule) -> int:
    steps = math.ceil(max(ran_seconds, 0.0) / rule.granularity_seconds)
    return max(steps * rule.granularity_seconds, rule.minimum_seconds)


def _inputs_usd(run: Run) -> float:
    """A copy in a region's storage is paid once, one on the machine at every start."""
    copied: dict[tuple[str, str], float] = defaultdict(float)
    each_time = 0.0
    for attempt in run.attempts:
        placement = attempt.placement
        moves = placement.copy_usd or placement.restage_usd or placement.stream_usd
        if moves and attempt.end is not AttemptEnd.NOT_LAUNCHED:
            place = _place(attempt)
            copied[place] = max(copied[place], placement.copy_usd)
            each_time += placement.restage_usd + placement.stream_usd * _share(attempt)
    return sum(copied.values()) + each_time


def _share(attempt: Attempt) -> float:
    """How much of the work that was left an attempt has done, lost or not; all if it is silent."""
    begun = attempt.restore.progress if attempt.restore else None
    if attempt.progress is None:
        return 1.0 if attempt.started_at else 0.0
    left = 1.0 - (begun or 0.0)
    return min(max(attempt.progress - (begun or 0.0), 0.0) / left, 1.0) if left > 0 else 0.0


def _checkpoints_usd(
    run: Run,
    tiers_of: Callable[[Placement], tuple[EgressTier, ...]],
    moved_gb: Callable[[Run, Attempt], float],
) -> float:
    """Tiers are marginal: what moved over one way is priced together."""
    if not any(tiers_of(attempt.placement) for attempt in run.attempts):
        return 0.0
    moved: dict[tuple[str, str], float] = defaultdict(float)
    tiers: dict[tuple[str, str], tuple[EgressTier, ...]] = {}
    for attempt in run.attempts:
        moved[_place(attempt)] += moved_gb(run, attempt)
        tiers[_place(attempt)] = tiers_of(attempt.placement)
    return sum(egress_usd(tiers[place], size_gb) for place, size_gb in moved.items())


def _restored_gb(run: Run, attempt: Attempt) -> float:
    restore = attempt.restore
    return _size_gb(run, restore.size_bytes) if restore and restore.size_bytes else 0.0


def _committed_gb(run: Run, attempt: Attempt) -> float:
    sizes = (each.size_bytes for each in run.checkpoints if each.attempt == attempt.number)
    return sum(_size_gb(run, size_bytes) for size_bytes in sizes)


def _size_gb(run: Run, size_bytes: int) -> float:
    """What moved here, but not less than declared: a rehearsal's checkpoint is a small one."""
    declared_gb = run.job.checkpoint.size_gb if run.job.checkpoint else 0.0
    return max(size_bytes / 1e9, declared_gb)


def _outputs_usd(run: Run) -> float:
    last = run.last_at_work
    finished = run.outcome is Outcome.FINISHED and last
    return last.placement.output_transfer_usd if last and finished else 0.0


def _place(attempt: Attempt) -> tuple[str, str]:
    return attempt.placement.offer.provider, attempt.placement.offer.region
