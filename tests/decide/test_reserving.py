"""Budgets of many runs: never passed by what is set aside, never refused where there is room."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from finsched.decide.queue.reserving import budgets_of, lacking, more_usd, settlement
from finsched.model.budget import Entry, MonthlyBudget
from finsched.testing.builders import job

usd = st.decimals(0, 1000, places=2)


class Book:
    """The lines of one budget in one month, as a ledger would keep them."""

    def __init__(self, limit_usd: Decimal) -> None:
        self.limit_usd = limit_usd
        self.lines: list[Entry] = []

    @property
    def budget(self) -> MonthlyBudget:
        counted: dict[str, Decimal] = {}
        for line in self.lines:
            counted[line.run] = counted.get(line.run, Decimal(0)) + line.usd
        return MonthlyBudget(
            name="team=ai", month="2026-11", limit_usd=self.limit_usd, counted=counted
        )

    def of(self, run: str) -> list[Entry]:
        return [line for line in self.lines if line.run == run]

    def reserve(self, run: str, worst_usd: Decimal) -> bool:
        if lacking([self.budget], run, worst_usd):
            return False
        more = more_usd(self.budget, run, worst_usd)
        self.lines.append(Entry(run=run, budget="team=ai", month="2026-11", usd=more))
        return True

    def settle(self, run: str, spent_usd: Decimal) -> None:
        if line := settlement(self.of(run), spent_usd):
            self.lines.append(line)


steps = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "d"]), usd, st.none() | st.decimals(0, 1, places=2)),
    max_size=30,
)


@settings(deadline=None)  # others may use the processor
@given(usd, steps)
def test_what_is_set_aside_and_spent_never_passes_the_budget(
    limit_usd: Decimal, told: list[tuple[str, Decimal, Decimal | None]]
) -> None:
    """Runs come, go on again with more, and end having spent a share of their worst case."""
    book, worst, spent = Book(limit_usd), dict[str, Decimal](), dict[str, Decimal]()
    for run, amount_usd, share in told:
        if share is not None and book.of(run) and not book.of(run)[-1].settles:
            least = spent.get(run, Decimal(0))
            spent[run] = least + (max(worst[run], least) - least) * share
            book.settle(run, spent[run])
            assert book.budget.counted[run] == spent[run]
        elif book.reserve(run, amount_usd):
            worst[run] = max(amount_usd, worst.get(run, Decimal(0)))
            assert book.budget.counted[run] >= amount_usd
        assert book.budget.left_usd >= 0


@settings(deadline=None)  # others may use the processor
@given(usd, usd, usd)
def test_a_run_is_refused_only_where_it_does_not_fit(
    limit_usd: Decimal, first_usd: Decimal, second_usd: Decimal
) -> None:
    book = Book(limit_usd)
    taken = first_usd if book.reserve("a", first_usd) else Decimal(0)
    assert (taken == first_usd) == (first_usd <= limit_usd)
    assert book.reserve("b", second_usd) == (second_usd <= limit_usd - taken)


@settings(deadline=None)  # others may use the processor
@given(usd, usd)
def test_what_was_settled_is_not_settled_again(worst_usd: Decimal, spent_usd: Decimal) -> None:
    book = Book(Decimal(10_000))
    book.reserve("a", worst_usd)
    book.settle("a", spent_usd)
    lines = list(book.lines)
    book.settle("a", spent_usd)
    assert book.lines == lines


def test_a_resumed_run_needs_only_what_it_has_not_spent_in_any_month() -> None:
    budget = MonthlyBudget(
        name="total",
        month="2026-12",
        limit_usd=Decimal(100),
        counted={"r": Decimal(10)},
        earlier_usd=Decimal(30),
    )
    assert more_usd(budget, "r", Decimal(130)) == 90
    assert lacking([budget], "r", Decimal(130)) is None
    assert lacking([budget], "r", Decimal("130.01")) is budget


def test_a_job_counts_in_the_budgets_of_its_tags_and_in_the_total() -> None:
    limits = {"total": 9.0, "team=ai": 5.0, "team=bio": 5.0}
    assert budgets_of(job(tags={"team": "ai"}), limits) == ["total", "team=ai"]
