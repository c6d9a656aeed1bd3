"""Everything of ours on AWS, by tag, in every region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from finsched.errors import InvalidRequest
from finsched.provider import OwnedResource
from finsched.toolbox.error_table import NotFound
from finsched_aws import parameters
from finsched_aws.api import Api, Description
from finsched_aws.names import ATTEMPT, INSTALLATION, RUN, Located, located, read_tags, tag_filter

LIVE = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
"""The filter for machines that have not ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of resource: how it is listed, told apart from what has ended, and deleted."""

    name: str
    list_operation: str
    list_key: str
    id_key: str
    delete_operation: str
    delete_parameter: str
    created_key: str = ""
    live: dict[str, Any] | None = None
    only_own: bool = False  # where others' would be listed, too
    billed: Callable[[Description], tuple[str, float]] = lambda _: ("", 1.0)

    def listed(self, api: Api, region: str, installation: str) -> list[Description]:
        filters = [tag_filter(INSTALLATION, installation), *([self.live] if self.live else ())]
        ask: dict[str, Any] = {"OwnerIds": ["self"]} if self.only_own else {}
        found = api.listed(region, self.list_operation, self.list_key, Filters=filters, **ask)
        if self.list_key == "Reservations":
            return [instance for each in found for instance in each["Instances"]]
        return found

    def delete(self, api: Api, region: str, own: str) -> None:
        takes_many = self.delete_parameter.endswith("Ids")
        ask: dict[str, Any] = {self.delete_parameter: [own] if takes_many else own}
        api.call(region, self.delete_operation, **ask)


def _volume(described: Description) -> tuple[str, float]:
    return described.get("VolumeType", ""), described["Size"]


def _snapshot(described: Description) -> tuple[str, float]:
    """A full one: what it shares with others is not billed twice, so this is the most."""
    full_gib = described.get("FullSnapshotSizeInBytes", 0) / 2**30
    return "snapshot", full_gib or described["VolumeSize"]


KINDS = (  # in the order in which they can be deleted
    _Kind(
        name="instance",
        list_operation="describe_instances",
        list_key="Reservations",
        id_key="InstanceId",
        created_key="LaunchTime",
        delete_operation="terminate_instances",
        delete_parameter="InstanceIds",
        live=LIVE,
    ),
    _Kind(
        name="spot-request",
        list_operation="describe_spot_instance_requests",
        list_key="SpotInstanceRequests",
        id_key="SpotInstanceRequestId",
        created_key="CreateTime",
        delete_operation="cancel_spot_instance_requests",
        delete_parameter="SpotInstanceRequestIds",
        live={"Name": "state", "Values": ["open", "active", "disabled"]},
    ),
    _Kind(
        name="network-interface",
        list_operation="describe_network_interfaces",
        list_key="NetworkInterfaces",
        id_key="NetworkInterfaceId",
        delete_operation="delete_network_interface",
        delete_parameter="NetworkInterfaceId",
    ),
    _Kind(
        name="volume",
        list_operation="describe_volumes",
        list_key="Volumes",
        id_key="VolumeId",
        created_key="CreateTime",
        delete_operation="delete_volume",
        delete_parameter="VolumeId",
        billed=_volume,
    ),
    _Kind(
        name="snapshot",
        list_operation="describe_snapshots",
        list_key="Snapshots",
        id_key="SnapshotId",
        created_key="StartTime",
        delete_operation="delete_snapshot",
        delete_parameter="SnapshotId",
        only_own=True,
        billed=_snapshot,
    ),
    _Kind(
        name="address",
        list_operation="describe_addresses",
        list_key="Addresses",
        id_key="AllocationId",
        delete_operation="release_address",
        delete_parameter="AllocationId",
        billed=lambda _: ("address", 1.0),
    ),
    _Kind(
        name="security-group",
        list_operation="describe_security_groups",
        list_key="SecurityGroups",
        id_key="GroupId",
        delete_operation="delete_security_group",
        delete_parameter="GroupId",
    ),
)
_BY_NAME = {kind.name: kind for kind in KINDS}


class AwsInventory:
    """What carries an installation's tag; nothing else is shown or deleted."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def owned(self, installation: str) -> Iterable[OwnedResource]:
        """Yield what the regions hold; raises at the end where a region did not answer."""
        problems = []
        for owned_in in (_owned_in, parameters.owned_in):
            survey = self._api.survey(partial(owned_in, self._api, installation))
            yield from survey.found
            problems.extend(survey.problems)
        if problems:
            raise problems[0]

    def delete(self, resource: OwnedResource) -> None:
        """Delete a resource that still carries its installation's tag; what is gone is fine."""
        for region, own in located([resource.id]):
            owner = self._owner(resource.kind, region, own)
            if owner is None:
                return
            if owner != resource.installation:
                raise InvalidRequest(
                    f"aws: {resource.kind} {resource.id} belongs to the installation {owner!r}",
                    fix="sweep it from the computer that launched it",
                )
            with suppress(NotFound):
                self._delete(resource.kind, region, own)

    def _delete(self, kind: str, region: str, own: str) -> None:
        if kind == parameters.KIND:
            parameters.delete(self._api, region, own)
        else:
            _BY_NAME[kind].delete(self._api, region, own)

    def _owner(self, kind: str, region: str, own: str) -> str | None:
        if kind == parameters.KIND:
            return parameters.tags(self._api, region, own).get(INSTALLATION)
        filters = [
            {"Name": "resource-id", "Values": [own]},
            {"Name": "key", "Values": [INSTALLATION]},
        ]
        tags = self._api.listed(region, "describe_tags", "Tags", Filters=filters)
        return str(tags[0]["Value"]) if tags else None


def _owned_in(api: Api, installation: str, region: str) -> Iterator[OwnedResource]:
    for kind in KINDS:
        for described in kind.listed(api, region, installation):
            yield _resource(kind, region, described)


def _resource(kind: _Kind, region: str, described: Description) -> OwnedResource:
    tags = read_tags(described)
    item, units = kind.billed(described)
    return OwnedResource(
        provider="aws",
        kind=kind.name,
        id=str(Located(region, described[kind.id_key])),
        run=tags.get(RUN),
        created_at=described.get(kind.created_key),
        billed_as=item,
        billed_units=units,
        installation=tags[INSTALLATION],
        attempt=int(tags[ATTEMPT]) if tags.get(ATTEMPT, "").isdecimal() else None,
        shared=kind.name == "security-group" and RUN not in tags,
    )
