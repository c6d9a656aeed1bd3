"""What a launch makes, read back from the emulated account."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from finsched.errors import InvalidRequest, NoCapacity, NoQuota, NotConfigured, ProviderProblem
from finsched.model.market import CapacityType
from finsched.provider import Compute, InstanceState
from finsched_aws.assembly import assemble
from finsched_aws.settings import DLAMI, AwsSettings

from .conftest import REGIONS, Lab, launch_request, offer

pytestmark = pytest.mark.slow

OURS = {
    "finsched:installation": "finsched-test",
    "finsched:run": "r1",
    "finsched:attempt": "1",
    "finsched:token": "r1-1",
    "finsched:nodes": "1",
    "finsched:pool": "aws/us-west-2/usw2-az1/g5.xlarge",
    "Name": "finsched r1",
    "project": "chatbot",
}


def tags(described: dict[str, Any]) -> dict[str, str]:
    listed = described.get("Tags") or described.get("TagSet") or []
    return {tag["Key"]: tag["Value"] for tag in listed}


def only(described: dict[str, Any], key: str) -> dict[str, Any]:
    [one] = described[key]
    return one


def groups_of(instance: dict[str, Any]) -> list[str]:
    [interface] = instance["NetworkInterfaces"]
    return [group["GroupId"] for group in interface["Groups"]]


def attribute(lab: Lab, instance: dict[str, Any], name: str) -> Any:
    asked = {"InstanceId": instance["InstanceId"], "Attribute": name}
    answer = lab.client().describe_instance_attribute(**asked)
    return answer[name[0].upper() + name[1:]]["Value"]


def test_a_spot_machine_as_it_must_be(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request(disk_gb=500))
    [instance] = lab.instances()
    assert launched.id == f"us-west-2/{instance['InstanceId']}"
    assert launched.created_at == instance["LaunchTime"]
    assert instance["InstanceLifecycle"] == "spot"
    assert instance["InstanceType"] == "g5.xlarge"
    options = instance["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)
    assert attribute(lab, instance, "instanceInitiatedShutdownBehavior") == "terminate"
    user_data = base64.b64decode(attribute(lab, instance, "userData"))
    assert user_data == b"#!/bin/sh\necho r1-1 0\n"


def test_everything_carries_our_tags_and_the_users_from_the_create_call(
    lab: Lab, compute: Compute
) -> None:
    compute.launch(launch_request())
    ec2 = lab.client()
    [instance] = lab.instances()
    volumes = ec2.describe_volumes()["Volumes"]
    interface = only(ec2.describe_network_interfaces(), "NetworkInterfaces")
    spot_request = only(ec2.describe_spot_instance_requests(), "SpotInstanceRequests")
    assert len(volumes) == 2
    for resource in (instance, *volumes, interface, spot_request):
        assert tags(resource) == OURS
    assert "CreateTags" not in {call["operation"] for call in lab.calls()}


def test_the_spot_request_is_one_time_without_a_maximum_price(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request())
    [call] = lab.calls("RunInstances")
    spot = {key: value for key, value in call["parameters"].items() if "MarketOptions" in key}
    assert spot == {
        "InstanceMarketOptions.MarketType": "spot",
        "InstanceMarketOptions.SpotOptions.SpotInstanceType": "one-time",
        "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior": "terminate",
    }


def test_no_disk_and_no_interface_outlives_the_machine(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request(disk_gb=500))
    ec2 = lab.client()
    assert sorted(volume["Size"] for volume in ec2.describe_volumes()["Volumes"]) == [20, 466]
    compute.terminate(launched.id)
    assert ec2.describe_volumes()["Volumes"] == []
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    live = ec2.describe_spot_instance_requests(Filters=[{"Name": "state", "Values": ["active"]}])
    assert live["SpotInstanceRequests"] == []


def test_nothing_comes_in_and_the_way_out_is_a_public_address(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request())
    [instance] = lab.instances()
    [group_id] = groups_of(instance)
    group = only(lab.client().describe_security_groups(GroupIds=[group_id]), "SecurityGroups")
    assert group["IpPermissions"] == []
    assert group["IpPermissionsEgress"]
    assert group["GroupName"] == "finsched-test"
    assert tags(group)["finsched:installation"] == "finsched-test"
    assert "finsched:run" not in tags(group)
    assert instance["PublicIpAddress"]


def test_the_group_of_the_installation_is_made_once(lab: Lab, compute: Compute) -> None:
    for number in (1, 2):
        compute.launch(launch_request(f"r1-{number}", attempt=number))
    assert len(lab.calls("CreateSecurityGroup")) == 1


def test_a_gang_is_in_one_zone_in_order_behind_a_group_of_its_members(
    lab: Lab, compute: Compute
) -> None:
    request = launch_request(nodes=3, offer=offer(zone=""))
    launched = compute.launch(request)
    described = lab.instances()
    assert len({instance["SubnetId"] for instance in described}) == 1
    by_rank = sorted(described, key=lambda instance: instance["AmiLaunchIndex"])
    assert [each.id for each in launched] == [
        f"us-west-2/{instance['InstanceId']}" for instance in by_rank
    ]
    assert list(compute.find("r1-1")) == list(launched)
    assert len(lab.calls("RunInstances")) == 1
    [group_id] = {groups_of(instance)[0] for instance in described}
    group = only(lab.client().describe_security_groups(GroupIds=[group_id]), "SecurityGroups")
    [inbound] = group["IpPermissions"]
    assert [pair["GroupId"] for pair in inbound["UserIdGroupPairs"]] == [group_id]
    assert inbound["IpRanges"] == inbound["Ipv6Ranges"] == inbound["PrefixListIds"] == []
    assert tags(group)["finsched:run"] == "r1"


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_group_that_somebody_opened_is_refused(lab: Lab, compute: Compute, nodes: int) -> None:
    compute.launch(launch_request("r1-1", nodes=nodes))
    [group_id] = groups_of(lab.instances()[0])
    anyone = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    anyone["IpRanges"] = [{"CidrIp": "0.0.0.0/0"}]
    lab.client().authorize_security_group_ingress(GroupId=group_id, IpPermissions=[anyone])
    with pytest.raises(InvalidRequest, match=f"{group_id} lets others in"):
        compute.launch(launch_request("r1-2", nodes=nodes))


def test_machines_of_different_runs_do_not_see_each_other(lab: Lab, compute: Compute) -> None:
    """Members are admitted to a gang's group only, never to the one that all runs share."""
    compute.launch(launch_request("r1-1"))
    [group_id] = groups_of(lab.instances()[0])
    members = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}
    lab.client().authorize_security_group_ingress(GroupId=group_id, IpPermissions=[members])
    with pytest.raises(InvalidRequest, match="lets others in"):
        compute.launch(launch_request("r2-1", run="r2"))


