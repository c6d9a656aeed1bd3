"""How often a pool takes its machines back: a Gamma-Poisson posterior with its interval."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

from finsched.decide.offers.memory import NOTHING_SEEN, Memory, Seen, weight_of_age
from finsched.model.evidence import Evidence, Quality
from finsched.model.interruption import Hazard, HazardPrior
from finsched.model.market import Market, Pool

PRIOR_HALF_LIFE_DAYS = 365.0
"""The level of a pool outlasts its moods: in the recordings it is much the same half a year on."""

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


class Hazards:
    """The posterior of every spot pool of a market, from its priors and from our own runs."""

    def __init__(self, market: Market) -> None:
        self._priors = market.hazards
        self._today = market.as_of.date()
        self._memory = Memory(market.experience.observations, self._today)

    def of(self, pool: Pool) -> Hazard:
        """The pool's hazard per instance-hour; a zone without a prior has its region's."""
        prior = self._priors.get(pool) or self._priors.get(pool._replace(zone=""))
        own, siblings = self._memory.own(pool), self._memory.siblings(pool)
        return spot_hazard(prior, own, siblings, today=self._today)


def spot_hazard(
    prior: HazardPrior | None,
    own: Seen = NOTHING_SEEN,
    siblings: Seen = NOTHING_SEEN,
    *,
    today: date,
) -> Hazard:
    """The posterior mean and central 80 % interval of a spot pool, per instance-hour.

    The Gamma prior is conjugate to Poisson counts: interruptions add to its shape, hours to its
    exposure. The prior of a saturated band is wide and its mean above the bound; it is labelled an
    estimate here, whatever its source.
    """
    believed = aged(prior or _UNKNOWN_POOL, today)
    seen = own.plus(siblings)
    shape = believed.shape + seen.interruptions
    exposure_hours = believed.exposure_hours + seen.instance_hours
    return Hazard(
        per_hour=shape / exposure_hours,
        low_per_hour=gamma_quantile(shape, -_Z_80_PERCENT) / exposure_hours,
        high_per_hour=gamma_quantile(shape, _Z_80_PERCENT) / exposure_hours,
        evidence=_evidence(believed, own, siblings),
    )


def aged(prior: HazardPrior, today: date) -> HazardPrior:
    """The prior with its mean, and the weight that its age leaves; undated ones keep theirs.

    It never weighs less than a pool that nobody knows.
    """
    age_days = prior.evidence.age_days(today)
    if age_days is None or prior.shape <= _UNKNOWN_POOL.shape:
        return prior
    weight = weight_of_age(age_days, PRIOR_HALF_LIFE_DAYS)
    weight = max(weight, _UNKNOWN_POOL.shape / prior.shape)
    return HazardPrior(
        shape=prior.shape * weight,
        exposure_hours=prior.exposure_hours * weight,
        saturated=prior.saturated,
        evidence=prior.evidence,
    )


def gamma_quantile(shape: float, z: float) -> float:
    """Quantile of a Gamma variable of scale 1 at the standard normal quantile `z`.

    Wilson and Hilferty (1931): the cube root of a Gamma variable is nearly normal.
    """
    root = 1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))
    return shape * max(0.0, root) ** 3


def _evidence(prior: HazardPrior, own: Seen, siblings: Seen) -> Evidence:
    """The prior's source, labelled where its band is open, with what we saw ourselves."""
    if not (prior.saturated or any(own) or any(siblings)):
        return prior.evidence
    notes = [prior.evidence.note] if prior.evidence.note else []
    source, quality = prior.evidence.source, prior.evidence.quality
    if prior.saturated:
        quality = Quality.ESTIMATED
        notes.append("open band: bounds from below only")
    if any(own):
        source = f"{own.instance_hours:.3g} own hours and {source}"
        notes.append(f"own runs, weighted by age: {_said(own)}")
    if any(siblings):
        notes.append(f"own runs in sibling zones, at their lower weight: {_said(siblings)}")
    if own.instance_hours > prior.exposure_hours:
        quality = Quality.MEASURED
    return replace(prior.evidence, source=source, quality=quality, note="; ".join(notes))


def _said(seen: Seen) -> str:
    plural = "" if seen.interruptions == 1 else "s"
    return f"{seen.interruptions:.3g} interruption{plural} in {seen.instance_hours:.3g} h"
