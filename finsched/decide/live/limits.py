"""When a run is over: it has finished, was stopped, or has met its budget or its deadline."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from finsched.decide.live.step import End
from finsched.model.quote import Basis, Quote
from finsched.model.run import AttemptEnd, Outcome, Run

_FINAL = {
    AttemptEnd.FINISHED: Outcome.FINISHED,
    AttemptEnd.JOB_FAILED: Outcome.JOB_FAILED,
}


def over(run: Run, now: datetime, spent_usd: Decimal, reserve: timedelta) -> End | None:
    """Return the end of a run that has nothing more to do, or may not go on."""
    return (
        _done(run)
        or _stopped(run)
        or _over_budget(run, spent_usd, reserve)
        or _past_deadline(run, now, reserve)
        or _limit_met(run, now, reserve)
    )


def affordable(run: Run, quote: Quote, spent_usd: Decimal) -> bool:
    """Whether a start still fits into the budget, which is billed in full however soon it ends.

    For a job of known work that is moving the data, getting ready and a first minute as well.
    """
    limit = run.job.budget.max_cost_usd
    if limit is None:
        return True
    hours, moved_usd = quote.least_billed_hours, 0.0
    if quote.basis is Basis.RUN:
        hours, moved_usd = max(hours, quote.restart_hours + 1 / 60), quote.cost.transfer_usd
    return float(spent_usd) + moved_usd + hours * quote.price_usd_per_hour < limit


def fits(run: Run, quote: Quote, spent_usd: Decimal) -> bool:
    """Whether all that is left of the work is expected to fit into the budget there."""
    limit = run.job.budget.max_cost_usd
    if limit is None or quote.basis is Basis.HOUR:
        return True
    return float(spent_usd) + quote.total_usd <= limit


def _done(run: Run) -> End | None:
    for attempt in reversed(run.recent_attempts):
        if attempt.end in _FINAL and not attempt.waiting:
            return End(outcome=_FINAL[attempt.end], why=attempt.detail)
    return None


def _stopped(run: Run) -> End | None:
    if run.stop_requested is None:
        return None
    return End(outcome=Outcome.STOPPED, why=run.stop_requested)


def _over_budget(run: Run, spent_usd: Decimal, reserve: timedelta) -> End | None:
    """Whether a last checkpoint at the present price, and delivering, no longer fit."""
    limit = run.job.budget.max_cost_usd
    if limit is None or float(spent_usd) + _held_usd(run, reserve) < limit:
        return None
    return End(outcome=Outcome.BUDGET, why=f"${spent_usd:.2f} of ${limit:.2f} spent")


def _held_usd(run: Run, reserve: timedelta) -> float:
    """What is kept back for a last checkpoint on every live machine, and for delivering."""
    placements = [each.placement for each in run.attempts if each.live]
    last = run.last_at_work
    placements = placements or ([last.placement] if last else [])
    saving_usd = sum(each.usd_per_hour for each in placements) * reserve.total_seconds() / 3600
    return saving_usd + max((each.output_transfer_usd for each in placements), default=0.0)


def _past_deadline(run: Run, now: datetime, reserve: timedelta) -> End | None:
    if run.deadline_at is None or now + reserve < run.deadline_at:
        return None
    why = f"the deadline {run.deadline_at:%F %T} UTC is here"
    return End(outcome=Outcome.DEADLINE, why=why)


def _limit_met(run: Run, now: datetime, reserve: timedelta) -> End | None:
    """The node met a limit: of the run, unless the run has been given others since."""
    last = run.last_attempt
    met = last is not None and last.end is AttemptEnd.LIMIT
    if last is None or not met or last.number <= run.limits_since:
        return None
    late = run.deadline_at is not None and now + 2 * reserve >= run.deadline_at
    return End(outcome=Outcome.DEADLINE if late else Outcome.BUDGET, why=last.detail)
