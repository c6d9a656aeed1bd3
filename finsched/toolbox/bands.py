"""Bands of how often spot machines are taken back, as priors.

A cloud gives bands of the share f of machines that are taken back within so many hours, so that
h = -ln(1 - f) / hours, taken at the middle of the band. A prior is worth one interruption (shape 1,
exposure 1/h). The open band bounds from below: its lower edge is put at the tenth percentile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from finsched.model.evidence import Evidence, Quality
from finsched.model.interruption import HazardPrior

PRIOR_SHAPE = 1.0
_TENTH_PERCENTILE = -math.log(0.9)  # of a Gamma with shape 1, in units of its mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """A cloud's bands: shares taken back within `hours`, by the names that the cloud gives them."""

    source: str
    shares: Mapping[str, tuple[float, float]]
    open_band: str
    open_from: float
    hours: float
    unit: str
    remark: str = ""

    def hazard_per_hour(self, band: str) -> float:
        """Mean hazard of a band; the formula is in this module's docstring."""
        if band == self.open_band:
            return self._hazard(self.open_from) / _TENTH_PERCENTILE
        low, high = self.shares[band]
        return self._hazard((low + high) / 2)

    def priors(self, asked_at: datetime) -> dict[str, HazardPrior]:
        """Return the prior of every band, as told at a moment."""
        return {band: self._prior(band, asked_at) for band in (*self.shares, self.open_band)}

    def _hazard(self, share: float) -> float:
        return -math.log1p(-share) / self.hours

    def _prior(self, band: str, asked_at: datetime) -> HazardPrior:
        evidence = Evidence(
            what="hazard",
            source=self.source,
            quality=Quality.ESTIMATED,
            earliest=asked_at.date(),
            latest=asked_at.date(),
            note=f"{band} {self.unit}, read {asked_at:%H:%M} UTC{self.remark}",
        )
        return HazardPrior(
            shape=PRIOR_SHAPE,
            exposure_hours=PRIOR_SHAPE / self.hazard_per_hour(band),
            saturated=band == self.open_band,
            evidence=evidence,
        )
