"""What sizes of machines a region sells to this subscription, and in which zones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from finsched.errors import NoCapacity, NoQuota
from finsched.model.market import Offer
from finsched_azure.api import Api, Description

ANYWHERE = ""
"""A place without zones: Azure chooses."""

_MACHINES = "virtualMachines"
_TRAILING_ZONE = re.compile(r"(\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A size of machine in a region; `zones` are those that the subscription may use."""

    name: str
    family: str
    zones: tuple[str, ...]
    is_open: bool
    has_fast_network: bool
    gpus: int


class Sizes:
    """Looks sizes up, once per region."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.in_region = lru_cache(maxsize=None)(self._ask)

    def of_offer(self, offer: Offer) -> Size:
        """Return the size of an offer. Raises NoCapacity where the region does not sell it."""
        name = offer.instance_type.name
        size = self.in_region(offer.region).get(name.lower())
        if size is None:
            raise NoCapacity(
                f"azure/{offer.region}: {name} is not sold there",
                fix="finsched tries the next pool",
            )
        return size

    def zones(self, offer: Offer) -> tuple[str, ...]:
        """Return the zones to try, in the same order each time; an offer may name none."""
        size = self.of_offer(offer)
        if not size.is_open:
            raise NoQuota(
                f"azure/{offer.region}: {size.name} is not open to the subscription",
                fix="ask Azure support for access to it in that region, or go elsewhere",
            )
        named = _TRAILING_ZONE.search(offer.zone)
        return (named[1],) if named else size.zones or (ANYWHERE,)

    def _ask(self, region: str) -> Mapping[str, Size]:
        listed = self._api.listed("resource_skus.list", filter=f"location eq '{region}'")
        sizes = [read_size(each) for each in listed if each.get("resourceType") == _MACHINES]
        return {size.name.lower(): size for size in sizes}


def read_size(described: Description) -> Size:
    """Read a size as the list of SKUs gives it."""
    capabilities = {each["name"]: each["value"] for each in described.get("capabilities", ())}
    restrictions = described.get("restrictions", ())
    places: list[Description] = described.get("locationInfo", [])
    closed = {zone for each in restrictions for zone in _closed_zones(each)}
    return Size(
        name=described["name"],
        family=described.get("family", ""),
        zones=tuple(sorted(set(_zones(places)) - closed)),
        is_open=not any(each.get("type") == "Location" for each in restrictions),
        has_fast_network=capabilities.get("AcceleratedNetworkingEnabled") == "True",
        gpus=int(capabilities.get("GPUs", "0")),
    )


def _zones(places: list[Description]) -> list[str]:
    return list(places[0].get("zones", ())) if places else []


def _closed_zones(restriction: Mapping[str, Any]) -> list[str]:
    if restriction.get("type") != "Zone":
        return []
    return list(restriction.get("restrictionInfo", {}).get("zones", ()))
