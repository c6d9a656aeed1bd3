"""What Google's list of SKUs says of machines with GPUs: pure, from recorded answers as live.

A machine has no price of its own. Its cores, memory, GPUs and local disks have, each by region and
by tariff, and a description in words is all that tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

from finsched.model.market import CapacityType, InstanceType, Tier
from finsched.settings_values import names

HOURS_PER_MONTH = 730  # Google's own


class Tariff(Enum):
    """How a part is bought; queued and reserved capacity is never what starts on demand."""

    ON_DEMAND = (CapacityType.ON_DEMAND, Tier.STANDARD)
    SPOT = (CapacityType.SPOT, Tier.STANDARD)
    FLEX_START = (CapacityType.ON_DEMAND, Tier.FLEX_START)
    CALENDAR = (CapacityType.ON_DEMAND, Tier.CALENDAR)

    @property
    def capacity_type(self) -> CapacityType:
        """How it is bought, in our words."""
        return self.value[0]

    @property
    def tier(self) -> Tier:
        """What it is sold as beside standard machines."""
        return self.value[1]


class Rate(NamedTuple):
    """What the price of a part is known by."""

    region: str
    tariff: Tariff
    part: str


class Family(NamedTuple):
    """What the machines of one family are billed by; `ssd_gib` is per GPU."""

    host: str
    gpu: str
    ssd_gib: float = 0.0


SSD = "Local SSD"
_DESCRIPTIONS = (  # the first that fits
    (Tariff.SPOT, re.compile(r"Spot Preemptible (.+?) running in ")),
    (Tariff.SPOT, re.compile(r"(.+?) attached to Spot Preemptible VMs (?:running )?in ")),
    (Tariff.FLEX_START, re.compile(r"DWS Defined Duration (.+?) running in ")),
    (Tariff.FLEX_START, re.compile(r"(.+?) attached to DWS Defined Duration VMs running in ")),
    (Tariff.CALENDAR, re.compile(r"DWS Calendar Mode (.+?) (?:running )?in ")),
    (Tariff.CALENDAR, re.compile(r"Reserved (.+?) in .+ in Calendar Mode$")),
    (Tariff.ON_DEMAND, re.compile(r"(SSD backed Local Storage)(?: in |$)")),
    (Tariff.ON_DEMAND, re.compile(r"(.+?) running in ")),
)
_NOT_OF_THE_PART = re.compile(r"\b(?:Nvidia|Tesla|Instance|Predefined) ")
_SAME_PART = {
    "H100 80GB Plus GPU": "H100 80GB Mega GPU",
    "H100 Mega 80GB GPU": "H100 80GB Mega GPU",
    "SSD backed Local Storage": SSD,
}
_HOURS_OF_UNIT = {"h": 1, "GiBy.h": 1, "GiBy.mo": HOURS_PER_MONTH}
_SOLD_SINGLY = {"OnDemand", "Preemptible"}  # the others are commitments

_FAMILIES = {
    "a2-highgpu": Family("A2", "A100 GPU"),
    "a2-megagpu": Family("A2", "A100 GPU"),
    "a2-ultragpu": Family("A2", "A100 80GB GPU", 375),
    "a3-highgpu": Family("A3", "H100 80GB GPU", 750),
    "a3-megagpu": Family("A3Plus", "H100 80GB Mega GPU", 750),
    "a3-ultragpu": Family("A3Ultra", "H200 141GB GPU", 1500),
    "a4-highgpu": Family("", "A4 B200 (1 gpu slice)"),  # a slice is a GPU with its share of all
    "g2-standard": Family("G2", "L4 GPU"),
}
_GPUS_OF_N1 = {"P100": "P100 GPU", "T4": "T4 GPU", "V100": "V100 GPU"}


def rates(skus: Iterable[Mapping[str, Any]]) -> dict[Rate, float]:
    """Return USD per hour of one core, GiB of memory or disk, or GPU, by region and tariff.

    Commitments are left out, and so is what costs nothing, which is how Google lists capacity that
    was paid before. Raises KeyError, TypeError or ValueError for SKUs of another form.
    """
    found: dict[Rate, float] = {}
    for sku in skus:
        told = _tariff_and_part(sku)
        if told:
            tariff, part = told
            usd = _usd_per_hour(sku)
            if usd > 0:
                found |= {
                    Rate(region, tariff, part): usd for region in names(sku["serviceRegions"])
                }
    return found


def _tariff_and_part(sku: Mapping[str, Any]) -> tuple[Tariff, str] | None:
    usage = sku["category"]["usageType"]
    if usage not in _SOLD_SINGLY:
        return None
    for tariff, description in _DESCRIPTIONS:
        if found := description.match(sku["description"]):
            if tariff is Tariff.ON_DEMAND and usage != "OnDemand":
                return None
            part = _NOT_OF_THE_PART.sub("", f"{found[1]} ").strip()
            part = _SAME_PART.get(part, part)
            return (tariff, part) if part in _PARTS else None
    return None


def _usd_per_hour(sku: Mapping[str, Any]) -> float:
    [pricing] = sku["pricingInfo"]
    expression = pricing["pricingExpression"]
    [rate] = expression["tieredRates"]
    price = rate["unitPrice"]
    if price["currencyCode"] != "USD":
        raise ValueError(f"a price in {price['currencyCode']}, not in USD")
    hours = _HOURS_OF_UNIT[expression["usageUnit"]]
    return (int(price.get("units", 0)) + int(price.get("nanos", 0)) / 1e9) / hours


def machine_prices(
    machines: Iterable[InstanceType], priced: Mapping[Rate, float], region: str
) -> Iterator[tuple[InstanceType, Tariff, float]]:
    """Yield USD per hour of every machine whose parts all have a price in a region."""
    for machine in machines:
        bill = bill_of(machine)
        for tariff in Tariff if bill else ():
            usd = _sum(bill, priced, region, tariff)
            if usd is not None:
                yield machine, tariff, usd


def bill_of(machine: InstanceType) -> dict[str, float]:
    """Return how much of which part a machine is billed for; nothing for one we cannot take apart.

    The local disks that come with a machine are billed with it.
    """
    family = _family(machine)
    if family is None or machine.vcpus is None or machine.memory_gib is None:
        return {}
    bill = {family.gpu: float(machine.gpu_count)}
    if family.host:
        bill |= {f"{family.host} Core": machine.vcpus, f"{family.host} Ram": machine.memory_gib}
    if family.ssd_gib:
        bill[SSD] = family.ssd_gib * machine.gpu_count
    return bill


def _family(machine: InstanceType) -> Family | None:
    if machine.name.startswith("n1-") and machine.gpu in _GPUS_OF_N1:
        return Family("N1", _GPUS_OF_N1[machine.gpu])
    return _FAMILIES.get("-".join(machine.name.split("-")[:2]))


def _sum(
    bill: Mapping[str, float], priced: Mapping[Rate, float], region: str, tariff: Tariff
) -> float | None:
    total = 0.0
    for part, quantity in bill.items():
        usd = priced.get(Rate(region, tariff, part))
        if usd is None and part == SSD:  # less than a hundredth of the whole, never cheaper
            usd = priced.get(Rate(region, Tariff.ON_DEMAND, part))
        if usd is None:
            return None
        total += quantity * usd
    return total


_HOSTS = {family.host for family in _FAMILIES.values() if family.host} | {"N1"}
_PARTS = frozenset(
    {SSD}
    | {family.gpu for family in _FAMILIES.values()}
    | set(_GPUS_OF_N1.values())
    | {f"{host} {what}" for host in _HOSTS for what in ("Core", "Ram")}
)
