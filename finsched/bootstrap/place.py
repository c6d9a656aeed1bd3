"""Where a machine will stand and how it ends: what a provider knows of it before it exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from finsched.bootstrap.access import AccessRules

MOST_BYTES = {"aws": 16 << 10, "gcp": 256 << 10, "azure": 64 << 10}
"""What each cloud takes as user data, before it is encoded for its API."""


@dataclass(frozen=True, slots=True)
class PowerOff:
    """A machine that its cloud ends for good when it is switched off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteInstance:
    """A machine of GCP deletes itself: one that is only switched off keeps its disks."""

    api_url: str = "https://compute.googleapis.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteVirtualMachine:
    """A machine of Azure deletes itself: one that is only switched off is billed on."""

    api_url: str = "https://management.azure.com"
    audience: str = "https://management.azure.com/"


ENDINGS: Mapping[type, str] = {
    PowerOff: "power_off",
    DeleteInstance: "delete_instance",
    DeleteVirtualMachine: "delete_virtual_machine",
}
"""What a machine is told of each ending."""

Ending = PowerOff | DeleteInstance | DeleteVirtualMachine


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretParameter:
    """Where a machine of AWS finds the secrets of its job; the only reader also deletes them."""

    region: str
    name: str
    only_reader: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One machine to be: its cloud, how it ends, its place in a gang, how it reaches other clouds.

    `cloud` says whose metadata service it asks. `node_rank` None means that the metadata service
    knows it, as that of AWS does. `identity` is the client id of an identity that Azure assigns to
    the machine, empty where it has one only. `parameter` says that the provider has left the
    secrets; without it they are split between user data and the run's store.
    """

    cloud: str
    ending: Ending = field(default_factory=PowerOff)
    node_rank: int | None = 0
    access: AccessRules = field(default_factory=AccessRules)
    identity: str = ""
    parameter: SecretParameter | None = None
