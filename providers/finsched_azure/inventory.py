"""Everything of ours on Azure: the resource groups that carry our tag, and what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from finsched.errors import InvalidRequest
from finsched.provider import Compute, OwnedResource
from finsched.toolbox.error_table import NotFound
from finsched_azure import groups
from finsched_azure.api import Api, Description
from finsched_azure.names import (
    ATTEMPT,
    INSTALLATION,
    RUN,
    Located,
    located,
    moment,
    tags_in,
)

INSTANCE, GROUP = "instance", "resource-group"
_HOURS_PER_MONTH = 730
# https://azure.microsoft.com/pricing/details/ip-addresses: a static address of the tier Standard
_ADDRESS_USD_PER_HOUR = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of resource: Azure's name for it, and the SDK's operations for it."""

    name: str
    type: str
    operations: str
    usd_per_month: float | None = None


KINDS = (  # in the order in which they can be deleted
    _Kind(name=INSTANCE, type="microsoft.compute/virtualmachines", operations="virtual_machines"),
    _Kind(name="disk", type="microsoft.compute/disks", operations="disks"),
    _Kind(
        name="network-interface",
        type="microsoft.network/networkinterfaces",
        operations="network_interfaces",
    ),
    _Kind(
        name="address",
        type="microsoft.network/publicipaddresses",
        operations="public_ip_addresses",
        usd_per_month=_ADDRESS_USD_PER_HOUR * _HOURS_PER_MONTH,
    ),
    _Kind(name="network", type="microsoft.network/virtualnetworks", operations="virtual_networks"),
    _Kind(
        name="security-group",
        type="microsoft.network/networksecuritygroups",
        operations="network_security_groups",
    ),
)
_BY_NAME = {kind.name: kind for kind in KINDS}


class AzureInventory:
    """What carries an installation's tag; nothing else is shown or deleted."""

    def __init__(self, api: Api, compute: Compute) -> None:
        self._api = api
        self._compute = compute

    def owned(self, installation: str) -> Iterable[OwnedResource]:
        """Yield machines first and groups last. Raises a `ProviderProblem`."""
        found = groups.tagged(self._api, INSTALLATION, installation)
        held = [(group, groups.contents(self._api, group["name"])) for group in found]
        for kind in KINDS:
            for group, contents in held:
                yield from _of_kind(kind, installation, group, contents)
        for group in found:
            yield _resource(GROUP, group["name"], group)

    def delete(self, resource: OwnedResource) -> None:
        """Delete a resource that still carries its installation's tag; what is gone is fine."""
        with suppress(NotFound):
            if resource.kind == GROUP:
                self._delete_group(resource)
            else:
                self._delete_one(resource)

    def _delete_group(self, resource: OwnedResource) -> None:
        group = groups.get(self._api, resource.id)
        if group is not None:
            _check_owner(group, resource)
            groups.delete(self._api, resource.id, resource.installation)

    def _delete_one(self, resource: OwnedResource) -> None:
        which = located(resource.id)
        if which is None:
            return
        operations = _BY_NAME[resource.kind].operations
        _check_owner(self._api.call(f"{operations}.get", *which), resource)
        if resource.kind == INSTANCE:
            self._compute.terminate(resource.id)
        else:
            self._api.begin_and_leave(f"{operations}.begin_delete", *which)


def _of_kind(
    kind: _Kind, installation: str, group: Description, contents: list[Description]
) -> Iterator[OwnedResource]:
    for each in contents:
        is_ours = tags_in(each).get(INSTALLATION) == installation
        if each["type"].lower() == kind.type and is_ours:
            which = str(Located(group["name"], each["name"]))
            yield _resource(kind.name, which, each, kind.usd_per_month)


def _resource(
    kind: str, which: str, described: Description, usd_per_month: float | None = None
) -> OwnedResource:
    tags = tags_in(described)
    attempt = tags.get(ATTEMPT, "")
    return OwnedResource(
        provider="azure",
        kind=kind,
        id=which,
        run=tags.get(RUN),
        created_at=_created_at(described),
        usd_per_month=usd_per_month,
        installation=tags[INSTALLATION],
        attempt=int(attempt) if attempt.isdecimal() else None,
    )


def _created_at(described: Description) -> datetime | None:
    return moment(described["createdTime"]) if described.get("createdTime") else None


def _check_owner(described: Description, resource: OwnedResource) -> None:
    owner = tags_in(described).get(INSTALLATION)
    if owner != resource.installation:
        raise InvalidRequest(
            f"azure: {resource.kind} {resource.id} belongs to the installation {owner!r}",
            fix="sweep it from the computer that launched it",
        )
