"""The chance that an interrupted run ends in time, and what the way out costs."""

from __future__ import annotations

import math
from typing import NamedTuple


class Finish(NamedTuple):
    """The estimated chance to finish in time and, when late, the mean hours past the deadline."""

    probability: float
    late_hours: float


IN_TIME = Finish(1.0, 0.0)


def finish_by(
    *,
    slack_hours: float,
    segments: float,
    segment_hours: float,
    restart_hours: float,
    hazard_per_hour: float,
) -> Finish:
    """Estimate whether interruptions eat more than the slack over an uninterrupted run.

    With probability e^(-hazard * segments * segment) nothing is interrupted. Otherwise the excess
    is taken as Gamma with the renewal process's own mean and variance (segments are independent),
    its distribution by Wilson and Hilferty (1931). An estimate, checked against simulation.
    """
    exponent = hazard_per_hour * segments * segment_hours
    if exponent < 1e-9:
        return IN_TIME
    interrupted = -math.expm1(-exponent)
    mean, variance = _segment_moments(segment_hours, restart_hours, hazard_per_hour)
    excess = segments * (mean - segment_hours)
    excess_mean = excess / interrupted
    excess_variance = (segments * variance + excess**2) / interrupted - excess_mean**2
    shape = excess_mean**2 / max(excess_variance, 1e-12 * excess_mean**2)
    scale = excess_mean / shape
    late = interrupted * (1 - gamma_cdf(shape, slack_hours / scale))
    beyond = shape * (1 - gamma_cdf(shape + 1, slack_hours / scale)) * scale * interrupted
    if late <= 1e-12:
        return IN_TIME
    return Finish(1 - late, max(0.0, beyond / late - slack_hours))


def fallback_premium_usd(
    *,
    finish: Finish,
    work_hours: float,
    deadline_hours: float,
    usd_per_hour: float,
    on_demand_usd_per_hour: float,
    restart_hours: float,
) -> float:
    """What the on-demand way out adds in expectation to a run that would end late.

    In the late case the run leaves spot at the last moment that still makes the deadline: x hours
    on demand at full speed, the others at the late run's own pace, x = W (T - D) / (T - W) with T
    the mean late duration. Never below zero: the way out is not counted as a saving.
    """
    late_total = deadline_hours + finish.late_hours
    if finish.late_hours <= 0 or late_total <= work_hours:
        return 0.0
    on_demand_hours = work_hours * finish.late_hours / (late_total - work_hours)
    on_demand_hours = min(on_demand_hours, work_hours)
    spot_hours_saved = late_total - (deadline_hours - on_demand_hours)
    premium = (on_demand_hours + restart_hours) * on_demand_usd_per_hour
    premium -= spot_hours_saved * usd_per_hour
    return max(0.0, (1 - finish.probability) * premium)


def gamma_cdf(shape: float, value: float) -> float:
    """Distribution of a Gamma variable of scale 1: Wilson and Hilferty (1931)."""
    if value <= 0:
        return 0.0
    center = 1 - 1 / (9 * shape)
    z = ((value / shape) ** (1 / 3) - center) * 3 * math.sqrt(shape)
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _segment_moments(segment: float, restart: float, hazard: float) -> tuple[float, float]:
    """Mean and variance of the hours that one segment takes with its interruptions.

    The first try is cut at t < segment with density `hazard` e^(-hazard t); after it an unbroken
    stretch of restart and segment is awaited, whose moments are those of the first gap of that
    length in a Poisson process.
    """
    stretch = hazard * (restart + segment)
    wait = math.expm1(stretch) / hazard
    wait_variance = (math.exp(2 * stretch) - 2 * stretch * math.exp(stretch) - 1) / hazard**2
    wait_square = wait_variance + wait**2
    x = hazard * segment
    survives = math.exp(-x)
    cut = (1 - survives * (1 + x)) / hazard  # mean of t over cut tries
    cut_square = (2 - survives * (x * x + 2 * x + 2)) / hazard**2
    mean = survives * segment + cut + (1 - survives) * wait
    square = survives * segment**2 + cut_square + 2 * cut * wait + (1 - survives) * wait_square
    return mean, max(0.0, square - mean**2)
