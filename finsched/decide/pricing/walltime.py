"""Expected wall-clock time of a run that is interrupted and resumes from its checkpoints."""

from __future__ import annotations

import math
from typing import NamedTuple

_LARGEST_EXPONENT = 700.0  # e^709 is the largest double


class WallTime(NamedTuple):
    """Expected hours of a run after its first start, in parts, and its expected interruptions."""

    work_hours: float
    checkpoint_hours: float
    rework_hours: float
    restart_hours: float
    interruptions: float

    @property
    def hours(self) -> float:
        """The sum of the parts."""
        return self.work_hours + self.checkpoint_hours + self.rework_hours + self.restart_hours


def expected_wall_time(
    *,
    work_hours: float,
    interval_hours: float,
    save_hours: float,
    restart_hours: float,
    hazard_per_hour: float,
) -> WallTime | None:
    """Daly (2006), equation 20: M e^(R/M) (e^((tau+delta)/M) - 1) W / tau, in its parts.

    Interruptions are Poisson with `hazard_per_hour` = 1/M at every moment, restarts included, so
    their expected number is the expected time over M. The share of `e^(R/M)` is time in restarts;
    what is left beyond work and saves was done twice. None where the expectation overflows.
    """
    segment_hours = interval_hours + save_hours
    checkpoint_hours = save_hours * work_hours / interval_hours
    if hazard_per_hour * (segment_hours + restart_hours) > _LARGEST_EXPONENT:
        return None
    productive_hours = work_hours + checkpoint_hours
    repeat = repeat_share(segment_hours * hazard_per_hour)
    restarting = math.expm1(restart_hours * hazard_per_hour)
    rework_hours = productive_hours * repeat
    total_restart_hours = (productive_hours + rework_hours) * restarting
    total_hours = productive_hours + rework_hours + total_restart_hours
    return WallTime(
        work_hours=work_hours,
        checkpoint_hours=checkpoint_hours,
        rework_hours=rework_hours,
        restart_hours=total_restart_hours,
        interruptions=hazard_per_hour * total_hours,
    )


def repeat_share(exponent: float) -> float:
    """(e^x - 1)/x - 1: the expected rework of a stretch, relative to it; 0 at 0, increasing."""
    if exponent < 1e-5:
        return exponent / 2 + exponent * exponent / 6  # here the quotient would cancel
    return math.expm1(exponent) / exponent - 1


def stretch(interval_hours: float, save_hours: float, hazard_per_hour: float) -> float:
    """Expected time per hour of work, up to a factor that does not depend on the interval."""
    exponent = hazard_per_hour * (interval_hours + save_hours)
    return math.expm1(min(exponent, _LARGEST_EXPONENT)) / interval_hours
