"""Whether the worst case of a run fits into the budgets of many runs, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from finsched.model.budget import Entry, MonthlyBudget
from finsched.model.job import JobSpec

ALL_RUNS = "total"
"""The name of the budget that every run counts in; the others are named after a tag."""


def budgets_of(job: JobSpec, limits: Mapping[str, float]) -> Sequence[str]:
    """Return the names of the budgets that a job counts in."""
    tags = {f"{key}={value}" for key, value in job.tags.items()}
    return [name for name in limits if name == ALL_RUNS or name in tags]


def lacking(budgets: Iterable[MonthlyBudget], run: str, worst_usd: Decimal) -> MonthlyBudget | None:
    """Return the first budget that the worst case of a run does not fit into.

    What the run takes of it already counts towards its worst case.
    """
    for budget in budgets:
        if more_usd(budget, run, worst_usd) > max(budget.left_usd, Decimal(0)):
            return budget
    return None


def more_usd(budget: MonthlyBudget, run: str, worst_usd: Decimal) -> Decimal:
    """Return what a run needs beyond what it takes of a budget already."""
    taken_usd = budget.earlier_usd + budget.counted.get(run, Decimal(0))
    return max(worst_usd - taken_usd, Decimal(0))


def settlement(lines: Sequence[Entry], spent_usd: Decimal) -> Entry | None:
    """Return the line that leaves of a run's lines in one budget what it has spent in all.

    It stands in the month of the last one. None where the run is settled already.
    """
    if not lines or lines[-1].settles:
        return None
    last = lines[-1]
    taken_usd = sum((each.usd for each in lines), Decimal(0))
    return Entry(
        run=last.run,
        budget=last.budget,
        month=last.month,
        usd=spent_usd - taken_usd,
        settles=True,
    )
