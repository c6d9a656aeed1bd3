"""What a spot policy is told: the job once, and the situation at every decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable


class Off(Enum):
    """A placement outside the spot pools."""

    IDLE = "idle"
    ON_DEMAND = "on_demand"


Placement = Off | int
"""Where a job is, or goes: a spot pool by its index, on-demand, or nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A spot pool: machines of one kind in one zone, taken back together.

    `start_price` is paid at every start there, for data and checkpoint to get there.
    `hazard_ratio` is how often it takes its machines back, against the pools of `MEASURED`;
    `speed` is its work per hour, against the on-demand machine.
    """

    region: str
    price_per_hour: float
    start_price: float = 0.0
    hazard_ratio: float = 1.0
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotJob:
    """Work with a deadline, on spot pools or on demand; prices share one unit, times are seconds.

    `changeover_s` is what every start costs in time: provisioning, restoring, and lost work.
    `kept_every_s` is how much work may be lost: the time between two commits.
    """

    tick_s: float
    deadline_s: float
    work_s: float
    changeover_s: float
    on_demand_price_per_hour: float
    egress_price: float
    pools: tuple[Pool, ...]
    kept_every_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One moment of a job, after interruptions and before the decision.

    `ages_s` tells for how long each pool has been as it is, available or not, as far as is known.
    """

    time_left_s: float
    work_left_s: float
    placement: Placement
    changeover_left_s: float
    data_region: str | None
    available: Sequence[bool]
    ages_s: Sequence[float]


class Policy(Protocol):
    """Decides where one job runs until the next tick; a new one is made for every job."""

    def decide(self, now: Situation) -> Placement:
        """The placement until the next tick; a pool only while it is available."""
        ...


@runtime_checkable
class Weighing(Protocol):
    """A policy that can say what it expects each way to cost."""

    def weigh(self, now: Situation) -> Mapping[Placement, float]:
        """The expected cost to the end of every placement that could be had, in the job's money."""
        ...
