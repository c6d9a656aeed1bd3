"""The roles in the documentation allow what finsched calls, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from finsched.model.job import CheckpointSpec
from finsched.testing.builders import job
from finsched_gcp import errors
from finsched_gcp.permissions import ACT_AS, END, LOOK_AND_MAKE

from .conftest import Lab, launch_request, offer
from .test_inventory import INSTALLATION, leave_behind

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "gcp.md"
ADVICE = "compute.advice.capacity"
"""Only for the chance of spot: a check does not ask for it, because its name was never tried."""
WITHOUT_A_PERMISSION = {"projects.testIamPermissions", "serviceAccounts.testIamPermissions"}
"""Google answers these to everybody who can see the resource."""
WITH_OTHERS = {
    "instances.insert": {
        "compute.disks.create",
        "compute.disks.setLabels",
        "compute.images.useReadOnly",
        "compute.instances.create",
        "compute.instances.setLabels",
        "compute.instances.setMetadata",
        "compute.instances.setServiceAccount",
        "compute.instances.setTags",
        "compute.subnetworks.use",
        "compute.subnetworks.useExternalIp",
    },
    "firewalls.insert": {"compute.firewalls.create", "compute.networks.updatePolicy"},
    "firewalls.delete": {"compute.firewalls.delete", "compute.networks.updatePolicy"},
    "serviceAccounts.get": {"iam.serviceAccounts.get"},
    "buckets.get": {"storage.buckets.get"},
}
"""Permissions that a call asks for, where they are not those of its own name."""


def role(name: str) -> list[str]:
    [block] = re.findall(rf"```yaml {name}\.yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    permissions: list[str] = yaml.safe_load(block)["includedPermissions"]
    return permissions


def permissions_of(call: str) -> set[str]:
    named = f"compute.{call}".replace("aggregatedList", "list")
    return set() if call in WITHOUT_A_PERMISSION else WITH_OTHERS.get(call, {named})


def work_through_everything(lab: Lab) -> None:
    """Call all that the provider can do, on a project that holds all that it can meet."""
    lab.gce.networks.add("private")
    lab.gce.subnetworks["us-central1", "with-nat"] = "private"
    lab.cloud.buckets = {"ckpt": "us"}
    lab.gce.create_seconds = 0.2
    own = lab.provider(subnets={"us-central1": "with-nat"}, image="projects/x/global/images/none")
    provider = lab.provider()
    for each in (own, provider):
        assert each.checks
        list(each.checks.run(job(checkpoint=CheckpointSpec(uri="gs://ckpt/x"))))
    assert provider.compute
    assert provider.inventory
    assert provider.capacity
    provider.capacity.quota(offer(), 1)
    provider.capacity.placement_score(offer(), 1)
    anywhere = offer(zone="", instance_type="n1-standard-8+1xT4")
    ids = [each.id for each in provider.compute.launch(launch_request(nodes=2, offer=anywhere))]
    provider.compute.find("r1-1")
    provider.compute.poll([*ids, "us-central1-a/gone"])
    leave_behind(lab)
    for resource in list(provider.inventory.owned(INSTALLATION)):
        if resource.kind != "disk" or resource.run == "r9":
            provider.inventory.delete(resource)
    provider.compute.terminate(ids[0])
    lab.gce.create_seconds = 0.05


@pytest.mark.slow
def test_the_roles_allow_every_call_and_no_other(lab: Lab) -> None:
    work_through_everything(lab)
    called = {call.name for call in lab.cloud.calls}
    needed = set[str]().union(*map(permissions_of, called))
    assert needed == {*role("gcp-role"), *role("gcp-role-end")}


@pytest.mark.slow
def test_every_call_says_who_makes_it(lab: Lab) -> None:
    compute = lab.provider().compute
    assert compute
    compute.launch(launch_request())
    assert all("finsched" in call.agent for call in lab.cloud.calls)


def test_the_page_has_what_the_check_asks_for() -> None:
    assert role("gcp-role") == [*LOOK_AND_MAKE, ADVICE]
    assert role("gcp-role-end") == [*END]
    assert ACT_AS.startswith("iam.serviceAccounts.")
    assert "roles/iam.serviceAccountUser" in PAGE.read_text()


def test_what_ends_something_is_in_a_role_of_its_own() -> None:
    assert not [each for each in role("gcp-role") if each.endswith((".delete", ".stop"))]
    assert all(each.endswith(".delete") for each in role("gcp-role-end"))


def test_the_page_names_no_code_that_the_table_does_not_know() -> None:
    section = PAGE.read_text().partition("## When Google refuses")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[A-Za-z][^|]+) \|", section, re.MULTILINE)
    named = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert len(named) > 8
    assert named <= errors.CODES.keys()
