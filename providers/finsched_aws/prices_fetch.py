"""What AWS is asked for prices: one function a question."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from finsched_aws.api import Api

PRICING_REGION = "us-east-1"  # the price list has few endpoints, each of which knows every region
GPU_FAMILY = "GPU instance"
NAMES_PER_FILTER = 200
NAMES_PER_DESCRIPTION = 100


def on_demand_products(api: Api, region: str) -> list[str]:
    """Return the price list's GPU machines of a region: Linux, shared, nothing installed."""
    wanted = {
        "regionCode": region,
        "instanceFamily": GPU_FAMILY,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    filters = [
        {"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()
    ]
    ask = {"ServiceCode": "AmazonEC2", "Filters": filters}
    return api.listed(PRICING_REGION, "get_products", "PriceList", service="pricing", **ask)


def spot_history(
    api: Api, region: str, names: Sequence[str], since: datetime
) -> list[dict[str, Any]]:
    """Return the spot prices in force at `since` and their changes from then on.

    A filter leaves out what the region does not sell, where a list of types would be refused.
    """
    found: list[dict[str, Any]] = []
    for start in range(0, len(names), NAMES_PER_FILTER):
        some = list(names[start : start + NAMES_PER_FILTER])
        found += api.listed(
            region,
            "describe_spot_price_history",
            "SpotPriceHistory",
            StartTime=since.astimezone(UTC),
            ProductDescriptions=["Linux/UNIX"],
            Filters=[{"Name": "instance-type", "Values": some}],
        )
    return found


def zone_ids(api: Api, region: str) -> dict[str, str]:
    """Return the id of each zone that this account knows by a name of its own."""
    described = api.listed(region, "describe_availability_zones", "AvailabilityZones")
    return {zone["ZoneName"]: zone["ZoneId"] for zone in described}


def instance_types(api: Api, region: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is known of some machines that the region sells."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(names), NAMES_PER_DESCRIPTION):
        some = list(names[start : start + NAMES_PER_DESCRIPTION])
        found += api.listed(region, "describe_instance_types", "InstanceTypes", InstanceTypes=some)
    return found
