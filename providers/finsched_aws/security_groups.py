"""Security groups that let nothing in from outside; a gang's own admits its members."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from finsched.errors import InvalidRequest
from finsched.provider import LaunchRequest
from finsched.toolbox.error_table import AlreadyThere
from finsched_aws.api import Api
from finsched_aws.names import INSTALLATION, RUN, tag_list
from finsched_aws.subnets import Subnet

_OUTSIDE = ("IpRanges", "Ipv6Ranges", "PrefixListIds")


class _Wanted(NamedTuple):
    region: str
    vpc: str
    name: str
    tags: Mapping[str, str]
    is_gang: bool


def security_group(api: Api, subnet: Subnet, request: LaunchRequest) -> str:
    """Return the id of the installation's group, or of the run's where several nodes must talk."""
    wanted = _wanted(subnet, request)
    group = _find(api, wanted) or _make(api, wanted)
    _check_is_closed(group, wanted)
    if wanted.is_gang and not group["IpPermissions"]:
        _admit_members(api, wanted.region, group["GroupId"])
    return str(group["GroupId"])


def _wanted(subnet: Subnet, request: LaunchRequest) -> _Wanted:
    is_gang = request.nodes > 1
    name = request.installation.removeprefix("finsched-")
    tags = {INSTALLATION: request.installation}
    if is_gang:
        name = f"{name}-{request.run}"
        tags[RUN] = request.run
    name = f"finsched-{name}"
    return _Wanted(request.offer.region, subnet.vpc, name, {**tags, "Name": name}, is_gang)


def _find(api: Api, wanted: _Wanted) -> Mapping[str, Any] | None:
    filters = [
        {"Name": "vpc-id", "Values": [wanted.vpc]},
        {"Name": "group-name", "Values": [wanted.name]},
    ]
    found = api.listed(wanted.region, "describe_security_groups", "SecurityGroups", Filters=filters)
    return found[0] if found else None


def _make(api: Api, wanted: _Wanted) -> Mapping[str, Any]:
    try:
        made = api.call(
            wanted.region,
            "create_security_group",
            GroupName=wanted.name,
            Description="finsched: nothing comes in from outside",
            VpcId=wanted.vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": tag_list(wanted.tags)}],
        )
    except AlreadyThere:  # another launch was quicker
        found = _find(api, wanted)
        if found is None:
            raise
        return found
    return {"GroupId": made["GroupId"], "IpPermissions": []}


def _admit_members(api: Api, region: str, group_id: str) -> None:
    members = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}
    with suppress(AlreadyThere):
        api.call(
            region, "authorize_security_group_ingress", GroupId=group_id, IpPermissions=[members]
        )


def _check_is_closed(group: Mapping[str, Any], wanted: _Wanted) -> None:
    """Somebody may have opened it by hand: then nothing is put behind it."""
    members = {group["GroupId"]} if wanted.is_gang else set()
    if any(_admits_others(permission, members) for permission in group["IpPermissions"]):
        raise InvalidRequest(
            f"aws/{wanted.region}: the security group {group['GroupId']} lets others in",
            fix="remove its inbound rules, or delete it: finsched makes a new one",
        )


def _admits_others(permission: Mapping[str, Any], members: set[str]) -> bool:
    sources = {pair.get("GroupId") for pair in permission.get("UserIdGroupPairs", ())}
    from_outside = any(permission.get(key) for key in _OUTSIDE)
    return from_outside or not sources <= members
