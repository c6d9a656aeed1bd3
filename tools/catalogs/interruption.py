"""Gamma priors of spot pools, from measured traces or from the AWS advisor's bands.

A trace gives its counts: losses in hours of being up. Traces name availability zones, whose names
differ between accounts, so the zones of a region are added up; gangs are left out, because they
are lost when any of their machines is.

The advisor gives the share f of instances interrupted in a trailing month, not how long they ran.
Most do not run for a month of 730 hours: spot is used for batch work, tests and fleets that follow
the load. We assume that an instance runs LIFE_HOURS on average, a day, so h = -ln(1 - f) / 24 per
hour. Months instead of a day would make h thirty times lower, and the measured traces are higher
still: docs/reference/catalog.md compares them. The life is our assumption and the figure a regional
average: the prior is an estimate worth one interruption (shape 1, exposure 1/h), with h at the
middle of the band; its central 80 % contains the band. The open band ">20%" bounds from below: its
lower edge is put at the prior's tenth percentile.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from tools.catalogs.tables import read_rows

COLUMNS = (
    "provider",
    "region",
    "instance_type",
    "band",
    "losses",
    "up_hours",
    "prior_shape",
    "prior_exposure_hours",
    "saturated",
    "source",
)
LIFE_HOURS = 24.0  # assumed mean run of a spot instance
BANDS = {
    "<5%": (0.0, 0.05),
    "5-10%": (0.05, 0.10),
    "10-15%": (0.10, 0.15),
    "15-20%": (0.15, 0.20),
}
OPEN_BAND, OPEN_FROM = ">20%", 0.20
PRIOR_SHAPE = 1.0
TENTH_PERCENTILE = -math.log(0.9)  # of a Gamma with shape 1, in units of its mean
ZONE_LETTER = "abcdef"


class HazardRow(NamedTuple):
    """What is known of one pool's interruptions, and the prior made of it."""

    provider: str
    region: str
    instance_type: str
    band: str
    losses: int | None
    up_hours: float | None
    prior_shape: float
    prior_exposure_hours: float
    saturated: bool
    source: str


def hazards(raw: Path) -> list[HazardRow]:
    """One row per region and instance type; a measured trace wins over a band."""
    bands = {
        (row["region"], row["instance_type"]): row["interruption_range_label"]
        for row in read_rows(raw / "interruption/aws_spot_advisor.csv")
    }
    measured = _trace_counts(raw)
    return [_row(key, bands.get(key, ""), measured.get(key)) for key in sorted({*bands, *measured})]


def _row(key: tuple[str, str], band: str, counts: tuple[int, float] | None) -> HazardRow:
    if counts is not None:
        losses, up_hours = counts
        return HazardRow(
            "aws",
            *key,
            band,
            losses,
            up_hours,
            losses,
            up_hours,
            saturated=False,
            source="spot-traces",
        )
    exposure = PRIOR_SHAPE / band_hazard_per_hour(band)
    return HazardRow(
        "aws", *key, band, None, None, PRIOR_SHAPE, exposure, band == OPEN_BAND, "spotinfo"
    )


def band_hazard_per_hour(band: str) -> float:
    """Mean hazard of an advisor band; the formula is in this module's docstring."""
    if band == OPEN_BAND:
        return hazard_of_share(OPEN_FROM) / TENTH_PERCENTILE
    low, high = BANDS[band]
    return hazard_of_share((low + high) / 2)


def hazard_of_share(share: float) -> float:
    """Constant hourly hazard that takes back `share` of instances within their assumed life."""
    return -math.log1p(-share) / LIFE_HOURS


def _trace_counts(raw: Path) -> dict[tuple[str, str], tuple[int, float]]:
    losses: dict[tuple[str, str], int] = defaultdict(int)
    up_hours: dict[tuple[str, str], float] = defaultdict(float)
    for row in read_rows(raw / "interruption/spot_traces_summary.csv"):
        if row["provider"] != "aws" or not row["gpu_name"] or row["nodes"] != "1":
            continue
        key = (row["zone"].rstrip(ZONE_LETTER), row["instance_type"])
        losses[key] += int(row["losses"])
        up_hours[key] += float(row["hours"]) * float(row["fraction_all_nodes_up"])
    return {key: (losses[key], up_hours[key]) for key in losses}
