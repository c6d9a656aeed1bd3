"""The worst case of a run, set aside in the budgets that it counts in before it may start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

from finsched.decide.live.spend import money, spent_usd
from finsched.decide.queue.reserving import budgets_of, lacking, more_usd, settlement
from finsched.errors import LedgerProblem, OverThreshold, SpecError
from finsched.ledger import Ledger
from finsched.model.budget import Entry, MonthlyBudget
from finsched.model.job import JobSpec

ABANDONED_AFTER = timedelta(hours=1)
"""What was set aside for a run that was never submitted counts no longer: its launch has died."""

_NAMED_AT_MOST = 3


def reserve(
    ledger: Ledger, run: str, job: JobSpec, limits: Mapping[str, float], now: datetime
) -> None:
    """Set the worst case of a run aside; what runs that have ended did not spend is freed first.

    However many do so at once, together they pass no budget. Raises `OverThreshold` where it does
    not fit, and `SpecError` for a job that does not say what it may cost.
    """
    names = budgets_of(job, limits)
    if not names:
        return
    worst_usd = _worst_usd(job, names)
    with ledger.transaction():
        settle(ledger, now)
        budgets = [_budget(ledger, run, name, limits[name], now) for name in names]
        if budget := lacking(budgets, run, worst_usd):
            raise _refusal(budget, more_usd(budget, run, worst_usd))
        for each in budgets:
            usd = more_usd(each, run, worst_usd)
            ledger.reserve(Entry(run=run, budget=each.name, month=each.month, usd=usd), now)


def settle(ledger: Ledger, now: datetime) -> None:
    """Free what runs that have ended did not spend; one that cannot be read keeps all of it."""
    for run in ledger.unsettled():
        with suppress(LedgerProblem):
            _settle(ledger, run, now)


def _settle(ledger: Ledger, run: str, now: datetime) -> None:
    for lines in _by_budget(ledger, run, now):
        if line := settlement(lines, _spent_usd(ledger, run)):
            ledger.reserve(line, now)


def _worst_usd(job: JobSpec, names: Sequence[str]) -> Decimal:
    if job.budget.max_cost_usd is None:
        raise SpecError(
            f"the job counts in the budget {names[0]} and does not say what it may cost at most",
            fix="set budget.max_cost in the job file, or --max-cost",
        )
    return money(job.budget.max_cost_usd)


def _budget(ledger: Ledger, run: str, name: str, limit_usd: float, now: datetime) -> MonthlyBudget:
    month = f"{now:%Y-%m}"
    lines = [line for _, line in ledger.reservations(run) if line.budget == name]
    return MonthlyBudget(
        name=name,
        month=month,
        limit_usd=money(limit_usd),
        counted=ledger.counted(name, month),
        earlier_usd=sum((line.usd for line in lines if line.month != month), Decimal(0)),
    )


def _by_budget(ledger: Ledger, run: str, now: datetime) -> list[list[Entry]]:
    """A run's lines by budget; none of one whose launch may still be under way."""
    found = ledger.reservations(run)
    if not ledger.records(run) and now - found[-1][0] < ABANDONED_AFTER:
        return []
    lines: dict[str, list[Entry]] = {}
    for _, line in found:
        lines.setdefault(line.budget, []).append(line)
    return list(lines.values())


def _spent_usd(ledger: Ledger, run: str) -> Decimal:
    if not ledger.records(run):
        return Decimal(0)
    ended = ledger.run(run)
    return spent_usd(ended, ended.ended_at or ended.submitted_at)


def _refusal(budget: MonthlyBudget, wanted_usd: Decimal) -> OverThreshold:
    left_usd = max(budget.left_usd, Decimal(0))
    most = sorted(budget.counted.items(), key=lambda item: -item[1])
    named = [f"{run} ${usd:,.2f}" for run, usd in most[:_NAMED_AT_MOST] if usd > 0]
    others = len([usd for _, usd in most if usd > 0]) - len(named)
    rest = f" and {others} more" if others > 0 else ""
    by_whom = f", held or spent by {', '.join(named)}{rest}" if named else ""
    return OverThreshold(
        f"the budget {budget.name} of {budget.month} has ${left_usd:,.2f} left of"
        f" ${budget.limit_usd:,.2f}{by_whom}; this run may need ${wanted_usd:,.2f}",
        fix="wait for a run to end, `finsched stop` one, ask for less with --max-cost, or raise"
        " [budgets] in the settings",
    )
