"""What a user says about Google Cloud; credentials are none of it, they come as every tool's do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from finsched.bootstrap.access import AccessRules, read_access
from finsched.settings_values import names, read_table, text, texts_by_name

IMAGE = (
    "projects/deeplearning-platform-release/global/images/family"
    "/common-cu129-ubuntu-2204-nvidia-580"
)
ENDPOINT = "https://compute.googleapis.com"
BILLING_CATALOG = "https://cloudbilling.googleapis.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpSettings:
    """The table `[gcp]`.

    `project` is the project to launch in; empty means that of GOOGLE_CLOUD_PROJECT. `regions` is
    where finsched may launch, empty means everywhere. `service_account` is what a machine runs as.
    `subnets` names a region's subnet, empty means the default network. `image` is an image or an
    image family. `access` says how machines reach a store of another cloud. `endpoint` is where
    the APIs are, for a proxy or an emulator of them; `prices_url` where the price list is.
    """

    project: str = ""
    regions: tuple[str, ...] = ()
    service_account: str = ""
    subnets: Mapping[str, str] = field(default_factory=dict)
    image: str = IMAGE
    access: AccessRules = field(default_factory=AccessRules)
    endpoint: str = ENDPOINT
    prices_url: str = BILLING_CATALOG


_READERS = {
    "project": text,
    "regions": names,
    "service_account": text,
    "subnets": texts_by_name,
    "image": text,
    "access": read_access,
    "endpoint": text,
    "prices_url": text,
}


def gcp_settings(table: Mapping[str, Any]) -> GcpSettings:
    """Read the table; raises SpecError naming the key."""
    return GcpSettings(**read_table("gcp", table, _READERS))
