"""Names and disks: nothing that needs a cloud."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.model.market import CapacityType, Pool
from finsched_aws import run_instances
from finsched_aws.image import Image, disk_mappings, read_image
from finsched_aws.names import (
    Located,
    by_region,
    client_token,
    located,
    pool_of,
    pool_tag,
    tags_of,
)
from finsched_aws.run_instances import Place
from finsched_aws.subnets import Subnet

from .conftest import launch_request, offer

GIB = 1 << 30


def image(root_gib: int = 75, other_gib: int = 20) -> Image:
    return read_image(
        {
            "ImageId": "ami-1",
            "RootDeviceName": "/dev/sda1",
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": root_gib}},
                {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": other_gib}},
                {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            ],
        }
    )


def test_ids_carry_their_region_and_others_are_nobodys() -> None:
    ours = Located("us-west-2", "i-1")
    assert located([str(ours), "token", "/i-2", "us-west-2/", ""]) == [ours]
    assert by_region(["a/i-1", "b/i-2", "a/i-3"]) == {"a": ["i-1", "i-3"], "b": ["i-2"]}


def test_a_client_token_is_one_attempts_in_one_subnet() -> None:
    requests = [
        launch_request("r1-1"),
        launch_request("r1-2"),
        launch_request("r1-1", installation="finsched-other"),
    ]
    tokens = {
        client_token(each, subnet) for each in requests for subnet in ("subnet-1", "subnet-2")
    }
    assert len(tokens) == 6
    assert all(len(token) <= 64 and token.isascii() for token in tokens)
    assert client_token(launch_request(), "subnet-1") == client_token(launch_request(), "subnet-1")


@pytest.mark.parametrize("zone", ["usw2-az1", ""])
def test_a_pool_survives_its_tag(zone: str) -> None:
    pool = Pool("aws", "us-west-2", zone, "g5.xlarge")
    assert pool_of({"finsched:pool": pool_tag(pool)}) == pool


def test_a_users_tags_cannot_replace_ours() -> None:
    mine = {"Name": "mine", "finsched:installation": "stolen", "project": "chatbot"}
    tags = tags_of(launch_request(tags=mine))
    assert tags["finsched:installation"] == "finsched-test"
    assert tags["Name"] == "mine"
    assert tags["project"] == "chatbot"


@given(
    disk_gb=st.none() | st.floats(min_value=0.001, max_value=16_000),
    root_gib=st.integers(1, 500),
    other_gib=st.integers(1, 500),
)
def test_disks_are_large_enough_and_end_with_their_machine(
    disk_gb: float | None, root_gib: int, other_gib: int
) -> None:
    disks = disk_mappings(image(root_gib, other_gib), disk_gb)
    assert [disk["DeviceName"] for disk in disks] == ["/dev/sda1", "/dev/sdf"]
    assert all(disk["Ebs"]["DeleteOnTermination"] is True for disk in disks)
    root, other = (disk["Ebs"]["VolumeSize"] for disk in disks)
    assert root >= root_gib
    assert root * GIB >= (disk_gb or 0) * 1e9
    assert root == root_gib or (root - 1) * GIB < (disk_gb or 0) * 1e9
    assert other == other_gib


def place(*, is_default: bool = True, instance_profile: str = "") -> Place:
    return Place(
        subnet=Subnet(id="subnet-1", zone="usw2-az1", vpc="vpc-1", is_default=is_default),
        group_id="sg-1",
        image=image(),
        instance_profile=instance_profile,
    )


def test_on_demand_asks_for_no_spot_machine_and_tags_no_spot_request() -> None:
    request = launch_request(offer=offer(capacity_type=CapacityType.ON_DEMAND))
    call = run_instances.parameters(request, place(), "")
    assert "InstanceMarketOptions" not in call
    kinds = [each["ResourceType"] for each in call["TagSpecifications"]]
    assert kinds == ["instance", "volume", "network-interface"]


def test_a_subnet_of_the_settings_decides_about_public_addresses_itself() -> None:
    [own] = run_instances.parameters(launch_request(), place(is_default=False), "")[
        "NetworkInterfaces"
    ]
    [default] = run_instances.parameters(launch_request(), place(), "")["NetworkInterfaces"]
    assert "AssociatePublicIpAddress" not in own
    assert default["AssociatePublicIpAddress"] is True


def test_an_instance_profile_is_passed_only_where_one_is_set() -> None:
    with_one = run_instances.parameters(launch_request(), place(instance_profile="node"), "")
    assert with_one["IamInstanceProfile"] == {"Name": "node"}
    assert "IamInstanceProfile" not in run_instances.parameters(launch_request(), place(), "")
