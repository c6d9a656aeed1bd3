"""What RunInstances is asked for: pure, so that it can be read and tested as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finsched.model.market import CapacityType
from finsched.provider import LaunchRequest
from finsched_aws.image import Image, disk_mappings
from finsched_aws.names import TAGGED_AT_LAUNCH, client_token, tag_list, tags_of
from finsched_aws.subnets import Subnet

_ONE_TIME_SPOT = {
    "MarketType": "spot",
    "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
}
_TOKENS_ONLY = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and from what the machines of an attempt are made."""

    subnet: Subnet
    group_id: str
    image: Image
    instance_profile: str


def parameters(request: LaunchRequest, place: Place, user_data: str) -> dict[str, Any]:
    """Return the whole call: all nodes or none, in one zone, tagged, closed, ending with all disks.

    Without a maximum price a spot machine costs at most what the same costs on demand.
    """
    is_spot = request.offer.capacity_type is CapacityType.SPOT
    call = {
        "ClientToken": client_token(request, place.subnet.id),
        "MinCount": request.nodes,
        "MaxCount": request.nodes,
        "InstanceType": request.offer.instance_type.name,
        "ImageId": place.image.id,
        "UserData": user_data,
        "BlockDeviceMappings": disk_mappings(place.image, request.disk_gb),
        "NetworkInterfaces": [_interface(place)],
        "MetadataOptions": _TOKENS_ONLY,
        "InstanceInitiatedShutdownBehavior": "terminate",
        "TagSpecifications": _tags(request, is_spot=is_spot),
    }
    if is_spot:
        call["InstanceMarketOptions"] = _ONE_TIME_SPOT
    if place.instance_profile:
        call["IamInstanceProfile"] = {"Name": place.instance_profile}
    return call


def _interface(place: Place) -> dict[str, Any]:
    interface: dict[str, Any] = {
        "DeviceIndex": 0,
        "SubnetId": place.subnet.id,
        "Groups": [place.group_id],
        "DeleteOnTermination": True,
    }
    if place.subnet.is_default:
        interface["AssociatePublicIpAddress"] = True
    return interface


def _tags(request: LaunchRequest, *, is_spot: bool) -> list[dict[str, Any]]:
    tags = tag_list(tags_of(request))
    kinds = (*TAGGED_AT_LAUNCH, "spot-instances-request") if is_spot else TAGGED_AT_LAUNCH
    return [{"ResourceType": kind, "Tags": tags} for kind in kinds]
