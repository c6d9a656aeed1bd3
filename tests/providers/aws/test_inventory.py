"""What is ours is found in every region; nothing else is ever deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from finsched.errors import InvalidRequest, NoAnswer, NotAuthorized, ProviderError
from finsched.provider import Inventory, OwnedResource, Provider

from .conftest import Lab, launch_request, offer

pytestmark = pytest.mark.slow

INSTALLATION = "finsched-test"


def kinds(owned: list[OwnedResource]) -> list[str]:
    return [resource.kind for resource in owned]


def tags_of(installation: str, run: str, **more: str) -> list[dict[str, str]]:
    whose = {"installation": installation, "run": run, **more}
    return [{"Key": f"finsched:{key}", "Value": value} for key, value in whose.items()]


def leave_a_secret(ssm: Any, tags: list[dict[str, str]], name: str = "r9-1") -> None:
    full_name = f"/finsched/test/{name}"
    ssm.put_parameter(Name=full_name, Value="canary", Type="SecureString", Tags=tags)


def leave_behind(
    lab: Lab, region: str = "us-west-2", *, installation: str = INSTALLATION, run: str = "r9"
) -> None:
    """One of each kind that a machine, a crash or a person could leave."""
    tags = tags_of(installation, run)
    leave_a_secret(lab.client("ssm", region), tags)

    def ours(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": tags}]

    ec2 = lab.client(region=region)
    subnet = ec2.describe_subnets()["Subnets"][0]
    ec2.create_network_interface(
        SubnetId=subnet["SubnetId"], TagSpecifications=ours("network-interface")
    )
    zone = subnet["AvailabilityZone"]
    ec2.create_volume(
        AvailabilityZone=zone, Size=30, VolumeType="gp3", TagSpecifications=ours("volume")
    )
    of_a_person = ec2.create_volume(AvailabilityZone=zone, Size=20)["VolumeId"]
    ec2.create_snapshot(VolumeId=of_a_person, TagSpecifications=ours("snapshot"))
    ec2.delete_volume(VolumeId=of_a_person)
    ec2.allocate_address(Domain="vpc", TagSpecifications=ours("elastic-ip"))
    ec2.create_security_group(
        GroupName="left", Description="left", TagSpecifications=ours("security-group")
    )


def test_a_machine_and_all_that_comes_with_it(provider: Provider, inventory: Inventory) -> None:
    assert provider.compute
    [machine] = provider.compute.launch(launch_request())
    owned = list(inventory.owned(INSTALLATION))
    assert kinds(owned) == [
        "instance",
        "spot-request",
        "network-interface",
        "volume",
        "volume",
        "security-group",
    ]
    assert owned[0] == OwnedResource(
        provider="aws",
        kind="instance",
        id=machine.id,
        run="r1",
        created_at=machine.created_at,
        installation=INSTALLATION,
        attempt=1,
    )
    assert {resource.run for resource in owned if resource.kind != "security-group"} == {"r1"}
    assert owned[-1].run is None
    assert owned[-1].shared
    assert not any(resource.shared for resource in owned[:-1])
    assert all(resource.id.startswith("us-west-2/") for resource in owned)


def test_after_the_end_nothing_is_left_but_the_group(
    provider: Provider, inventory: Inventory
) -> None:
    assert provider.compute
    [machine] = provider.compute.launch(launch_request())
    provider.compute.terminate(machine.id)
    assert kinds(list(inventory.owned(INSTALLATION))) == ["security-group"]


def test_a_secret_that_nobody_read_names_its_attempt(
    lab: Lab, provider: Provider, inventory: Inventory
) -> None:
    ssm = lab.client("ssm")
    leave_a_secret(ssm, tags_of(INSTALLATION, "r9", attempt="3"))
    theirs = {"Key": "finsched:installation", "Value": "x"}
    ssm.put_parameter(Name="/finsched/x/1", Value="v", Type="SecureString", Tags=[theirs])
    ssm.put_parameter(Name="/finsched/y", Value="v", Type="String")
    [owned] = inventory.owned(INSTALLATION)
    assert (owned.kind, owned.id) == ("parameter", "us-west-2//finsched/test/r9-1")
    assert (owned.run, owned.attempt, owned.installation) == ("r9", 3, INSTALLATION)
    assert owned.created_at
    assert "canary" not in repr(owned)
    with pytest.raises(InvalidRequest, match="belongs to the installation 'x'"):
        inventory.delete(replace(owned, id="us-west-2//finsched/x/1"))
    for name in ("/finsched/y", "/finsched/nothing"):
        inventory.delete(replace(owned, id=f"us-west-2/{name}"))
    inventory.delete(owned)
    left = {each["Name"] for each in ssm.describe_parameters()["Parameters"]}
    assert left == {"/finsched/x/1", "/finsched/y"}


def test_machines_are_found_where_secrets_may_not_be_listed(
    lab: Lab, provider: Provider, inventory: Inventory
) -> None:
    assert provider.compute
    provider.compute.launch(launch_request())
    lab("fault", operation="DescribeParameters", code="AccessDeniedException", times=99)
    seen: list[str] = []
    with pytest.raises(NotAuthorized, match="AccessDenied"):
        seen.extend(resource.kind for resource in inventory.owned(INSTALLATION))
    assert "instance" in seen


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_everything_that_is_found_can_be_deleted_in_that_order(
    lab: Lab, provider: Provider, inventory: Inventory, times: int
) -> None:
    assert provider.compute
    for region, zone in (("us-west-2", "usw2-az1"), ("us-east-1", "use1-az1")):
        place = offer(region=region, zone=zone)
        provider.compute.launch(launch_request(f"{region}-1", offer=place, nodes=2))
        leave_behind(lab, region)
    owned = list(inventory.owned(INSTALLATION))
    assert len(set(kinds(owned))) == 8
    assert len({resource.id.split("/")[0] for resource in owned}) == 2
    for resource in owned * times:
        inventory.delete(resource)
    assert list(inventory.owned(INSTALLATION)) == []


def test_what_is_billed_of_its_own_says_as_what(lab: Lab, inventory: Inventory) -> None:
    leave_behind(lab)
    owned = inventory.owned(INSTALLATION)
    billed = {each.kind: (each.billed_as, each.billed_units) for each in owned if each.billed_as}
    assert billed == {
        "volume": ("gp3", 30),
        "snapshot": ("snapshot", 20),
        "address": ("address", 1),
    }


def test_what_is_not_ours_is_not_shown_and_not_deleted(lab: Lab, inventory: Inventory) -> None:
    ec2 = lab.client()
    zone = lab.default_subnets[0]["AvailabilityZone"]
    theirs = [{"ResourceType": "volume", "Tags": [{"Key": "finsched:installation", "Value": "x"}]}]
    foreign = ec2.create_volume(AvailabilityZone=zone, Size=1, TagSpecifications=theirs)
    untagged = ec2.create_volume(AvailabilityZone=zone, Size=1)
    assert list(inventory.owned(INSTALLATION)) == []
    claim = OwnedResource(
        provider="aws",
        kind="volume",
        id=f"us-west-2/{foreign['VolumeId']}",
        run=None,
        created_at=None,
        installation=INSTALLATION,
    )
    with pytest.raises(InvalidRequest, match="belongs to the installation 'x'"):
        inventory.delete(claim)
    with pytest.raises(InvalidRequest):
        inventory.delete(replace(claim, installation=""))
    inventory.delete(replace(claim, id=f"us-west-2/{untagged['VolumeId']}"))
    assert len(ec2.describe_volumes()["Volumes"]) == 2


def test_what_is_in_use_is_said_and_stays(
    lab: Lab, provider: Provider, inventory: Inventory
) -> None:
    assert provider.compute
    provider.compute.launch(launch_request())
    [group] = [each for each in inventory.owned(INSTALLATION) if each.kind == "security-group"]
    lab("fault", operation="DeleteSecurityGroup", code="DependencyViolation")
    with pytest.raises(ProviderError, match="DependencyViolation") as caught:
        inventory.delete(group)
    assert "try again" in str(caught.value.fix)


def test_a_region_that_does_not_answer_is_said_after_what_the_others_hold(
    lab: Lab, provider: Provider, inventory: Inventory
) -> None:
    assert provider.compute
    provider.compute.launch(launch_request())
    lab("fault", region="us-east-1", code="InternalError", status=500, times=99)
    seen: list[str] = []
    with pytest.raises(NoAnswer, match="us-east-1"):
        seen.extend(resource.kind for resource in inventory.owned(INSTALLATION))
    assert "instance" in seen
