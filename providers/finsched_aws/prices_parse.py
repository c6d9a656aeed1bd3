"""What AWS answers about prices, read: pure, from recorded answers as from live ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from finsched.model.market import InstanceType

_LOCAL_ZONE = re.compile(r"-[a-z]{3}\d+-az\d+$")  # usw2-lax1-az1; a plain zone is usw2-az1
_SOLD_PLAIN = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "operation": "RunInstances",
    "locationType": "AWS Region",
}
_MIB_PER_GIB = 1024


class SpotPrice(NamedTuple):
    """What a machine costs in a zone from a moment on."""

    instance_type: str
    zone: str
    at: datetime
    usd_per_hour: float


def on_demand_prices(products: Iterable[str]) -> dict[str, float]:
    """Return USD per hour by instance type, of plain Linux machines with whole GPUs.

    Each product is a JSON text of the Price List. Raises ValueError, KeyError or TypeError for one
    of another form.
    """
    prices: dict[str, float] = {}
    for text in products:
        document = json.loads(text)
        attributes = document["product"]["attributes"]
        on_demand = document.get("terms", {}).get("OnDemand")
        if on_demand and _is_plain(attributes) and _has_whole_gpus(attributes):
            prices[attributes["instanceType"]] = _usd_per_hour(on_demand)
    return prices


def _is_plain(attributes: Mapping[str, str]) -> bool:
    told = ((attributes.get(name), value) for name, value in _SOLD_PLAIN.items())
    plain = all(found in (None, value) for found, value in told)
    return plain and attributes.get("marketoption", "OnDemand") == "OnDemand"


def _has_whole_gpus(attributes: Mapping[str, str]) -> bool:
    """A slice of a GPU is not offered."""
    return float(attributes.get("gpu") or 0).is_integer()


def _usd_per_hour(terms: Mapping[str, Any]) -> float:
    [term] = terms.values()
    [dimension] = term["priceDimensions"].values()
    if dimension["unit"] != "Hrs":
        raise ValueError(f"a machine is sold by {dimension['unit']}")
    return float(dimension["pricePerUnit"]["USD"])


def spot_prices(
    history: Iterable[Mapping[str, Any]], zone_ids: Mapping[str, str]
) -> list[SpotPrice]:
    """Return every change of a Linux spot price in the order of time.

    `zone_ids` are the ids of the account's zone names, for answers that tell names alone. Zones
    outside of the region's own, near some city, are left out: their machines cost more on demand.
    """
    changes = []
    for told in history:
        zone = told.get("AvailabilityZoneId") or zone_ids[told["AvailabilityZone"]]
        if not _LOCAL_ZONE.search(zone):
            price = float(told["SpotPrice"])
            changes.append(SpotPrice(told["InstanceType"], zone, told["Timestamp"], price))
    return sorted(changes, key=lambda change: change.at)


def newest(changes: Iterable[SpotPrice]) -> list[SpotPrice]:
    """Return the price in force of each machine and zone; changes are in the order of time."""
    return list({(change.instance_type, change.zone): change for change in changes}.values())


def machines(described: Iterable[Mapping[str, Any]]) -> Iterator[InstanceType]:
    """Yield the machines with whole GPUs of one model, named as AWS names the GPU."""
    for told in described:
        gpus = told.get("GpuInfo", {}).get("Gpus", ())
        if len(gpus) != 1 or gpus[0].get("LogicalGpuCount", 1) < 1:
            continue
        yield InstanceType(
            provider="aws",
            name=told["InstanceType"],
            gpu=gpus[0]["Name"],
            gpu_count=gpus[0]["Count"],
            gpu_memory_gib=gpus[0]["MemoryInfo"]["SizeInMiB"] / _MIB_PER_GIB,
            vcpus=told["VCpuInfo"]["DefaultVCpus"],
            memory_gib=told["MemoryInfo"]["SizeInMiB"] / _MIB_PER_GIB,
        )