def test_zone_ids_lead_to_the_accounts_own_zone_names(lab: Lab, compute: Compute) -> None:
    names = {
        subnet["AvailabilityZoneId"]: subnet["AvailabilityZone"] for subnet in lab.default_subnets
    }
    for number, zone in enumerate(("usw2-az1", "usw2-az2"), start=1):
        compute.launch(launch_request(f"r1-{number}", offer=offer(zone=zone)))
    zones = [instance["Placement"]["AvailabilityZone"] for instance in lab.instances()]
    assert zones == [names["usw2-az1"], names["usw2-az2"]]


def test_a_zone_that_the_account_lacks_has_no_capacity(compute: Compute) -> None:
    with pytest.raises(NoCapacity, match="usw2-az9"):
        compute.launch(launch_request(offer=offer(zone="usw2-az9")))


def test_a_region_that_is_not_among_ours_is_skipped(compute: Compute) -> None:
    with pytest.raises(NoQuota, match="eu-north-1"):
        compute.launch(launch_request(offer=offer(region="eu-north-1", zone="eun1-az1")))


def test_without_regions_in_the_settings_the_account_says_which(lab: Lab) -> None:
    compute = lab.provider(regions=()).compute
    assert compute
    [launched] = compute.launch(launch_request(offer=offer(region="eu-north-1", zone="")))
    assert launched.id.startswith("eu-north-1/")
    assert lab.calls("DescribeRegions")


