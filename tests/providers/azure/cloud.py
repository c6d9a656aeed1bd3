"""A small subscription of Azure in memory: groups, networks, disks and machines, and their rules.

Modelled: operations that go on after the first answer and may fail then; spot and regular machines
by zone; allocation that is refused at once or later; the quotas of vCPUs; `deleteOption` on disk,
interface and address; evictions; conditional creation; tags; what is in use and so cannot be
deleted; resource groups that delete what they hold.

Not modelled: permissions, prices, policies, locks; lists that are late (a test hides what it wants
to be late); the inside of a machine; the reservation of an interface for a machine that failed;
regions that are paired or down.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
IDENTITY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/acme/providers"
    "/Microsoft.ManagedIdentity/userAssignedIdentities/finsched-node"
)
VM = "microsoft.compute/virtualmachines"
DISK = "microsoft.compute/disks"
NIC = "microsoft.network/networkinterfaces"
IP = "microsoft.network/publicipaddresses"
NSG = "microsoft.network/networksecuritygroups"
VNET = "microsoft.network/virtualnetworks"
LOW_PRIORITY = "lowPriorityCores"
Body = dict[str, Any]


class Refused(Exception):
    """What Azure answers instead of doing it."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message or f"a test says {code}"


@dataclass
class Going:
    """An operation that ends at a moment, well or with an error, and what happens then."""

    ends_at: float
    then: Callable[[], None]
    error: Refused | None = None
    ended: bool = False


@dataclass
class Size:
    """A size that is sold."""

    name: str
    family: str
    vcpus: int
    gpus: int
    zones: tuple[str, ...] = ("1", "2", "3")
    closed_zones: tuple[str, ...] = ()
    closed: bool = False


SIZES = (
    Size("Standard_NC24ads_A100_v4", "standardNCADSA100v4Family", 24, 1),
    Size("Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family", 4, 1, zones=()),
    Size("Standard_NC8as_T4_v3", "Standard NCASv3_T4 Family", 8, 1, zones=()),
    Size("Standard_D2s_v5", "standardDSv5Family", 2, 0),
)


