"""What many futures add up to: means, quantiles, and chances with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_Z_95_PERCENT = 1.959963984540054
_SHOWN = 0.99
_ALIKE, _ROUNDING = 1e-6, 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Mean and quantiles of a sample, with the standard error of the mean; NaN when empty."""

    mean: float
    p5: float
    p50: float
    p95: float
    standard_error: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Distribution:
        """Summarise a sample."""
        ordered = sorted(values)
        count = len(ordered)
        if not count:
            return cls(mean=math.nan, p5=math.nan, p50=math.nan, p95=math.nan, standard_error=0.0)
        mean = math.fsum(ordered) / count
        squares = math.fsum((value - mean) ** 2 for value in ordered)
        return cls(
            mean=mean,
            p5=quantile(ordered, 0.05),
            p50=quantile(ordered, 0.5),
            p95=quantile(ordered, 0.95),
            standard_error=math.sqrt(squares / max(count - 1, 1) / count),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """A share of futures as a probability, with Wilson's 95 % interval (1927)."""

    probability: float
    low: float
    high: float

    @classmethod
    def of(cls, hits: int, tries: int) -> Chance:
        """So many of so many."""
        share, z2 = hits / tries, _Z_95_PERCENT**2
        centre = (share + z2 / 2 / tries) / (1 + z2 / tries)
        spread = share * (1 - share) / tries + z2 / 4 / tries**2
        half = _Z_95_PERCENT / (1 + z2 / tries) * math.sqrt(spread)
        low, high = max(0.0, centre - half), min(1.0, centre + half)
        return cls(
            probability=share,
            low=0.0 if hits == 0 else low,
            high=1.0 if hits == tries else high,
        )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which that share lies, linear between neighbours."""
    place = share * (len(ordered) - 1)
    left = int(place)
    right = min(left + 1, len(ordered) - 1)
    return ordered[left] + (ordered[right] - ordered[left]) * (place - left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of a sample in bins of one width, from `low` on; the last one is open upwards."""

    low: float
    width: float
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: Sequence[float], bins: int) -> Histogram:
        """Count a sample in at most so many bins of a round width; one if all are alike.

        The hundredth part that is highest is gathered in the last bin, so that it hides nothing.
        """
        ordered = sorted(values)
        low, high = ordered[0], quantile(ordered, _SHOWN) + _ROUNDING
        if high - low <= _ALIKE * max(abs(high), 1.0):
            high = ordered[-1]
        if high - low <= _ALIKE * max(abs(high), 1.0):
            return cls(low=low, width=0.0, counts=(len(values),))
        width = _round_width((high - low) / (bins - 2))
        first, last = math.floor(low / width), math.floor(high / width)
        counts = [0] * (last - first + 1)
        for value in ordered:
            counts[min(math.floor(value / width), last) - first] += 1
        return cls(low=first * width, width=width, counts=tuple(counts))


def _round_width(least: float) -> float:
    """The next of 1, 2, 2.5 and 5 times a power of ten."""
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 2.5, 5, 10, 20) if step * power >= least)
