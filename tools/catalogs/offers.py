"""Offers and instance types of the providers that have tables of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.catalogs.sources import SOURCES, source_id
from tools.catalogs.tables import RawRow, number, read_rows

NOT_SOLD_ON_DEMAND = "vendor sells this size as Spot/Flex Start only"
DWS_SLICE = re.compile(r"accelerator ([\d.]+)/GPU-h\) as on-demand")
LOCAL_ZONE = re.compile(r"-[a-z]{3}\d+-az\d+$")  # use1-atl2-az1; a plain zone is use1-az1
B200_FLEX_USD = 8.055  # of the two DWS prices of a slice, the lower is Flex Start
G3_HOSTS = {  # vCPUs, memory GiB, M60 halves: the source of the prices has no spec rows for g3
    "g3s.xlarge": (4.0, 30.5, 1),
    "g3.4xlarge": (16.0, 122.0, 1),
    "g3.8xlarge": (32.0, 244.0, 2),
    "g3.16xlarge": (64.0, 488.0, 4),
}


PoolKey = tuple[str, str, str, str]  # provider, instance type, region, zone


class TypeRow(NamedTuple):
    """One machine size of a provider; unknown host figures are None."""

    provider: str
    instance_type: str
    gpu: str
    gpu_count: int
    gpu_memory_gib: float | None
    vcpus: float | None
    memory_gib: float | None
    source: str


class OfferRow(NamedTuple):
    """One price of one whole machine."""

    provider: str
    instance_type: str
    region: str
    zone: str
    capacity_type: str
    tier: str
    price_usd_per_hour: float
    source: str
    note: str = ""


class Dropped(NamedTuple):
    """A price that is not offered, and why."""

    offer: OfferRow
    reason: str


class Collected(NamedTuple):
    """What one provider's raw files hold."""

    types: list[TypeRow]
    offers: list[OfferRow]
    dropped: list[Dropped]


def aws(raw: Path) -> Collected:
    """AWS: on-demand by region, spot by measured zone."""
    types = _aws_types(raw)
    whole = {row.instance_type for row in types}
    on_demand = [_aws_on_demand(row) for row in read_rows(raw / "prices/aws_ondemand.csv")]
    measured = [_aws_zone(row) for row in read_rows(raw / "prices/aws_spot_zones.csv")]
    result = Collected(types, [], [])
    for offer in (*on_demand, *measured):
        if offer.instance_type not in whole:
            result.dropped.append(Dropped(offer, "fractional_gpu"))
        elif LOCAL_ZONE.search(offer.zone):
            result.dropped.append(Dropped(offer, "local_zone"))
        else:
            result.offers.append(offer)
    return result


def aws_derived_spot(raw: Path, offers: list[OfferRow]) -> list[OfferRow]:
    """Spot prices by region from the advisor's savings, where no zone of it was measured."""
    on_demand = {
        (offer.instance_type, offer.region): offer
        for offer in offers
        if offer.provider == "aws" and offer.capacity_type == "on_demand"
    }
    zoned = {(offer.instance_type, offer.region) for offer in offers if offer.zone}
    return [
        _aws_derived(on_demand[key], row)
        for row in read_rows(raw / "interruption/aws_spot_advisor.csv")
        if (key := (row["instance_type"], row["region"])) in on_demand
        and (key not in zoned or _warns(row))
    ]


def _aws_types(raw: Path) -> list[TypeRow]:
    rows = [
        TypeRow(
            "aws",
            row["instance_type"],
            row["gpu_name"],
            int(row["gpu_count"]),
            number(row["gpu_memory_gib"]),
            number(row["vcpus"]),
            number(row["memory_gib"]),
            source_id(row["source"]),
        )
        for row in read_rows(raw / "specs/aws_instances.csv")
        if float(row["gpu_count"]).is_integer()
    ]
    for name, (vcpus, memory_gib, gpus) in G3_HOSTS.items():
        rows.append(TypeRow("aws", name, "M60", gpus, 8.0, vcpus, memory_gib, "vendor"))
    return rows


