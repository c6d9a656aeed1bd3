"""How often to save a checkpoint."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable

from finsched.decide.pricing.walltime import stretch

# Intervals that people use, in minutes.
ROUND_MINUTES = (
    *(1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 90, 105, 120, 150, 180),
    *(240, 300, 360, 480, 600, 720, 960, 1440, 2160, 2880, 4320, 5760, 7200, 10080, 14400, 20160),
)
LONGEST_INTERVAL_HOURS = 2.0  # never more at risk by choice: hazards are guesses, hardware fails
_ROUND_HOURS = tuple(minutes / 60 for minutes in ROUND_MINUTES)


def young_interval_hours(save_hours: float, hazard_per_hour: float) -> float:
    """Young (1974): the square root of twice the save time times the mean time between failures."""
    return math.sqrt(2 * save_hours / hazard_per_hour)


def daly_interval_hours(save_hours: float, hazard_per_hour: float) -> float:
    """Daly (2006), equation 37: Young's interval for a save time that is not small.

    From a save time of twice the mean time between failures on, that mean time itself.
    """
    mean_hours = 1 / hazard_per_hour
    if save_hours >= 2 * mean_hours:
        return mean_hours
    share = save_hours / (2 * mean_hours)
    correction = 1 + math.sqrt(share) / 3 + share / 9
    return young_interval_hours(save_hours, hazard_per_hour) * correction - save_hours


def interval_hours(
    *,
    work_hours: float,
    save_hours: float,
    hazard_per_hour: float,
    at_least_hours: float = 0.0,
    upload_hours: float = 0.0,
) -> float:
    """The round interval nearest Daly's that wastes least; never longer than the work or two hours.

    `at_least_hours` is the time one upload takes: a shorter interval would never drain, so only
    that makes it longer than two hours. `upload_hours` is what an upload costs in money, as hours
    of the machine's price. Without interruptions there is one interval, the work.
    """
    if hazard_per_hour <= 0:
        return work_hours
    longest = min(work_hours, _longest_hours(at_least_hours))
    dear_hours = save_hours + upload_hours
    target = daly_interval_hours(dear_hours, hazard_per_hour) if dear_hours > 0 else 0.0
    target = max(target, at_least_hours)
    if target >= longest:
        return longest

    def waste_of(hours: float) -> float:
        paid = hazard_per_hour * upload_hours / hours
        return stretch(hours, save_hours, hazard_per_hour) + paid

    best, least = longest, waste_of(longest)
    place = bisect_left(_ROUND_HOURS, target)
    for hours in _ROUND_HOURS[max(0, place - 1) : place + 1]:
        if at_least_hours <= hours < longest:
            waste = waste_of(hours)
            if waste < least:
                best, least = hours, waste
    return best


def cadence_by_age(
    *,
    save_hours: float,
    hazards_per_hour: Iterable[tuple[float, float]],
    at_least_hours: float = 0.0,
    upload_hours: float = 0.0,
) -> tuple[tuple[float, float], ...]:
    """The best round interval from each age of a machine on: (age, interval), both in seconds.

    `hazards_per_hour` holds, from age 0 s on, from which age which hazard of the whole gang counts.
    An interval is never longer than two hours, but where an upload takes longer.
    """
    table: list[tuple[float, float]] = []
    for age_seconds, hazard_per_hour in hazards_per_hour:
        hours = interval_hours(
            work_hours=_longest_hours(at_least_hours),
            save_hours=save_hours,
            hazard_per_hour=hazard_per_hour,
            at_least_hours=at_least_hours,
            upload_hours=upload_hours,
        )
        every_seconds = round(hours * 3600, 6)
        if not table or table[-1][1] != every_seconds:
            table.append((age_seconds, every_seconds))
    return tuple(table)


def _longest_hours(at_least_hours: float) -> float:
    """Two hours, or the first round interval in which an upload drains."""
    if at_least_hours <= LONGEST_INTERVAL_HOURS:
        return LONGEST_INTERVAL_HOURS
    place = bisect_left(_ROUND_HOURS, at_least_hours)
    return _ROUND_HOURS[place] if place < len(_ROUND_HOURS) else at_least_hours
