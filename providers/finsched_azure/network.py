"""The network of an attempt: closed to what comes in, with a way out of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from finsched.errors import ProviderProblem
from finsched.provider import LaunchRequest
from finsched_azure.api import Api, Operation, first_problem
from finsched_azure.names import (
    NETWORK,
    SECURITY_GROUP,
    SUBNET,
    address_name,
    interface_name,
    tags_of,
)

_ADDRESSES = "10.71.0.0/24"
_NOTHING_COMES_IN = {
    "name": "nothing-comes-in",
    "properties": {
        "priority": 4096,
        "direction": "Inbound",
        "access": "Deny",
        "protocol": "*",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "*",
    },
}
_OPERATION_SECONDS = 180.0


class Network(NamedTuple):
    """Where machines are attached; in a subnet of the settings they get no public address."""

    subnet_id: str
    security_group_id: str
    is_own: bool


class Networks:
    """Makes what the machines of an attempt are attached to; every call may be repeated."""

    def __init__(self, api: Api, subnets: Mapping[str, str]) -> None:
        self._api = api
        self._subnets = subnets

    def for_attempt(self, request: LaunchRequest, group: str) -> Network:
        """Return the network, made or made again."""
        region = request.offer.region
        closed = self._put("network_security_groups", group, SECURITY_GROUP, _closed(request))
        self._settle([closed])
        security_group_id = self._id(group, "networkSecurityGroups", SECURITY_GROUP)
        if region in self._subnets:
            return Network(self._subnets[region], security_group_id, is_own=False)
        self._settle([self._put("virtual_networks", group, NETWORK, _own(request))])
        subnet_id = f"{self._id(group, 'virtualNetworks', NETWORK)}/subnets/{SUBNET}"
        return Network(subnet_id, security_group_id, is_own=True)

    def attach(
        self, request: LaunchRequest, group: str, network: Network, *, fast: bool
    ) -> Sequence[str]:
        """Return the ids of one interface for each rank, with an address where it needs one."""
        ranks = range(request.nodes)
        if network.is_own:
            address = _described(request, {"publicIPAllocationMethod": "Static"})
            address["sku"] = {"name": "Standard"}
            self._put_all("public_ip_addresses", group, {address_name(n): address for n in ranks})
        interfaces = {
            interface_name(rank): self._interface(request, group, network, rank, fast=fast)
            for rank in ranks
        }
        self._put_all("network_interfaces", group, interfaces)
        return [self._id(group, "networkInterfaces", name) for name in interfaces]

    def _interface(
        self, request: LaunchRequest, group: str, network: Network, rank: int, *, fast: bool
    ) -> dict[str, Any]:
        address: dict[str, Any] = {"subnet": {"id": network.subnet_id}}
        if network.is_own:
            public_id = self._id(group, "publicIPAddresses", address_name(rank))
            ends_with_it = {"deleteOption": "Delete"}
            address["publicIPAddress"] = {"id": public_id, "properties": ends_with_it}
        properties = {
            "networkSecurityGroup": {"id": network.security_group_id},
            "enableAcceleratedNetworking": fast,
            "ipConfigurations": [{"name": "node", "properties": address}],
        }
        return _described(request, properties)

    def _put_all(self, kind: str, group: str, wanted: Mapping[str, Any]) -> None:
        self._settle([self._put(kind, group, name, body) for name, body in wanted.items()])

    def _put(self, kind: str, group: str, name: str, body: Mapping[str, Any]) -> Operation:
        return self._api.begin(f"{kind}.begin_create_or_update", group, name, body)

    def _settle(self, operations: Sequence[Operation]) -> None:
        problem: ProviderProblem | None = first_problem(operations, _OPERATION_SECONDS)
        if problem:
            raise problem

    def _id(self, group: str, kind: str, name: str) -> str:
        scope = f"/subscriptions/{self._api.subscription}/resourceGroups/{group}"
        return f"{scope}/providers/Microsoft.Network/{kind}/{name}"


def _closed(request: LaunchRequest) -> dict[str, Any]:
    """A gang's members talk inside their network, as Azure's own rules allow; nobody else may."""
    is_gang = request.nodes > 1
    return _described(request, {"securityRules": [] if is_gang else [_NOTHING_COMES_IN]})


def _own(request: LaunchRequest) -> dict[str, Any]:
    subnet = {"addressPrefix": _ADDRESSES, "defaultOutboundAccess": False}
    properties = {
        "addressSpace": {"addressPrefixes": [_ADDRESSES]},
        "subnets": [{"name": SUBNET, "properties": subnet}],
    }
    return _described(request, properties)


def _described(request: LaunchRequest, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "location": request.offer.region,
        "tags": tags_of(request),
        "properties": dict(properties),
    }
