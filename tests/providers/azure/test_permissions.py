"""The role in the documentation allows what finsched calls, and nothing else."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from finsched.model.job import CheckpointSpec
from finsched.model.market import CapacityType
from finsched.testing.builders import job
from finsched_azure import errors, permissions
from finsched_azure.inventory import INSTANCE
from tests.waiting import until

from .arm import Call
from .cloud import NIC
from .conftest import INSTALLATION, Lab, launch_request, offer

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "azure.md"
VERBS = {"GET": "read", "PUT": "write", "DELETE": "delete", "POST": "action"}
WITHOUT_A_CALL = {
    # The disk is made with its machine. What a resource refers to has to be allowed to be joined.
    "microsoft.compute/disks/write",
    "microsoft.managedidentity/userassignedidentities/assign/action",
    "microsoft.network/networkinterfaces/join/action",
    "microsoft.network/networksecuritygroups/join/action",
    "microsoft.network/publicipaddresses/join/action",
    "microsoft.network/virtualnetworks/subnets/join/action",
}


def role(name: str) -> dict[str, Any]:
    [block] = re.findall(rf"```json {name}\.json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return json.loads(block)


def action(call: Call) -> str:
    """Return the permission that a call needs, in small letters."""
    path, verb = call.path.lower().strip("/"), VERBS[call.method]
    if "/providers/" in path:
        _, _, rest = path.rpartition("/providers/")
        namespace, *parts = rest.split("/")
        if not parts:
            return f"microsoft.resources/subscriptions/providers/{verb}"
        return "/".join([namespace, *parts[::2], verb])
    kinds = path.split("/")[::2]
    return "/".join(["microsoft.resources", *kinds, verb])


def leave_behind_what_hangs_on(lab: Lab) -> None:
    """Somebody has told Azure to keep what machines leave."""
    for machine in lab.machines():
        machine["properties"]["storageProfile"]["osDisk"]["deleteOption"] = "Detach"
        for nic in machine["properties"]["networkProfile"]["networkInterfaces"]:
            nic["properties"]["deleteOption"] = "Detach"
    for nic in lab.arm.cloud.of_kind(NIC):
        for address in nic["properties"]["ipConfigurations"]:
            address["properties"]["publicIPAddress"]["properties"]["deleteOption"] = "Detach"


def work_through_everything(lab: Lab) -> None:
    """Call all that the provider can do, on a subscription that holds all that it can meet."""
    provider = lab.provider()
    assert provider.compute
    assert provider.inventory
    assert provider.checks
    assert provider.capacity
    list(provider.checks.run(job(checkpoint=CheckpointSpec(uri="az://ckpt/llama"))))
    provider.capacity.quota(offer(capacity_type=CapacityType.ON_DEMAND), 1)
    ids = [each.id for each in provider.compute.launch(launch_request(nodes=2))]
    provider.compute.find("r1-1")
    provider.compute.poll([*ids, "finsched-r9-00000000/finsched-node-0"])
    leave_behind_what_hangs_on(lab)
    for resource in list(provider.inventory.owned(INSTALLATION)):
        if resource.kind != INSTANCE:
            until(lambda: not lab.machines())
        with suppress(errors.Busy):
            provider.inventory.delete(resource)
    provider.compute.terminate(ids[0])


@pytest.mark.slow
def test_the_role_allows_every_call_and_no_other(lab: Lab) -> None:
    work_through_everything(lab)
    called = {action(call) for call in lab.arm.calls}
    needed = {each.lower() for each in permissions.ACTIONS}
    assert called == needed - WITHOUT_A_CALL
    assert needed >= WITHOUT_A_CALL


def test_the_documented_role_is_the_one_that_is_checked() -> None:
    assert set(role("azure-role")["Actions"]) == {*permissions.ACTIONS, permissions.PRICE_HISTORY}
    assert not any("*" in each for each in role("azure-role")["Actions"])


def test_a_machine_may_delete_machines_and_nothing_else() -> None:
    assert role("azure-node-role")["Actions"] == ["Microsoft.Compute/virtualMachines/delete"]


def test_the_page_names_no_code_that_the_table_does_not_know() -> None:
    rows = re.findall(r"^\| (`[A-Z][^|]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    named = {code for row in rows for code in re.findall(r"`([A-Z]\w+)`", row)}
    assert len(named) > 8
    assert named <= errors.CODES.keys()
