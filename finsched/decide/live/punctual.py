"""Which quotes end in time."""

from __future__ import annotations

from collections.abc import Sequence

from finsched.model.quote import Quote

NEARLY = 1.25
"""A quote may be so much too long and still be tried: its hours are an estimate."""


def punctual(quotes: Sequence[Quote], left_s: float | None) -> Sequence[Quote]:
    """Return the quotes that end within the time that is left, in their order.

    Where none does, the quickest is returned if it nearly does; else all of them: a run that is
    late on every machine is not worth a dear one.
    """
    if left_s is None:
        return quotes
    in_time = [quote for quote in quotes if _seconds(quote) <= left_s]
    if in_time or not quotes:
        return in_time
    quickest = min(quotes, key=_seconds)
    return [quickest] if _seconds(quickest) <= NEARLY * left_s else quotes


def _seconds(quote: Quote) -> float:
    return quote.hours.expected * 3600