def _aws_on_demand(row: RawRow) -> OfferRow:
    note = "one size of its family: not checked" if row["check"] == "single_size_unchecked" else ""
    price = float(row["usd_per_hour"])
    source = source_id(row["source"])
    pool = ("aws", row["instance_type"], row["region"], "")
    return _offer(pool, "on_demand", price, source, note)


def _aws_zone(row: RawRow) -> OfferRow:
    note = "at the on-demand cap: saves nothing" if row["note"] == "at_on_demand_cap" else ""
    price = float(row["spot_usd_per_hour"])
    pool = ("aws", row["instance_type"], row["region"], row["zone_id"])
    return _offer(pool, "spot", price, "skypilot-aws", note)


def _warns(row: RawRow) -> bool:
    """Spot dearer than on-demand is worth knowing, measured zones or not."""
    return float(row["savings_over_ondemand_pct"]) < 0


def _aws_derived(on_demand: OfferRow, row: RawRow) -> OfferRow:
    savings = float(row["savings_over_ondemand_pct"])
    price = on_demand.price_usd_per_hour * (1 - savings / 100)
    note = "" if savings > 0 else f"dearer than on-demand or equal: savings {savings:.0f} %"
    source = f"spot-from-{on_demand.source}"
    if source not in SOURCES:
        raise KeyError(source)
    pool = ("aws", on_demand.instance_type, on_demand.region, "")
    return _offer(pool, "spot", price, source, note)


def whole_machines(raw: Path, provider: str) -> Collected:
    """A provider whose raw file has one row per machine and place: Azure, GCP, Lambda, ..."""
    result = Collected([], [], [])
    types: dict[str, TypeRow] = {}
    for row in read_rows(raw / f"prices/{provider}.csv"):
        kind = _type_of(provider, row)
        types[kind.instance_type] = kind
        for offer in _offers_of(kind, row):
            result.offers.append(offer)
        if row["ondemand_usd_per_hour"] and NOT_SOLD_ON_DEMAND in row["note"]:
            wrong = next(o for o in _offers_of(kind, row) if o.capacity_type == "on_demand")
            result.offers.remove(wrong)
            result.dropped.append(Dropped(wrong, "not_sold_on_demand"))
    result.types.extend(types.values())
    return result


def _type_of(provider: str, row: RawRow) -> TypeRow:
    name = row["instance_type"]
    if name.startswith("n1-"):  # a host to which any GPU is attached: not a size of its own
        name = f"{name}+{row['gpu_count']}x{row['gpu_name']}"
    return TypeRow(
        provider,
        name,
        row["gpu_name"],
        int(row["gpu_count"]),
        number(row["gpu_memory_gib"]),
        number(row["vcpus"]),
        number(row["memory_gib"]),
        f"skypilot-{provider}",
    )


def _offers_of(kind: TypeRow, row: RawRow) -> Iterator[OfferRow]:
    pool = (kind.provider, kind.instance_type, row["region"], row["zone"])
    if row["ondemand_usd_per_hour"]:
        price = float(row["ondemand_usd_per_hour"])
        yield _offer(pool, "on_demand", price, _on_demand_source(kind.provider, row["note"]))
    if row["spot_usd_per_hour"]:
        price = float(row["spot_usd_per_hour"])
        yield _offer(pool, "spot", price, f"skypilot-{kind.provider}")
    slice_price = DWS_SLICE.search(row["note"])
    if kind.gpu == "B200" and slice_price:  # the only DWS price that includes the host
        price = float(slice_price[1])
        tier = "flex_start" if price == B200_FLEX_USD else "calendar"
        yield OfferRow(*pool, "on_demand", tier, price * kind.gpu_count, "gcp-slice")


def _on_demand_source(provider: str, note: str) -> str:
    if note.startswith("GPU part of on-demand from sooddvs"):
        return "gcp-sum"
    if note.startswith("on-demand from sooddvs"):
        return "sooddvs"
    return f"skypilot-{provider}"


def _offer(
    pool: PoolKey, capacity_type: str, price: float, source: str, note: str = ""
) -> OfferRow:
    return OfferRow(*pool, capacity_type, "standard", price, source, note)
