"""Gamma priors of spot pools, from measured traces or from the AWS advisor's bands.

A trace gives its counts: losses in hours of being up. Traces name availability zones, whose names
differ between accounts, so the zones of a region are added up; gangs are left out, because they
are lost when any of their machines is.

The advisor's bands become priors as they do when its feed is read live: finsched_aws.interruptions
holds the assumptions and the formula.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from finsched.toolbox.bands import PRIOR_SHAPE
from finsched_aws.interruptions import BANDS
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
    exposure = PRIOR_SHAPE / BANDS.hazard_per_hour(band)
    return HazardRow(
        "aws", *key, band, None, None, PRIOR_SHAPE, exposure, band == BANDS.open_band, "spotinfo"
    )


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
