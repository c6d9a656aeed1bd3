"""Which quotes people see: one line a machine, at its cheapest place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from finsched.model.market import CapacityType
from finsched.model.quote import Quote

LINES = 10

Machine = tuple[str, str, CapacityType]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortlistLine:
    """A quote that is shown; a folded line stands for its machine in dearer places too."""

    rank: int
    quote: Quote
    folded: bool
    other_places: int
    best_of_provider: bool


def shortlist(quotes: Sequence[Quote], top: int | None = LINES) -> list[ShortlistLine]:
    """Return the `top` cheapest machines, each at its cheapest place."""
    places = Counter(_machine(quote) for quote in quotes)
    cheapest: dict[Machine, Quote] = {}
    for quote in quotes:
        cheapest.setdefault(_machine(quote), quote)
    providers = _first_of_each_provider(quotes)
    return [
        ShortlistLine(
            rank=rank,
            quote=quote,
            folded=True,
            other_places=places[machine] - 1,
            best_of_provider=providers[quote.offer.provider] is quote,
        )
        for rank, (machine, quote) in enumerate(list(cheapest.items())[:top], start=1)
    ]


def every_place(quotes: Sequence[Quote]) -> list[ShortlistLine]:
    """Return one line a quote."""
    providers = _first_of_each_provider(quotes)
    return [
        ShortlistLine(
            rank=rank,
            quote=quote,
            folded=False,
            other_places=0,
            best_of_provider=providers[quote.offer.provider] is quote,
        )
        for rank, quote in enumerate(quotes, start=1)
    ]


def _machine(quote: Quote) -> Machine:
    offer = quote.offer
    return offer.provider, offer.instance_type.name, offer.capacity_type


def _first_of_each_provider(quotes: Sequence[Quote]) -> dict[str, Quote]:
    first: dict[str, Quote] = {}
    for quote in quotes:
        first.setdefault(quote.offer.provider, quote)
    return first
