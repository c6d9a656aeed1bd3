"""Tables that no quote reads yet but reports will: carbon and commitments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tools.catalogs.gpus import canonical
from tools.catalogs.market import PROVIDER_NAMES, RUNPOD_NAMES
from tools.catalogs.sources import source_id
from tools.catalogs.tables import RawRow, number, read_rows

CARBON_COLUMNS = (
    "provider",
    "region",
    "grams_co2eq_per_kwh",
    "data_year",
    "pue",
    "carbon_free_share",
    "source",
    "pue_source",
)
COMMITMENT_COLUMNS = (
    "provider",
    "instance_type",
    "gpu",
    "gpu_count",
    "region",
    "plan",
    "months",
    "price_usd_per_hour",
    "on_demand_usd_per_hour",
    "source",
    "note",
)


def carbon(raw: Path) -> Iterator[tuple[object, ...]]:
    """Grid intensity and overhead of each region's power."""
    for row in read_rows(raw / "carbon/grid_intensity.csv"):
        yield (
            row["provider"],
            row["region"],
            number(row["gco2eq_per_kwh"]),
            row["data_year"],
            number(row["pue"]),
            number(row["google_cfe_fraction"]),
            source_id(row["source"]),
            source_id(row["pue_source"]) if row["pue_source"] else "",
        )


def commitments(raw: Path) -> Iterator[tuple[object, ...]]:
    """Prices for a promised term; RunPod's are savings plans of three and six months."""
    for row in read_rows(raw / "commitments/commitments.csv"):
        yield _commitment(row, row["plan"], row["term_months"], row["ondemand_usd_per_hour_total"])
    for row in read_rows(raw / "prices/market.csv"):
        if row["provider"] == "runpod" and row["tier"] in ("3mo", "6mo"):
            yield _commitment(row, "runpod_savings_plan", row["tier"].removesuffix("mo"), "")


def _commitment(row: RawRow, plan: str, months: str, on_demand: str) -> tuple[object, ...]:
    return (
        PROVIDER_NAMES.get(row["provider"], row["provider"]),
        RUNPOD_NAMES.get(row["sku"], row["sku"]),
        canonical(row["gpu_name"]),
        row["gpu_count"],
        row["region"],
        plan,
        months,
        number(row["usd_per_hour_total"]),
        number(on_demand),
        source_id(row["source"]),
        row["note"] if plan.startswith("gcp") else "",
    )
