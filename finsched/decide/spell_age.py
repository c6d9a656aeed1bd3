"""The hazard of a pool by how long it has been available without a break."""

from __future__ import annotations

from finsched.decide.spot.spells import MEASURED, STEP_S, age_class
from finsched.model.interruption import Hazard

_UP = sum(MEASURED.up_share)
_ENDS_PER_STEP = (
    sum(share * ends for share, ends in zip(MEASURED.up_share, MEASURED.up_ends, strict=True)) / _UP
)

MEASURED_HAZARD_PER_HOUR = _ENDS_PER_STEP * 3600 / STEP_S
"""How often an up spell of the measured pools ends, per hour up."""

AGE_MULTIPLIERS = tuple(ends / _ENDS_PER_STEP for ends in MEASURED.up_ends)
"""By age class: the chance that a spell ends, against its mean over all time up."""


def hazard_at_age(hazard: Hazard, age_s: float) -> float:
    """Interruptions per instance-hour of a pool that has been up for `age_s` seconds."""
    return hazard.per_hour * AGE_MULTIPLIERS[age_class(age_s)]


def hazard_ratio(hazard: Hazard) -> float:
    """How often a pool takes its machines back, against the pools that spells were measured on."""
    return hazard.per_hour / MEASURED_HAZARD_PER_HOUR
