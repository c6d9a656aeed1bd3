"""Flat rows of the many smaller providers, and newer figures for the large ones."""

from __future__ import annotations

import re
from pathlib import Path

from tools.catalogs.gpus import canonical
from tools.catalogs.offers import Collected, Dropped, OfferRow, TypeRow
from tools.catalogs.sources import source_id
from tools.catalogs.tables import RawRow, number, read_rows

PROVIDER_NAMES = {"vast-ai": "vast"}
COMMITMENT = re.compile(r"\d+mo")
KINDS = {  # raw tier: capacity type, tier
    "on_demand": ("on_demand", "standard"),
    "secure": ("on_demand", "standard"),
    "production": ("on_demand", "standard"),
    "spot": ("spot", "standard"),
    "community": ("on_demand", "community"),
    "marketplace": ("on_demand", "marketplace"),
    "prototyping": ("on_demand", "prototyping"),
    "dws_flex_start": ("on_demand", "flex_start"),
    "dws_calendar": ("on_demand", "calendar"),
}
LOWEST_ASK = frozenset({"vast"})  # its on-demand rows are the cheapest host of the moment
PRIVATE_HOSTS = frozenset({"salad"})  # idle machines of private people, interruptible
LIKELY_SPOT = "likely spot, not guaranteed on-demand"
HOST_BILLED_APART = ("billed separately", "CPU/RAM/storage billed")
RUNPOD_NAMES = {
    "NVIDIA A100 80GB PCIe": "a100-pcie",
    "NVIDIA A100-SXM4-40GB": "a100-sxm-40gb",
    "NVIDIA A100-SXM4-80GB": "a100-sxm",
    "NVIDIA B200": "b200",
    "NVIDIA B300 SXM6 AC": "hgx-b300",
    "NVIDIA H100 80GB HBM3": "h100-sxm",
    "NVIDIA H100 NVL": "h100-nvl",
    "NVIDIA H100 PCIe": "h100-pcie",
    "NVIDIA H200": "h200",
    "NVIDIA H200 NVL": "h200-nvl",
    "NVIDIA L4": "l4",
    "NVIDIA L40": "l40",
    "NVIDIA L40S": "l40s",
}
GCP_SLICE = "whole A4 slice incl. host"


def flat(raw: Path) -> Collected:
    """Every market row that is an offer, one machine of one GPU unless the row says otherwise."""
    result = Collected([], [], [])
    for row in read_rows(raw / "prices/market.csv"):
        if COMMITMENT.fullmatch(row["tier"]) or row["provider"] == "lambda":
            continue
        kind, offer = _type_of(row), _offer_of(row)
        if row["provider"] in ("gcp", "oci"):
            _component(row, offer, result)
            continue
        result.types.append(kind)
        result.offers.append(offer)
    _set_aside_spot_above_list(result)
    return result


def _set_aside_spot_above_list(result: Collected) -> None:
    """A spot price above the provider's own on-demand of the same GPU and list is a mistake.

    Here alone: where a cloud's zones are measured, spot above on-demand happens and is kept.
    """
    gpu_of = {(kind.provider, kind.instance_type): kind.gpu for kind in result.types}
    listed: dict[tuple[str, ...], float] = {}
    for offer in result.offers:
        if offer.capacity_type == "on_demand":
            key = (gpu_of.get(offer[:2], ""), offer.provider, offer.region, offer.source)
            price = offer.price_usd_per_hour
            listed[key] = max(price, listed.get(key, 0.0))
    for offer in [each for each in result.offers if each.capacity_type == "spot"]:
        key = (gpu_of.get(offer[:2], ""), offer.provider, offer.region, offer.source)
        if offer.price_usd_per_hour > listed.get(key, offer.price_usd_per_hour):
            result.offers.remove(offer)
            result.dropped.append(Dropped(offer, "spot_above_list"))


