"""What can be known before a launch: the quotas of the subscription."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from finsched.errors import ProviderProblem
from finsched.model.market import CapacityType, Offer
from finsched.provider import Quota
from finsched_azure.api import Api, Description
from finsched_azure.skus import Sizes

UNIT = "vCPU"
SPOT = "lowPriorityCores"
"""All spot machines of a region count against this quota, and against no other."""

ALL_ON_DEMAND = "cores"
"""Machines on demand count against this quota of a region, and against their family's."""


class AzureCapacity:
    """Asks for usages; what cannot be asked is unknown."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._sizes = Sizes(api)

    def quota(self, offer: Offer, nodes: int) -> Quota | None:
        """Return the vCPU quota that so many machines count against: the tighter one of two."""
        vcpus = offer.instance_type.vcpus
        if not vcpus:
            return None
        try:
            known = usages(self._api, offer.region)
            quotas = [
                _quota(known[name.lower()], offer.region, vcpus * nodes)
                for name in self._names(offer)
                if name.lower() in known
            ]
        except ProviderProblem:
            return None
        return min(quotas, key=lambda quota: quota.have, default=None)

    def placement_score(self, offer: Offer, nodes: int) -> int | None:  # noqa: ARG002 - the port's
        """Return nothing: Azure says high, medium or low, which is no number from 1 to 10."""
        return None

    def _names(self, offer: Offer) -> Iterator[str]:
        if offer.capacity_type is CapacityType.SPOT:
            yield SPOT
            return
        yield ALL_ON_DEMAND
        yield self._sizes.of_offer(offer).family


def usages(api: Api, region: str) -> Mapping[str, Description]:
    """Return the quotas of a region and what is used of them, by name in small letters."""
    listed = api.listed("usage.list", region)
    return {each["name"]["value"].lower(): each for each in listed}


def _quota(usage: Description, region: str, need: float) -> Quota:
    name = usage["name"]
    return Quota(
        name=name.get("localizedValue") or name["value"],
        code=name["value"],
        region=region,
        unit=UNIT,
        have=float(usage["limit"]),
        need=need,
    )