def test_subnets_of_the_settings_are_used_and_decide_about_addresses(lab: Lab) -> None:
    subnet = lab.default_subnets[1]
    compute = lab.provider(subnets={"us-west-2": (subnet["SubnetId"],)}).compute
    assert compute
    request = launch_request(offer=offer(zone=subnet["AvailabilityZoneId"]))
    compute.launch(request)
    assert lab.instances()[0]["SubnetId"] == subnet["SubnetId"]
    [call] = lab.calls("RunInstances")
    assert not [key for key in call["parameters"] if "PublicIp" in key]
    other = next(each for each in lab.default_subnets if each != subnet)
    with pytest.raises(NoCapacity):
        compute.launch(launch_request("r1-2", offer=offer(zone=other["AvailabilityZoneId"])))


@pytest.mark.parametrize(("machine", "arch"), [("g5.xlarge", "x86_64"), ("g5g.xlarge", "arm64")])
def test_the_image_is_the_deep_learning_one_of_the_machines_architecture(
    lab: Lab, compute: Compute, machine: str, arch: str
) -> None:
    compute.launch(launch_request(offer=offer(instance_type=machine, zone="")))
    [call] = lab.calls("GetParameter")
    assert call["parameters"]["Name"] == DLAMI.format(arch=arch)
    assert lab.instances()[0]["ImageId"] == "ami-0dee91ea"


def test_a_region_without_the_published_image_is_skipped(lab: Lab, compute: Compute) -> None:
    lab("fault", operation="GetParameter", code="ParameterNotFound")
    with pytest.raises(NoCapacity, match="ParameterNotFound") as caught:
        compute.launch(launch_request())
    assert "aws.ami" in str(caught.value.fix)


@pytest.mark.parametrize("ami", ["/acme/image", "ami-0badbadbad0000000"])
def test_an_image_of_the_settings_that_is_not_there_is_the_users_to_correct(
    lab: Lab, ami: str
) -> None:
    compute = lab.provider(ami=ami).compute
    assert compute
    with pytest.raises(InvalidRequest, match="NotFound") as caught:
        compute.launch(launch_request())
    assert "settings" in str(caught.value.fix)


def test_a_machine_that_the_region_does_not_sell_is_skipped(compute: Compute) -> None:
    with pytest.raises(NoCapacity, match="InvalidInstanceType"):
        compute.launch(launch_request(offer=offer(instance_type="p99.metal")))


def test_an_image_of_the_settings_is_used_without_a_parameter(lab: Lab) -> None:
    compute = lab.provider(ami="ami-00000001").compute
    assert compute
    compute.launch(launch_request())
    assert lab.instances()[0]["ImageId"] == "ami-00000001"
    assert not lab.calls("GetParameter")


def test_an_instance_profile_of_the_settings_is_passed(lab: Lab) -> None:
    iam = lab.client("iam")
    iam.create_instance_profile(InstanceProfileName="finsched-node")
    compute = lab.provider(instance_profile="finsched-node").compute
    assert compute
    compute.launch(launch_request())
    assert lab.instances()[0]["IamInstanceProfile"]["Arn"].endswith("/finsched-node")


def test_on_demand_makes_no_spot_request(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request(offer=offer(capacity_type=CapacityType.ON_DEMAND)))
    assert "InstanceLifecycle" not in lab.instances()[0]
    assert lab.client().describe_spot_instance_requests()["SpotInstanceRequests"] == []


