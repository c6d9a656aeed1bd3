"""Rounding that keeps sums: the one place where parts are rounded together."""

from __future__ import annotations

import math
from collections.abc import Mapping


def round_parts(parts: Mapping[str, float], digits: int) -> tuple[dict[str, float], float]:
    """Return the parts rounded to `digits`, and the rounded true total, which they sum to.

    By largest remainders: all are rounded down, then those that lost most get one unit back until
    the total is met. No part is off by a whole unit, and a round part stays as it is.
    """
    units = 10**digits
    scaled = {name: value * units for name, value in parts.items()}
    kept = {name: math.floor(value) for name, value in scaled.items()}
    total = round(math.fsum(scaled.values()))
    by_loss = sorted(parts, key=lambda name: kept[name] - scaled[name])
    for name in by_loss[: total - sum(kept.values())]:
        kept[name] += 1
    return {name: count / units for name, count in kept.items()}, total / units
