"""Budgets of many runs together, and what is set aside in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyBudget:
    """What all runs of a tag, or all runs, may cost that are launched in one calendar month (UTC).

    `counted` is what each run takes of it: its worst case as long as it goes on, what it has spent
    afterwards. `earlier_usd` is what the run in question takes of other months.
    """

    name: str
    month: str
    limit_usd: Decimal
    counted: Mapping[str, Decimal] = field(default_factory=dict)
    earlier_usd: Decimal = Decimal(0)

    @property
    def left_usd(self) -> Decimal:
        """What another run may still take; below zero where runs cost more than they should."""
        return self.limit_usd - sum(self.counted.values(), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a budget in the ledger: set aside for a run, or below zero what it did not need.

    The sum of a run's lines is what it takes of the budget. `settles` marks the line that leaves
    what it has spent.
    """

    run: str
    budget: str
    month: str
    usd: Decimal
    settles: bool = False
