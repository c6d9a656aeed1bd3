"""How often a pool takes its machines back: a Gamma-Poisson posterior with its interval."""

from __future__ import annotations

import math
from dataclasses import replace

from finsched.model.evidence import Evidence, Quality
from finsched.model.interruption import Hazard, HazardPrior, Observation

_Z_80_PERCENT = 1.2815515655446004  # standard normal quantile at 0.9

# Published figures of spot pools span three orders of magnitude, from 1 in 10,000 hours to more
# than 1 per hour. Without any, one in 20 hours with half an event of weight says little, broadly.
_UNKNOWN_POOL = HazardPrior(
    shape=0.5,
    exposure_hours=10.0,
    saturated=False,
    evidence=Evidence(
        what="hazard",
        source="finsched default for a spot pool without history",
        quality=Quality.ESTIMATED,
        note="one interruption in 20 hours, within a wide interval",
    ),
)
_NOTHING_SEEN = Observation(interruptions=0, instance_hours=0.0)

ON_DEMAND_HAZARD = Hazard(
    per_hour=0.0,
    low_per_hour=0.0,
    high_per_hour=0.0,
    evidence=Evidence(
        what="hazard",
        source="on-demand machines are not taken back",
        quality=Quality.ESTIMATED,
        note="hardware failures are not counted",
    ),
)


def spot_hazard(prior: HazardPrior | None, observation: Observation | None) -> Hazard:
    """The posterior mean and central 80 % interval of a spot pool, per instance-hour.

    The Gamma prior is conjugate to Poisson counts: interruptions add to its shape, hours to its
    exposure. The prior of a saturated band is wide and its mean above the bound; it is labelled an
    estimate here, whatever its source.
    """
    believed = prior or _UNKNOWN_POOL
    seen = observation or _NOTHING_SEEN
    shape = believed.shape + seen.interruptions
    exposure_hours = believed.exposure_hours + seen.instance_hours
    return Hazard(
        per_hour=shape / exposure_hours,
        low_per_hour=gamma_quantile(shape, -_Z_80_PERCENT) / exposure_hours,
        high_per_hour=gamma_quantile(shape, _Z_80_PERCENT) / exposure_hours,
        evidence=_evidence(believed, observation),
    )


def gamma_quantile(shape: float, z: float) -> float:
    """Quantile of a Gamma variable of scale 1 at the standard normal quantile `z`.

    Wilson and Hilferty (1931): the cube root of a Gamma variable is nearly normal.
    """
    root = 1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))
    return shape * max(0.0, root) ** 3


def _evidence(prior: HazardPrior, observation: Observation | None) -> Evidence:
    """The prior's source, labelled where its band is open, with what we saw ourselves."""
    notes = [prior.evidence.note] if prior.evidence.note else []
    quality = prior.evidence.quality
    if prior.saturated:
        quality = Quality.ESTIMATED
        notes.append("open band: bounds from below only")
    if observation is not None:
        seen = f"{observation.interruptions} in {observation.instance_hours:g} own hours"
        notes.append(f"interruptions seen: {seen}")
    return replace(prior.evidence, quality=quality, note="; ".join(notes))
