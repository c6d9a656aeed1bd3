"""What our own ended attempts have measured of machines and of a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """Own starts of one machine size, from the first billed second to the job's first one."""

    count: int
    seconds: float  # of all of them together
    first: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How own attempts of a job went on one kind of machine.

    `work_hours` are counted as the job file states the work; doing them took `hours`.
    """

    attempts: int
    work_hours: float
    hours: float
    first: date
    last: date
