"""Is a pool cheaper on some day of the week? Measured, or said not to be measurable.

Every full week is compared with itself: log prices less the week's mean, so that a trend does not
count. Were all weekdays alike, a week's pattern could as well have had the opposite sign. Fisher's
randomisation test asks how often random signs give weekday means as far from zero as those seen.
Weeks are pooled into at most ten groups, so that all sign patterns can be tried: the answer is
exact, needs no chance, and fewer than six full weeks can never show an effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from statistics import fmean, stdev

DAYS_PER_WEEK = 7
MOST_GROUPS = 10
FEWEST_WEEKS = 6  # five weeks have 16 sign patterns, too few for 5 %
SIGNIFICANCE = 0.05
# Student's t at 0.9, by degrees of freedom: the bound of a central 80 % interval.
_T_80_PERCENT = {5: 1.476, 6: 1.440, 7: 1.415, 8: 1.397, 9: 1.383}
_ROUNDING = 1e-9

Pattern = tuple[float, ...]  # one log deviation a weekday, Monday first


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekdayEffect:
    """What the day of the week does to a price, or that nothing can be measured.

    `percent` is the price of `cheapest_weekday` (Monday is 0) above the mean of its week, below
    zero, within a central 80 % interval; all are None where there is no measurable effect.
    `p_value` is None where too few weeks or an unchanging price left nothing to test.
    """

    days: int
    weeks: int
    p_value: float | None = None
    cheapest_weekday: int | None = None
    percent: float | None = None
    low_percent: float | None = None
    high_percent: float | None = None

    @property
    def measurable(self) -> bool:
        """Whether some weekday is cheaper than the others, beyond chance."""
        return self.cheapest_weekday is not None


def weekday_effect(
    prices: Sequence[tuple[date, float]], significance: float = SIGNIFICANCE
) -> WeekdayEffect:
    """Return what the day of the week does to the price of one pool.

    `prices` holds at most one positive price a day. Where several pools are tested together,
    `significance` should be divided by their number (Bonferroni).
    """
    by_day = dict(prices)
    weeks = _full_weeks(by_day)
    nothing = WeekdayEffect(days=len(by_day), weeks=len(weeks))
    if len(weeks) < FEWEST_WEEKS or len(set(by_day.values())) == 1:
        return nothing
    groups = _pooled(weeks)
    p_value = _p_value(groups)
    if p_value > significance:
        return WeekdayEffect(days=len(by_day), weeks=len(weeks), p_value=p_value)
    return _effect(groups, len(by_day), len(weeks), p_value)


def _full_weeks(by_day: dict[date, float]) -> list[Pattern]:
    """Patterns of the stretches of seven days without a gap, counted from the first day of each."""
    weeks: list[Pattern] = []
    stretch: list[date] = []
    for day in sorted(by_day):
        if stretch and (day - stretch[-1]).days != 1:
            stretch = []
        stretch.append(day)
        if len(stretch) == DAYS_PER_WEEK:
            weeks.append(_pattern({each.weekday(): by_day[each] for each in stretch}))
            stretch = []
    return weeks


def _pattern(by_weekday: dict[int, float]) -> Pattern:
    logs = [math.log(by_weekday[weekday]) for weekday in range(DAYS_PER_WEEK)]
    middle = fmean(logs)
    return tuple(each - middle for each in logs)


def _pooled(weeks: list[Pattern]) -> list[Pattern]:
    """Means of every tenth week; each is as symmetrical about zero as a week is."""
    count = min(len(weeks), MOST_GROUPS)
    return [_mean(weeks[number::count]) for number in range(count)]


def _mean(patterns: Sequence[Pattern]) -> Pattern:
    return tuple(fmean(of_weekday) for of_weekday in zip(*patterns, strict=True))


def _p_value(groups: list[Pattern]) -> float:
    """The share of sign patterns that give weekday means as far from zero as the true signs."""
    observed = _distance(groups, (1,) * len(groups))
    others = list(product((1, -1), repeat=len(groups) - 1))  # the first sign makes no difference
    as_far = sum(_distance(groups, (1, *signs)) >= observed * (1 - _ROUNDING) for signs in others)
    return as_far / len(others)


def _distance(groups: list[Pattern], signs: tuple[int, ...]) -> float:
    sums = [_dot(signs, of_weekday) for of_weekday in zip(*groups, strict=True)]
    return _dot(sums, sums)


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _effect(groups: list[Pattern], days: int, weeks: int, p_value: float) -> WeekdayEffect:
    means = _mean(groups)
    cheapest = means.index(min(means))
    spread = stdev(group[cheapest] for group in groups) / math.sqrt(len(groups))
    margin = _T_80_PERCENT[len(groups) - 1] * spread
    low, middle, high = (
        100 * math.expm1(means[cheapest] + offset) for offset in (-margin, 0.0, margin)
    )
    return WeekdayEffect(
        days=days,
        weeks=weeks,
        p_value=p_value,
        cheapest_weekday=cheapest,
        percent=middle,
        low_percent=low,
        high_percent=high,
    )
