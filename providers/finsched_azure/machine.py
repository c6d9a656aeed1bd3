"""What a machine is described as: pure, so that it can be read and tested as a whole."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from finsched.model.market import CapacityType
from finsched.provider import LaunchRequest
from finsched_azure.image import Image
from finsched_azure.names import disk_name, node_name, tags_of

_USER = "finsched"
_AT_MOST_ON_DEMAND = -1
"""As a spot machine's maximum price: it is never ended because of its price, and costs at most
what the same costs on demand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of an attempt: its rank, where it goes and what it starts from."""

    rank: int
    zone: str
    image: Image
    interface_id: str
    identity: str
    user_data: str
    ssh_public_key: str


def description(request: LaunchRequest, node: Node) -> dict[str, Any]:
    """Return the whole machine: tagged, closed, ending with its disk, interface and address."""
    described: dict[str, Any] = {
        "location": request.offer.region,
        "tags": tags_of(request),
        "properties": {
            "hardwareProfile": {"vmSize": request.offer.instance_type.name},
            **_way_of_buying(request),
            "storageProfile": _storage(request, node),
            "osProfile": _system(node),
            "networkProfile": {"networkInterfaces": [_interface(node)]},
        },
    }
    if node.zone:
        described["zones"] = [node.zone]
    if node.identity:
        identities: dict[str, Any] = {node.identity: {}}
        described["identity"] = {"type": "UserAssigned", "userAssignedIdentities": identities}
    return described


def _way_of_buying(request: LaunchRequest) -> dict[str, Any]:
    if request.offer.capacity_type is not CapacityType.SPOT:
        return {"priority": "Regular"}
    return {
        "priority": "Spot",
        "evictionPolicy": "Delete",
        "billingProfile": {"maxPrice": _AT_MOST_ON_DEMAND},
    }


def _storage(request: LaunchRequest, node: Node) -> dict[str, Any]:
    disk: dict[str, Any] = {
        "name": disk_name(node.rank),
        "createOption": "FromImage",
        "deleteOption": "Delete",
        "managedDisk": {"storageAccountType": "Premium_LRS"},
    }
    if size_gib := node.image.disk_gib(request.disk_gb):
        disk["diskSizeGB"] = size_gib
    return {"imageReference": node.image.reference, "osDisk": disk}


def _system(node: Node) -> dict[str, Any]:
    """Azure wants a way to log in; the key's other half was never kept."""
    key = {"path": f"/home/{_USER}/.ssh/authorized_keys", "keyData": node.ssh_public_key}
    return {
        "computerName": node_name(node.rank),
        "adminUsername": _USER,
        "customData": base64.b64encode(node.user_data.encode()).decode(),
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "ssh": {"publicKeys": [key]},
        },
    }


def _interface(node: Node) -> dict[str, Any]:
    properties = {"primary": True, "deleteOption": "Delete"}
    return {"id": node.interface_id, "properties": properties}
