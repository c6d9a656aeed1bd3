"""What a user says about Azure; credentials are none of it, they come as every Azure tool's do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finsched.bootstrap.access import AccessRules, read_access
from finsched.settings_values import Reader, names, read_table, text, texts_by_name

HPC_IMAGE = "microsoft-dsvm:ubuntu-hpc:2204:latest"
PUBLIC_CLOUD = "https://management.azure.com"
RETAIL_PRICES = "https://prices.azure.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSettings:
    """The table `[azure]`.

    `subscription` is where finsched launches; empty means the one that `az` has chosen. `regions`
    is where it may launch; empty means everywhere. `identity` is the resource id of the
    user-assigned managed identity of the machines. `subnets` are resource ids by region; a region
    without one gets a small network per attempt. `image` is a URN: publisher:offer:sku:version.
    `endpoint` is the address of Azure Resource Manager, `prices_url` that of the public price list.
    `access` says how a machine reaches a store of another cloud.
    """

    subscription: str = ""
    regions: tuple[str, ...] = ()
    identity: str = ""
    subnets: Mapping[str, str] = field(default_factory=dict)
    image: str = HPC_IMAGE
    endpoint: str = PUBLIC_CLOUD
    prices_url: str = RETAIL_PRICES
    access: AccessRules = field(default_factory=AccessRules)


def resource_id(value: Any) -> str:
    """Read the id of a resource: a path that begins with its subscription."""
    path = text(value).rstrip("/")
    if not path.lower().startswith("/subscriptions/"):
        raise ValueError("is not a resource id: /subscriptions/…")
    return path


def resource_ids_by_name(value: Any) -> dict[str, str]:
    """Read a table of resource ids."""
    return {name: resource_id(each) for name, each in texts_by_name(value).items()}


def urn(value: Any) -> str:
    """Read the name of an image in the marketplace."""
    name = text(value)
    if name.count(":") != 3 or not all(name.split(":")):
        raise ValueError("is not publisher:offer:sku:version")
    return name


def address(value: Any) -> str:
    """Read an address of HTTP."""
    url = text(value).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise ValueError("is not an address: https://…")
    return url


_READERS: Mapping[str, Reader] = {
    "subscription": text,
    "regions": names,
    "identity": resource_id,
    "subnets": resource_ids_by_name,
    "image": urn,
    "endpoint": address,
    "prices_url": address,
    "access": read_access,
}


def azure_settings(table: Mapping[str, Any]) -> AzureSettings:
    """Read the table; raises SpecError naming the key."""
    return AzureSettings(**read_table("azure", table, _READERS))
