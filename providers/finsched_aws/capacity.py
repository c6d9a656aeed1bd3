"""What can be known before a launch: the account's quotas, and the chance of a spot request."""

from __future__ import annotations

import re
from typing import Any

from finsched.errors import ProviderProblem
from finsched.model.market import CapacityType, Offer
from finsched.provider import Quota
from finsched_aws.api import Api

UNIT = "vCPU"
# https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
_ON_DEMAND_CODES = {
    "g": "L-DB2E81BA",
    "gr": "L-DB2E81BA",
    "p": "L-417A185B",
    "inf": "L-1945791B",
    "trn": "L-2C3B7624",
    "dl": "L-6E869C2A",
}
_SPOT_CODES = {
    "g": "L-3819A6DF",
    "gr": "L-3819A6DF",
    "p2": "L-7212CCBC",
    "p3": "L-7212CCBC",
    "p4": "L-7212CCBC",
    "p5": "L-C4BD4855",  # of p6 nothing is known to us, so its quota is unknown
    "inf": "L-B5D1601B",
    "trn": "L-6B0D517C",
    "dl": "L-85EED4F7",
}
_NO_OWN_QUOTA = "NoSuchResourceException"
_FAMILY = re.compile(r"([a-z]+)\d*")


class AwsCapacity:
    """Asks Service Quotas and EC2; what cannot be asked is unknown."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def quota(self, offer: Offer, nodes: int) -> Quota | None:
        """Return the vCPU quota that so many machines of an offer count against."""
        code = quota_code(offer.instance_type.name, offer.capacity_type)
        vcpus = offer.instance_type.vcpus
        told = self._quota(offer.region, code) if code and vcpus else None
        if not told or not code or not vcpus:
            return None
        return Quota(
            name=told.get("QuotaName", code),
            code=code,
            region=offer.region,
            unit=UNIT,
            have=float(told["Value"]),
            need=vcpus * nodes,
        )

    def placement_score(self, offer: Offer, nodes: int) -> int | None:
        """Return the score of the offer's zone, or of its region where it names no zone."""
        if offer.capacity_type is not CapacityType.SPOT:
            return None
        try:
            scores = self._api.listed(
                offer.region,
                "get_spot_placement_scores",
                "SpotPlacementScores",
                InstanceTypes=[offer.instance_type.name],
                TargetCapacity=nodes,
                SingleAvailabilityZone=bool(offer.zone),
                RegionNames=[offer.region],
            )
        except ProviderProblem:
            return None
        place = ("AvailabilityZoneId", offer.zone) if offer.zone else ("Region", offer.region)
        return next((told["Score"] for told in scores if told.get(place[0]) == place[1]), None)

    def _quota(self, region: str, code: str) -> dict[str, Any] | None:
        """The account's quota, or where it never had one of its own what every account has."""
        try:
            return self._asked(region, code, "get_service_quota")
        except ProviderProblem as problem:
            if _NO_OWN_QUOTA not in problem.message:
                return None
        try:
            return self._asked(region, code, "get_aws_default_service_quota")
        except ProviderProblem:
            return None

    def _asked(self, region: str, code: str, operation: str) -> dict[str, Any] | None:
        answer = self._api.call(
            region, operation, service="service-quotas", ServiceCode="ec2", QuotaCode=code
        )
        quota: dict[str, Any] = answer.get("Quota", {})
        return quota if "Value" in quota else None


def quota_code(instance_type: str, capacity_type: CapacityType) -> str | None:
    """Return the code of the quota that a machine counts against, None where it is not known."""
    codes = _SPOT_CODES if capacity_type is CapacityType.SPOT else _ON_DEMAND_CODES
    found = _FAMILY.match(instance_type)
    return codes.get(found[0], codes.get(found[1])) if found else None
