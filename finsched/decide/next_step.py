"""What a run does next: a pure function from its state and the market to one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from finsched.model.market import CapacityType
from finsched.model.quote import Basis, Decision, Quote
from finsched.model.run import Attempt, AttemptEnd, Outcome, Run

NODE_FAILURES_IN_A_ROW = 3
REFUSALS_BEFORE_WAITING = 5
LONGEST_WAIT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Start the next attempt on this placement."""

    quote: Quote
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do before `until`."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """The live attempt goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The run is over; a live attempt is wound down first."""

    outcome: Outcome
    why: str


Step = Launch | Wait | Stay | End

_FINAL = {
    AttemptEnd.FINISHED: Outcome.FINISHED,
    AttemptEnd.JOB_FAILED: Outcome.JOB_FAILED,
}


def next_step(
    run: Run,
    *,
    now: datetime,
    spent_usd: Decimal,
    reserve: timedelta = timedelta(0),
    decision: Decision | None = None,
) -> Step:
    """Return what the run does next.

    `reserve` is the time that a last checkpoint needs: limits are met that much before they
    are reached. `decision` quotes the remaining work; it is needed only without a live attempt.
    """
    last = run.last_attempt
    if last and last.end in _FINAL:
        return End(outcome=_FINAL[last.end], why=last.detail)
    limit = _limit(run, now, spent_usd, reserve) or _limit_met(run, last, now, reserve)
    if limit:
        return limit
    if run.live_attempt:
        return Stay()
    return _launch(run, now, spent_usd, decision)


def _limit(run: Run, now: datetime, spent_usd: Decimal, reserve: timedelta) -> End | None:
    if run.stop_requested:
        return End(outcome=Outcome.STOPPED, why=run.stop_requested)
    if _over_budget(run, spent_usd, reserve):
        why = f"${spent_usd:.2f} of ${run.job.budget.max_cost_usd:.2f} spent"
        return End(outcome=Outcome.BUDGET, why=why)
    if run.deadline_at and now + reserve >= run.deadline_at:
        return End(
            outcome=Outcome.DEADLINE, why=f"the deadline {run.deadline_at:%F %T} UTC is here"
        )
    return None


def _limit_met(run: Run, last: Attempt | None, now: datetime, reserve: timedelta) -> End | None:
    """The node met a limit: of the run, unless the run has been given others since."""
    if last is None or last.end is not AttemptEnd.LIMIT or last.number <= run.limits_since:
        return None
    late = run.deadline_at is not None and now + 2 * reserve >= run.deadline_at
    return End(outcome=Outcome.DEADLINE if late else Outcome.BUDGET, why=last.detail)


def _over_budget(run: Run, spent_usd: Decimal, reserve: timedelta) -> bool:
    """Whether a last checkpoint at the last attempt's price, and delivering, no longer fit."""
    limit = run.job.budget.max_cost_usd
    if limit is None:
        return False
    held_usd = 0.0
    if run.attempts:
        placement = run.attempts[-1].placement
        held_usd = placement.usd_per_hour * reserve.total_seconds() / 3600
        held_usd += placement.output_transfer_usd
    return float(spent_usd) + held_usd >= limit


def _launch(run: Run, now: datetime, spent_usd: Decimal, decision: Decision | None) -> Step:
    last = run.last_attempt
    if _in_a_row(run, AttemptEnd.NODE_FAILED) >= NODE_FAILURES_IN_A_ROW:
        why = f"{NODE_FAILURES_IN_A_ROW} machines in a row broke: {last.detail if last else ''}"
        return End(outcome=Outcome.BROKEN, why=why)
    wait = _back_off(run, last, now)
    if wait:
        return wait
    quotes = _allowed(run, decision)
    if not quotes:
        return End(outcome=Outcome.NO_PLACEMENT, why="no feasible offer is left for the rest")
    quote = next((each for each in quotes if _affordable(run, each, spent_usd)), None)
    if quote is None:
        return End(outcome=Outcome.BUDGET, why="what is left does not pay for another start")
    return Launch(quote=quote, why=_why(run, quote))


def _affordable(run: Run, quote: Quote, spent_usd: Decimal) -> bool:
    """Whether moving the data and a first minute still fit into the budget."""
    limit = run.job.budget.max_cost_usd
    if limit is None or quote.basis is Basis.HOUR:
        return True
    return float(spent_usd) + quote.cost.transfer_usd + quote.price_usd_per_hour / 60 < limit


def _back_off(run: Run, last: Attempt | None, now: datetime) -> Wait | None:
    refusals = _in_a_row(run, AttemptEnd.NOT_LAUNCHED)
    if last is None or last.ended_at is None or refusals < REFUSALS_BEFORE_WAITING:
        return None
    pause = timedelta(seconds=30 * 2 ** min(refusals - REFUSALS_BEFORE_WAITING, 10))
    until = last.ended_at + min(pause, LONGEST_WAIT)
    return (
        Wait(until=until, why=f"{refusals} launches in a row were refused") if until > now else None
    )


def _allowed(run: Run, decision: Decision | None) -> Sequence[Quote]:
    """The quotes in order; only calm ones once the allowed interruptions are used up."""
    quotes = decision.quotes if decision else ()
    allowed = run.job.budget.max_interruptions
    if allowed is None or run.interruptions < allowed:
        return quotes
    return [each for each in quotes if each.offer.capacity_type is CapacityType.ON_DEMAND]


def _why(run: Run, quote: Quote) -> str:
    rest = "for what is left" if run.attempts else "for the whole run"
    return f"cheapest feasible, ${quote.total_usd:,.2f} expected {rest}"


def _in_a_row(run: Run, end: AttemptEnd) -> int:
    count = 0
    for attempt in reversed(run.attempts):
        if attempt.end is not end:
            break
        count += 1
    return count
