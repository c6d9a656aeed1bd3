"""Small plots of one line: a sparkline of values, a bar of a share."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
FLAT = "─"
MISSING = " "
FILLED, EMPTY = "█", "░"


def sparkline(values: Sequence[float | None]) -> str:
    """Return one character a value, from the lowest block to the highest, and a blank for None.

    Values that are all alike give a flat line, which no level of a changing one looks like.
    """
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    return "".join(MISSING if each is None else _character(each, low, high) for each in values)


def bar(share: float, width: int) -> str:
    """Return a bar of `width` characters, filled to a share between 0 and 1."""
    filled = round(share * width)
    return FILLED * filled + EMPTY * (width - filled)


def _character(value: float, low: float, high: float) -> str:
    if math.isclose(low, high):
        return FLAT
    return BLOCKS[min(int((value - low) / (high - low) * len(BLOCKS)), len(BLOCKS) - 1)]
