"""The subnets that machines are put into, by zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from finsched.errors import NoCapacity
from finsched.model.market import Offer
from finsched_aws.api import Api

_DEFAULT = {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet; `zone` is the zone's id, which is the same place in every account.

    In a default subnet machines get a public address as their way out; in one that the settings
    name, the subnet's own rule holds.
    """

    id: str
    zone: str
    vpc: str
    is_default: bool


class Subnets:
    """An account's default subnets, or in a region those that the settings name."""

    def __init__(self, api: Api, chosen: Mapping[str, Sequence[str]]) -> None:
        self._api = api
        self._chosen = chosen
        self._all = lru_cache(maxsize=None)(self._ask_subnets)
        self._zones = lru_cache(maxsize=None)(self._ask_zones)

    def for_offer(self, offer: Offer) -> list[Subnet]:
        """Return the subnets to try, in the same order each time; an offer may name no zone.

        Raises NoCapacity where there is none in a zone that sells the machine.
        """
        zones = {offer.zone} if offer.zone else self._zones(offer.region, offer.instance_type.name)
        found = [subnet for subnet in self._all(offer.region) if subnet.zone in zones]
        if not found:
            place = offer.zone or offer.region
            raise NoCapacity(
                f"aws/{place}: there is no subnet in a zone that sells {offer.instance_type.name}",
                fix="run `aws ec2 create-default-subnet` there, or name one in aws.subnets",
            )
        return found

    def _ask_subnets(self, region: str) -> tuple[Subnet, ...]:
        chosen = list(self._chosen.get(region, ()))
        which = {"SubnetIds": chosen} if chosen else _DEFAULT
        described = self._api.listed(region, "describe_subnets", "Subnets", **which)
        subnets = [_subnet(each, is_default=not chosen) for each in described]
        return tuple(sorted(subnets, key=lambda subnet: (subnet.zone, subnet.id)))

    def _ask_zones(self, region: str, instance_type: str) -> frozenset[str]:
        offered = self._api.listed(
            region,
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone-id",
            Filters=[{"Name": "instance-type", "Values": [instance_type]}],
        )
        return frozenset(each["Location"] for each in offered)


def _subnet(described: Mapping[str, Any], *, is_default: bool) -> Subnet:
    return Subnet(
        id=described["SubnetId"],
        zone=described["AvailabilityZoneId"],
        vpc=described["VpcId"],
        is_default=is_default,
    )
