"""The actions that finsched needs on a subscription: the role in docs/reference/azure.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups"
_OWN_KINDS = (
    "Microsoft.Compute/disks",
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/virtualNetworks",
)
_DOES = ("read", "write", "delete")

ACTIONS = (
    "Microsoft.Authorization/permissions/read",
    "Microsoft.Compute/locations/operations/read",
    "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
    "Microsoft.Compute/locations/usages/read",
    "Microsoft.Compute/skus/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    "Microsoft.Network/locations/operations/read",
    "Microsoft.Network/networkInterfaces/join/action",
    "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
    "Microsoft.Resources/subscriptions/providers/read",
    "Microsoft.Resources/subscriptions/read",
    f"{_GROUPS}/resources/read",
    *(f"{kind}/{does}" for kind in (*_OWN_KINDS, _GROUPS) for does in _DOES),
)

PRICE_HISTORY = "Microsoft.ResourceGraph/resources/read"
"""Only for eviction rates and for how spot prices changed."""


def missing(granted: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the actions that none of the granted permissions allows."""
    known = list(granted)
    for action in ACTIONS:
        if not any(_allows(permission, action) for permission in known):
            yield action


def _allows(permission: Mapping[str, Any], action: str) -> bool:
    return _any_matches(permission.get("actions") or (), action) and not _any_matches(
        permission.get("notActions") or (), action
    )


def _any_matches(patterns: Sequence[str], action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