@dataclass
class Cloud:
    """All that a subscription holds; times are of `time.monotonic`.

    A machine takes `seconds_to_create`, anything else `seconds_to_prepare`.
    """

    seconds_to_create: float = 0.05
    seconds_to_prepare: float = 0.01
    seconds_to_delete: float = 0.05
    regions: tuple[str, ...] = ("eastus", "westeurope")
    sizes: tuple[Size, ...] = SIZES
    limits: dict[str, int] = field(default_factory=lambda: {LOW_PRIORITY: 400})
    groups: dict[str, Body] = field(default_factory=dict)
    resources: dict[str, Body] = field(default_factory=dict)
    operations: dict[str, Going] = field(default_factory=dict)
    denied: list[Mapping[str, str]] = field(default_factory=list)
    identities: set[str] = field(default_factory=lambda: {IDENTITY.lower()})
    used_before: dict[str, int] = field(default_factory=dict)

    def settle(self) -> None:
        """Let happen what is due."""
        now = time.monotonic()
        for going in [*self.operations.values()]:
            if not going.ended and now >= going.ends_at:
                going.ended = True
                going.then()

    def end_all(self) -> None:
        """Let every operation that goes on end now."""
        for going in self.operations.values():
            going.ends_at = 0.0
        self.settle()

    def begin(self, seconds: float, then: Callable[[], None], error: Refused | None = None) -> str:
        """Start an operation and return its name."""
        name = str(uuid.uuid4())
        self.operations[name] = Going(time.monotonic() + seconds, then, error)
        return name

    # --- groups --------------------------------------------------------------------------------

    def put_group(self, name: str, body: Body) -> tuple[int, Body]:
        known = self.groups.get(name.lower())
        if known and known["properties"]["provisioningState"] == "Deleting":
            raise Refused(409, "ResourceGroupBeingDeleted")
        if known and known["location"] != body["location"]:
            raise Refused(409, "InvalidResourceGroupLocation")
        path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"
        state = {"provisioningState": "Succeeded"}
        group = {"id": path, "name": name, "type": "Microsoft.Resources/resourceGroups"}
        self.groups[name.lower()] = {**group, **body, "properties": state}
        return (200 if known else 201), self.groups[name.lower()]

    def group(self, name: str) -> Body:
        if name.lower() not in self.groups:
            raise Refused(404, "ResourceGroupNotFound", f"Resource group '{name}' not found.")
        return self.groups[name.lower()]

    def contents(self, name: str) -> list[Body]:
        self.group(name)
        inside = f"/resourcegroups/{name.lower()}/"
        return [each for key, each in self.resources.items() if inside in key]

    def delete_group(self, name: str) -> str:
        self.group(name)["properties"]["provisioningState"] = "Deleting"

        def gone() -> None:
            for each in self.contents(name):
                self.resources.pop(each["id"].lower(), None)
            self.groups.pop(name.lower(), None)

        return self.begin(self.seconds_to_delete, gone)

    # --- resources -----------------------------------------------------------------------------

    def resource(self, path: str) -> Body:
        self.group(group_in(path))
        if path.lower() not in self.resources:
            raise Refused(404, "ResourceNotFound", f"The Resource '{path}' was not found.")
        return self.resources[path.lower()]

    def of_kind(self, kind: str, group: str = "") -> list[Body]:
        if group:
            self.group(group)
        inside = f"/resourcegroups/{group.lower()}/" if group else ""
        return [
            each
            for key, each in self.resources.items()
            if kind_of(key) == kind and (not inside or inside in key)
        ]

    def put(self, path: str, body: Body, *, only_new: bool) -> tuple[int, Body, str | None]:
        """Create or update; returns the status, the resource and an operation's name."""
        group = self.group(group_in(path))
        if group["properties"]["provisioningState"] == "Deleting":
            raise Refused(409, "ResourceGroupBeingDeleted")
        known = self.resources.get(path.lower())
        if known and only_new:
            raise Refused(412, "PreconditionFailed", "The resource exists already.")
        kind = kind_of(path)
        if kind == VM:
            return self._put_machine(path, body, known)
        made = self._described(path, body)
        if kind == NIC:
            self._check_interface(made)
            made["properties"]["virtualMachine"] = (
                (known or {}).get("properties", {}).get("virtualMachine")
            )
        for subnet in body["properties"].get("subnets", ()):
            subnet["id"] = f"{path}/subnets/{subnet['name']}"
        made["properties"]["provisioningState"] = "Updating"

        def done() -> None:
            made["properties"]["provisioningState"] = "Succeeded"

        self.resources[path.lower()] = made
        return (200 if known else 201), made, self.begin(self.seconds_to_prepare, done)

    def delete(self, path: str) -> str | None:
        """Begin to delete; None where there is nothing."""
        self.group(group_in(path))
        known = self.resources.get(path.lower())
        if known is None:
            return None
        self._check_unused(path)
        known["properties"]["provisioningState"] = "Deleting"
        return self.begin(self.seconds_to_delete, lambda: self.vanish(path))

    def vanish(self, path: str) -> None:
        """A resource is gone, and what is to go with it."""
        gone = self.resources.pop(path.lower(), None)
        if gone and kind_of(path) == VM:
            for each in ends_with(gone):
                self.vanish(each)
            for disk in self.of_kind(DISK):
                if disk.get("managedBy") == gone["id"]:
                    disk["managedBy"] = None
            for nic in self.of_kind(NIC):
                if (nic["properties"].get("virtualMachine") or {}).get("id") == gone["id"]:
                    nic["properties"]["virtualMachine"] = None
        if gone and kind_of(path) == NIC:
            for each in ends_with_interface(gone):
                self.vanish(each)

    def _check_interface(self, nic: Body) -> None:
        for each in nic["properties"]["ipConfigurations"]:
            subnet = each["properties"]["subnet"]["id"]
            network = self.resources.get(subnet.lower().rpartition("/subnets/")[0])
            is_foreign = "/resourcegroups/acme/" in subnet.lower()
            if network is None and not is_foreign:
                raise Refused(400, "InvalidResourceReference", f"{subnet} was not found.")

    def _check_unused(self, path: str) -> None:
        kind, key = kind_of(path), path.lower()
        known = self.resources[key]
        if kind == NIC and known["properties"].get("virtualMachine"):
            raise Refused(400, "NicInUse")
        for nic in self.of_kind(NIC):
            text = str(nic["properties"]).lower()
            if kind == IP and f"'{key}'" in text:
                raise Refused(400, "PublicIPAddressCannotBeDeleted")
            if kind == NSG and f"'{key}'" in text:
                raise Refused(400, "InUseNetworkSecurityGroupCannotBeDeleted")
            if kind == VNET and f"'{key}/subnets/" in text:
                raise Refused(400, "InUseSubnetCannotBeDeleted")
        if kind == DISK and known.get("managedBy"):
            raise Refused(409, "OperationNotAllowed", "Disk is attached to VM.")

    # --- machines ------------------------------------------------------------------------------

    def _put_machine(
        self, path: str, body: Body, known: Body | None
    ) -> tuple[int, Body, str | None]:
        if known:
            for part in ("osProfile", "hardwareProfile"):
                if known["properties"][part] != body["properties"][part]:
                    raise Refused(409, "PropertyChangeNotAllowed", part)
            return 200, known, None
        place = (body["location"], [*body.get("zones", ()), ""][0])
        name = body["properties"]["hardwareProfile"]["vmSize"]
        size = next((each for each in self.sizes if each.name == name), None)
        if size is None:
            raise Refused(400, "InvalidParameter", f"The value {name} is not a VM size there.")
        for identity in body.get("identity", {}).get("userAssignedIdentities", {}):
            if identity.lower() not in self.identities:
                raise Refused(400, "FailedIdentityOperation", identity)
        self._check_quota(body, size)
        denial = self._denial(place, size)
        if denial and denial.get("when") == "at once":
            raise Refused(int(denial.get("status", "409")), denial["code"], denial.get("text", ""))
        return self._make_machine(path, body, denial)

    def _make_machine(
        self, path: str, body: Body, denial: Mapping[str, str] | None
    ) -> tuple[int, Body, str | None]:
        made = self._described(path, body)
        now = datetime.now(UTC).isoformat().replace("+00:00", "1234+00:00")
        made["properties"] |= {
            "provisioningState": "Creating",
            "timeCreated": now,
            "vmId": str(uuid.uuid4()),
        }
        nics = [each["id"] for each in body["properties"]["networkProfile"]["networkInterfaces"]]
        for nic in nics:
            self._attach(nic, made["id"])
        self.resources[path.lower()] = made
        error = Refused(409, denial["code"], denial.get("text", "")) if denial else None

        def done() -> None:
            if path.lower() in self.resources and not going_away(made):
                self._finish(made, error)

        return 201, made, self.begin(self.seconds_to_create, done, error)

    def _attach(self, nic_id: str, machine_id: str) -> None:
        nic = self.resources.get(nic_id.lower())
        if nic is None:
            raise Refused(400, "InvalidResourceReference", f"{nic_id} was not found.")
        if nic["properties"].get("virtualMachine"):
            raise Refused(400, "NicInUse")
        nic["properties"]["virtualMachine"] = {"id": machine_id}

    def _finish(self, made: Body, error: Refused | None) -> None:
        if error:
            made["properties"]["provisioningState"] = "Failed"
            made["_failure"] = (error.code, error.message)
            return
        made["properties"]["provisioningState"] = "Succeeded"
        made["_power"] = "running"
        name = made["properties"]["storageProfile"]["osDisk"]["name"]
        path = re.sub(r"/virtualMachines/[^/]+$", f"/disks/{name}", made["id"])
        disk = self._described(path, {"location": made["location"], "tags": made["tags"]})
        self.resources[path.lower()] = {**disk, "managedBy": made["id"]}

    def _denial(self, place: tuple[str, str], size: Size) -> Mapping[str, str] | None:
        for each in self.denied:
            zone = each.get("zone", place[1])
            if each.get("region", place[0]) == place[0] and zone == place[1]:
                return each if each.get("size", size.name) == size.name else None
        return None

    def _check_quota(self, body: Body, size: Size) -> None:
        is_spot = body["properties"].get("priority") == "Spot"
        name = LOW_PRIORITY if is_spot else size.family
        used = self.used(body["location"]).get(name, 0)
        limit = self.limits.get(name, 400)
        if used + size.vcpus > limit:
            raise Refused(
                409,
                "OperationNotAllowed",
                "Operation could not be completed as it results in exceeding approved"
                f" {name} Cores quota. Additional details - Deployment Model: Resource Manager,"
                f" Location: {body['location']}, Current Limit: {limit}, Current Usage: {used},"
                f" Additional Required: {size.vcpus}, (Minimum) New Limit Required: 1000.",
            )

    def used(self, region: str) -> dict[str, int]:
        """Return the vCPUs in use, by quota."""
        counted = dict(self.used_before)
        vcpus = {size.name: (size.vcpus, size.family) for size in self.sizes}
        for machine in self.of_kind(VM):
            properties = machine["properties"]
            if machine["location"] == region and properties["provisioningState"] != "Failed":
                count, family = vcpus[properties["hardwareProfile"]["vmSize"]]
                name = LOW_PRIORITY if properties.get("priority") == "Spot" else family
                counted[name] = counted.get(name, 0) + count
        return counted

    def _described(self, path: str, body: Body) -> Body:
        kind = "/".join(path.split("/providers/")[1].split("/")[:2])
        own = {"id": path, "name": path.rpartition("/")[2], "type": kind, "_created": now_text()}
        return {**own, **body, "properties": dict(body.get("properties", {}))}


def now_text() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def going_away(resource: Body) -> bool:
    return bool(resource["properties"].get("provisioningState") == "Deleting")


def group_in(path: str) -> str:
    found = re.search(r"/resourcegroups/([^/]+)", path, re.IGNORECASE)
    return found[1] if found else ""


def kind_of(path: str) -> str:
    return "/".join(path.lower().split("/providers/")[-1].split("/")[:2])


def ends_with(machine: Body) -> Iterator[str]:
    """Yield the ids of what is deleted with a machine."""
    disk = machine["properties"]["storageProfile"]["osDisk"]
    if disk.get("deleteOption") == "Delete":
        yield re.sub(r"/virtualMachines/[^/]+$", f"/disks/{disk['name']}", machine["id"])
    for nic in machine["properties"]["networkProfile"]["networkInterfaces"]:
        if nic.get("properties", {}).get("deleteOption") == "Delete":
            yield nic["id"]


def ends_with_interface(nic: Body) -> Iterator[str]:
    for each in nic["properties"]["ipConfigurations"]:
        address = each["properties"].get("publicIPAddress") or {}
        if address.get("properties", {}).get("deleteOption") == "Delete":
            yield address["id"]
