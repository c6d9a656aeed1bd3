"""What is known of a pool taking its machines back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from finsched.model.evidence import Evidence


class NoticeKind(StrEnum):
    """What a provider warns of."""

    INTERRUPTION = "interruption"
    REBALANCE = "rebalance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The provider's warning before an interruption."""

    kind: NoticeKind
    seen_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardPrior:
    """Gamma prior of a pool's interruptions: `shape` interruptions in `exposure_hours` hours.

    A measured trace gives its counts; an advisor band gives a weak prior whose width is the
    band's own. `saturated` marks an open band such as ">20 %", which bounds from below only.
    """

    shape: float
    exposure_hours: float
    saturated: bool
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What our own attempts that ended on one day saw of a pool."""

    interruptions: int
    instance_hours: float
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """Expected interruptions per instance-hour of a pool, with evidence.

    `low_per_hour` and `high_per_hour` bound the central 80 % of the posterior.
    """

    per_hour: float
    low_per_hour: float
    high_per_hour: float
    evidence: Evidence