def _component(row: RawRow, offer: OfferRow, result: Collected) -> None:
    """GCP and OCI rows price one GPU: only the B200 slice includes its part of the host."""
    if row["provider"] == "oci":
        return
    if row["note"] != GCP_SLICE:
        result.dropped.append(Dropped(offer, "accelerator_without_host"))
        return
    if offer.tier == "standard":
        return
    whole = offer._replace(
        instance_type="a4-highgpu-8g",
        price_usd_per_hour=offer.price_usd_per_hour * 8,
        source="gcp-slice",
        note="",
    )
    result.offers.append(whole)


def _type_of(row: RawRow) -> TypeRow:
    return TypeRow(
        _provider(row),
        _name(row),
        canonical(row["gpu_name"]),
        int(row["gpu_count"]),
        number(row["gpu_memory_gib"]),
        None,
        None,
        source_id(row["source"]),
    )


def _offer_of(row: RawRow) -> OfferRow:
    capacity_type, tier = _kind(row)
    return OfferRow(
        _provider(row),
        _name(row),
        row["region"],
        "",
        capacity_type,
        tier,
        float(row["usd_per_hour_total"]),
        source_id(row["source"]),
        _note(row["note"]),
    )


def _kind(row: RawRow) -> tuple[str, str]:
    capacity_type, tier = KINDS[row["tier"]]
    provider = _provider(row)
    if provider in LOWEST_ASK:
        tier = "marketplace"
    if provider in PRIVATE_HOSTS:
        tier = "community"
    if LIKELY_SPOT in row["note"]:
        capacity_type = "spot"
    return capacity_type, tier


def _note(text: str) -> str:
    if any(words in text for words in HOST_BILLED_APART):
        return "GPU alone: vCPU and memory are billed on top"
    if "derives hourly as monthly" in text:
        return "hourly price derived from a monthly one"
    if "8x node" in text:
        return "sold as a node of eight; price per GPU"
    if "may be stale" in text:
        return "the provider's page may be stale"
    if "rarely available" in text:
        return "rarely available"
    return ""


def _provider(row: RawRow) -> str:
    return PROVIDER_NAMES.get(row["provider"], row["provider"])


def _name(row: RawRow) -> str:
    sku = row["sku"]
    if sku in RUNPOD_NAMES:
        return RUNPOD_NAMES[sku]
    sku = sku.removeprefix(f"{row['provider']}-")
    return sku.removesuffix("-" + row["tier"].replace("_", "-"))


def newest(offers: list[OfferRow], latest_day: dict[str, str]) -> list[OfferRow]:
    """Keep one price per pool, capacity type and tier: the one seen last."""
    best: dict[tuple[str, ...], OfferRow] = {}
    for offer in offers:
        key = offer[:6]
        held = best.get(key)
        if held is None or _freshness(offer, latest_day) > _freshness(held, latest_day):
            best[key] = offer
    return list(best.values())


def _freshness(offer: OfferRow, latest_day: dict[str, str]) -> tuple[str, float]:
    return latest_day[offer.source], -offer.price_usd_per_hour


def confirmed(offers: list[OfferRow], types: dict[tuple[str, str], TypeRow], raw: Path) -> None:
    """Date an undated list price in place when a dated list repeats it for the same GPU."""
    seen = {
        (row["provider"], row["region"], canonical(row["gpu_name"]), _rounded(row)): row["source"]
        for row in read_rows(raw / "prices/market.csv")
        if row["tier"] == "on_demand"
    }
    for index, offer in enumerate(offers):
        if offer.capacity_type != "on_demand" or offer.tier != "standard":
            continue
        if offer.source not in ("skypilot-azure", "skypilot-lambda", "skypilot-oci"):
            continue
        kind = types[offer.provider, offer.instance_type]
        price = round(offer.price_usd_per_hour / kind.gpu_count, 3)
        for region in (offer.region, "*"):
            source = seen.get((offer.provider, region, kind.gpu, price))
            if source:
                offers[index] = offer._replace(source=source_id(source))


def _rounded(row: RawRow) -> float:
    return round(float(row["usd_per_gpu_hour"]), 3)
