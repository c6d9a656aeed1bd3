"""Why the winner wins and on which part of the cost the next ones lose."""

from __future__ import annotations

from dataclasses import dataclass, fields

from finsched.model.quote import Cost, Decision, Quote

_PARTS = tuple(field.name for field in fields(Cost))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A quote that came after the winner; differences are its amounts minus the winner's.

    `part` is the part of the cost, such as `rework`, that differs most to its disadvantage.
    """

    quote: Quote
    extra_usd: float
    part: str
    part_extra_usd: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why the winner wins; `saved_usd` is against the best on-demand quote, negative for a loss."""

    winner: Quote
    reason: str
    saved_usd: float | None
    lost: tuple[Comparison, ...]


def explain(decision: Decision, *, others: int = 3) -> Explanation | None:
    """Compare the winner with the next `others` quotes; None where nothing is feasible."""
    winner = decision.best
    if winner is None:
        return None
    lost = tuple(_compare(winner, quote) for quote in decision.quotes[1 : others + 1])
    on_demand = decision.best_on_demand
    return Explanation(
        winner=winner,
        reason=_why(lost),
        saved_usd=None if on_demand is None else on_demand.total_usd - winner.total_usd,
        lost=lost,
    )


def _compare(winner: Quote, quote: Quote) -> Comparison:
    extras = {part: getattr(quote.cost, part) - getattr(winner.cost, part) for part in _PARTS}
    part = max(extras, key=lambda name: extras[name])
    extra_usd = quote.total_usd - winner.total_usd
    name = part.removesuffix("_usd")
    return Comparison(
        quote=quote,
        extra_usd=extra_usd,
        part=name,
        part_extra_usd=extras[part],
        reason=_why_lost(quote, extra_usd, name, extras[part]),
    )


def _why_lost(quote: Quote, extra_usd: float, part: str, part_extra_usd: float) -> str:
    if extra_usd < 0:
        return f"ranked after known hosts: {', '.join(quote.marks)}"
    if extra_usd < 0.005:
        return "costs the same"
    return f"${extra_usd:,.2f} more, mostly {part}: ${part_extra_usd:,.2f} more"


def _why(lost: tuple[Comparison, ...]) -> str:
    if not lost:
        return "the only offer that can run this job"
    first = lost[0]
    if first.extra_usd < 0:
        return "the cheapest offer whose host size is known"
    if first.extra_usd < 0.005:
        return "as cheap as the next"
    return f"${first.extra_usd:,.2f} below the next, mostly on {first.part}"
