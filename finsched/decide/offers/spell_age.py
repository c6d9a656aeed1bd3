"""The hazard of a pool by how long it has been available without a break."""

from __future__ import annotations

from finsched.decide.spot.spells import MEASURED, STEP_S, age_class
from finsched.model.interruption import Hazard

_MEAN_CHANCE = MEASURED.losses_per_hour_up * STEP_S / 3600

AGE_MULTIPLIERS = tuple(chance / _MEAN_CHANCE for chance in MEASURED.up_ends)
"""By age class: the chance that a spell ends, against its mean over all time up."""


def hazard_at_age(hazard: Hazard, age_s: float) -> float:
    """Interruptions per instance-hour of a pool that has been up for `age_s` seconds."""
    return hazard.per_hour * AGE_MULTIPLIERS[age_class(age_s)]
