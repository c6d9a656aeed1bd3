"""Egress tiers and measured throughput between regions."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from tools.catalogs.sources import source_id
from tools.catalogs.tables import RawRow, read_rows

EGRESS_COLUMNS = (
    "source_provider",
    "source_region",
    "destination_provider",
    "destination_region",
    "start_gb",
    "usd_per_gb",
    "source",
    "note",
)
THROUGHPUT_COLUMNS = (
    "source_provider",
    "source_region",
    "destination_provider",
    "destination_region",
    "gbit_per_second",
    "source",
)
PROVIDER_NAMES = {"do": "digitalocean"}
BETWEEN_ZONES = ("same-zone", "same-region")  # machine to machine; object stores do not charge it
UNCLEAR_UNITS = ("ibm",)  # the source counts its tiers in terabytes or gigabytes, it does not say
NOT_MODELLED = "no egress charge modelled"
OCI_ABOVE_10_TB_USD = 0.0085


class EgressRow(NamedTuple):
    """From `start_gb` in a month each further GB costs `usd_per_gb`."""

    source_provider: str
    source_region: str
    destination_provider: str
    destination_region: str
    start_gb: float
    usd_per_gb: float
    source: str
    note: str


class ThroughputRow(NamedTuple):
    """Speed of one machine to one other, many connections."""

    source_provider: str
    source_region: str
    destination_provider: str
    destination_region: str
    gbit_per_second: float
    source: str


def egress(raw: Path) -> list[EgressRow]:
    """Tiers by source region; a region with a ladder's first price gets the whole ladder."""
    rows = [
        _egress_row(row)
        for row in read_rows(raw / "transfer/egress_prices.csv")
        if row["dst_region"] not in BETWEEN_ZONES and row["src_provider"] not in UNCLEAR_UNITS
    ]
    rows.append(
        EgressRow(
            "oci",
            "*",
            "internet",
            "*",
            10240.0,
            OCI_ABOVE_10_TB_USD,
            "vendor",
            "price of North America and Europe; dearer elsewhere",
        )
    )
    return _with_ladders(rows)


def _egress_row(row: RawRow) -> EgressRow:
    source = source_id(row["source"])
    if row["note"] == NOT_MODELLED:
        source = "skypilot-no-egress"
    note = row["note"] if source == "skypilot-egress" else ""
    return EgressRow(
        PROVIDER_NAMES.get(row["src_provider"], row["src_provider"]),
        row["src_region"],
        row["dst_provider"],
        row["dst_region"],
        float(row["tier_start_gb"]),
        float(row["usd_per_gb"]),
        source,
        note,
    )


def _with_ladders(rows: list[EgressRow]) -> list[EgressRow]:
    ladders: dict[str, list[EgressRow]] = defaultdict(list)
    for row in rows:
        if row.source == "skypilot-egress" and row.destination_provider == "internet":
            ladders[row.source_provider].append(row)
    result: list[EgressRow] = []
    for row in rows:
        ladder = ladders.get(row.source_provider, [])
        result.extend(_climb(row, ladder) if _same_first_price(row, ladder) else [row])
    return result


def _same_first_price(row: EgressRow, ladder: list[EgressRow]) -> bool:
    paid = [step.usd_per_gb for step in ladder if step.usd_per_gb > 0]
    return (
        row.destination_provider == "internet"
        and row.source != "skypilot-egress"
        and len(paid) > 1
        and row.usd_per_gb == paid[0]
    )


def _climb(row: EgressRow, ladder: list[EgressRow]) -> list[EgressRow]:
    return [
        step._replace(source_region=row.source_region, source="egress-ladder", note="")
        for step in ladder
    ]


def throughput(raw: Path) -> list[ThroughputRow]:
    """The latest figure of every measured pair, and two estimates for the unmeasured ones."""
    latest: dict[tuple[str, str], RawRow] = {}
    for row in read_rows(raw / "transfer/throughput.csv"):
        key = (row["src"], row["dst"])
        if key not in latest or _rank(row) > _rank(latest[key]):
            latest[key] = row
    rows = [_throughput_row(row) for row in latest.values()]
    rows = [row for row in rows if row[:2] != row[2:4]]
    return [*rows, *_estimates(rows)]


def _rank(row: RawRow) -> tuple[str, bool]:
    return row["measured_on"], row["src_tier"] == row["dst_tier"] == "premium"


def _throughput_row(row: RawRow) -> ThroughputRow:
    return ThroughputRow(
        *_place(row["src"]), *_place(row["dst"]), float(row["gbps"]), source_id(row["source"])
    )


def _place(text: str) -> tuple[str, str]:
    provider, region = text.split(":")
    if provider == "gcp" and region[-2] == "-":
        region = region[:-2]
    return provider, region


def _estimates(rows: list[ThroughputRow]) -> list[ThroughputRow]:
    everywhere = [row.gbit_per_second for row in rows]
    inside = [
        row.gbit_per_second for row in rows if row.source_provider == row.destination_provider
    ]
    slow, fast = quantiles(everywhere, n=4)[0], quantiles(inside, n=10)[8]
    return [
        ThroughputRow("*", "*", "*", "*", slow, "throughput-quartile"),
        ThroughputRow("*", "same-region", "*", "same-region", fast, "throughput-decile"),
    ]