def test_lookups_are_made_once_a_region(lab: Lab, compute: Compute) -> None:
    for number in range(3):
        compute.launch(launch_request(f"r1-{number}", offer=offer(zone="")))
    operations = [call["operation"] for call in lab.calls()]
    for lookup in (
        "DescribeInstanceTypes",
        "DescribeInstanceTypeOfferings",
        "DescribeSubnets",
        "GetParameter",
        "DescribeImages",
    ):
        assert operations.count(lookup) == 1, lookup


def test_polling_asks_once_a_region_however_many_machines(lab: Lab, compute: Compute) -> None:
    ids = [compute.launch(launch_request(f"r1-{number}"))[0].id for number in range(3)]
    before = len(lab.calls("DescribeInstances"))
    statuses = compute.poll([*ids, "us-west-2/i-0000000000000000f", "no-id"])
    assert statuses.keys() == set(ids)
    assert all(status.state is InstanceState.RUNNING for status in statuses.values())
    assert len(lab.calls("DescribeInstances")) == before + 1


def test_very_many_machines_are_asked_for_in_parts(lab: Lab, compute: Compute) -> None:
    """EC2 takes 200 values in a filter."""
    assert compute.poll([f"us-west-2/i-{number:017x}" for number in range(450)]) == {}
    asked = [len(call["parameters"]) for call in lab.calls("DescribeInstances")]
    assert len(asked) == 3
    assert max(asked) < 210


def test_another_process_finds_what_was_launched(lab: Lab, compute: Compute) -> None:
    launched = compute.launch(launch_request())
    stranger = lab.provider().compute
    assert stranger
    assert list(stranger.find("r1-1")) == list(launched)
    assert {call["region"] for call in lab.calls("DescribeInstances")} == set(REGIONS)


def test_without_a_role_for_the_machines_nothing_is_bought(lab: Lab) -> None:
    compute = assemble(AwsSettings(regions=REGIONS)).compute
    assert compute
    with pytest.raises(NotConfigured, match="instance profile"):
        compute.launch(launch_request())
    assert not lab.calls("RunInstances")


def test_a_repeated_launch_leaves_nothing_for_a_machine_again(lab: Lab, compute: Compute) -> None:
    for _ in range(2):
        compute.launch(launch_request(secrets={"HF_TOKEN": "canary"}))
    assert lab.bootstrap.prepared == [("r1-1", 0)]
    assert lab.bootstrap.forgotten == []


@pytest.mark.parametrize(
    ("code", "forgotten"),
    [
        ("InsufficientInstanceCapacity", ["r1-1"]),
        ("UnauthorizedOperation", ["r1-1"]),
        ("InternalError", []),
    ],
)
def test_what_was_left_for_machines_goes_unless_one_may_be_there(
    lab: Lab, compute: Compute, code: str, forgotten: list[str]
) -> None:
    lab("fault", operation="RunInstances", code=code, times=99)
    with pytest.raises(ProviderProblem, match=code):
        compute.launch(launch_request(secrets={"HF_TOKEN": "canary"}))
    assert lab.bootstrap.forgotten == forgotten


def test_secrets_go_with_the_last_machine_that_may_read_them(lab: Lab, compute: Compute) -> None:
    first, second = compute.launch(launch_request(secrets={"HF_TOKEN": "canary"}, nodes=2))
    ids = [first.id, second.id]
    for machine in (first, second):
        assert compute.poll(ids).keys() == set(ids)
        assert lab.bootstrap.forgotten == []
        compute.terminate(machine.id)
    for _ in range(2):
        compute.poll(ids)
    assert lab.bootstrap.forgotten == ["r1-1"]


def test_no_call_carries_a_secret(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request(secrets={"HF_TOKEN": "canary-token"}))
    assert "canary" not in str(lab.calls())
