"""What a launch makes, read back from the emulated project."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from finsched.errors import InvalidRequest, NoCapacity, NoQuota, NotConfigured, StoreProblem
from finsched.model.market import CapacityType
from finsched.provider import Compute, InstanceState, LaunchRequest

from .conftest import Lab, launch_request, offer
from .gce import NODE_ACCOUNT

pytestmark = pytest.mark.slow

LABELS = {
    "project": "chatbot",
    "finsched-installation": "finsched-test",
    "finsched-run": "r1",
    "finsched-attempt": "1",
    "finsched-nodes": "1",
}


def test_a_spot_machine_as_it_must_be(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request(disk_gb=500))
    [instance] = lab.instances()
    assert launched.id == f"us-central1-a/{instance['name']}"
    assert launched.created_at == datetime.fromisoformat(instance["creationTimestamp"])
    scheduling = instance["scheduling"]
    assert scheduling["provisioningModel"] == "SPOT"
    assert scheduling["instanceTerminationAction"] == "DELETE"
    assert scheduling["onHostMaintenance"] == "TERMINATE"
    assert scheduling["preemptionNoticeDuration"] == {"seconds": "120"}
    assert instance["serviceAccounts"][0]["email"] == NODE_ACCOUNT
    assert instance["shieldedInstanceConfig"]["enableVtpm"] is True
    metadata = {item["key"]: item["value"] for item in instance["metadata"]["items"]}
    assert metadata["startup-script"] == "#!/bin/sh\necho r1-1 0\n"
    assert metadata["block-project-ssh-keys"] == "TRUE"


def test_the_machine_and_its_disk_carry_our_labels_from_the_create_call(
    lab: Lab, compute: Compute
) -> None:
    compute.launch(launch_request())
    [instance] = lab.instances()
    [disk] = lab.gce.resources["disks"].values()
    assert instance["labels"] == disk["labels"]
    assert LABELS.items() <= instance["labels"].items()


def test_the_disk_is_as_large_as_asked_and_ends_with_the_machine(
    lab: Lab, compute: Compute
) -> None:
    [launched] = compute.launch(launch_request(disk_gb=500))
    [disk] = lab.gce.resources["disks"].values()
    assert disk["sizeGb"] == "466"
    compute.terminate(launched.id)
    lab.wait_for_machines(0)
    assert not lab.gce.resources["disks"]


def test_the_cloud_ends_the_machine_at_its_end_by_itself(lab: Lab, compute: Compute) -> None:
    """Nobody else has to be alive for it."""
    end = datetime.now(UTC) + timedelta(hours=3)
    stop = {"stop_at": [{"at": end.isoformat(), "reason": "budget"}]}
    [launched] = compute.launch(launch_request(node_config=stop))
    [instance] = lab.instances()
    told = datetime.fromisoformat(instance["scheduling"]["terminationTime"])
    assert end < told < end + timedelta(minutes=5)
    instance["scheduling"]["terminationTime"] = datetime.now(UTC).isoformat()
    lab.wait_for_machines(0)
    assert compute.poll([launched.id])[launched.id].state is InstanceState.TERMINATED


def test_nothing_comes_in_and_the_way_out_is_an_external_address(
    lab: Lab, compute: Compute
) -> None:
    compute.launch(launch_request())
    [instance] = lab.instances()
    [interface] = instance["networkInterfaces"]
    assert [each["type"] for each in interface["accessConfigs"]] == ["ONE_TO_ONE_NAT"]
    [rule] = lab.gce.resources["firewalls"].values()
    assert rule["denied"] == [{"IPProtocol": "all"}]
    assert rule["sourceRanges"] == ["0.0.0.0/0"]
    assert rule["targetTags"] == instance["tags"]["items"]
    assert rule["priority"] < 1000, "the rules that people make by default have 1000"


def test_the_rule_of_the_installation_is_made_once(lab: Lab, compute: Compute) -> None:
    for number in (1, 2):
        compute.launch(launch_request(f"r1-{number}", attempt=number))
    assert len(lab.cloud.named("firewalls.insert")) == 1


@pytest.mark.parametrize(
    "change", [{"disabled": True}, {"sourceRanges": ["10.0.0.0/8"]}, {"targetTags": []}]
)
def test_a_rule_that_somebody_changed_stops_the_launch(
    lab: Lab, compute: Compute, change: dict[str, object]
) -> None:
    compute.launch(launch_request())
    [rule] = lab.gce.resources["firewalls"].values()
    rule.update(change)
    with pytest.raises(InvalidRequest, match="was changed"):
        compute.launch(launch_request("r1-2"))
    assert len(lab.instances()) == 1


def test_a_gang_is_in_one_zone_in_order_behind_a_rule_that_admits_its_members(
    lab: Lab, compute: Compute
) -> None:
    launched = compute.launch(launch_request(nodes=3, offer=offer(zone="")))
    by_rank = sorted(lab.instances(), key=lambda each: each["name"])
    assert [each.id for each in launched] == [f"us-central1-a/{each['name']}" for each in by_rank]
    scripts = [each["metadata"]["items"][0]["value"] for each in by_rank]
    assert scripts == [f"#!/bin/sh\necho r1-1 {rank}\n" for rank in range(3)]
    assert list(compute.find("r1-1")) == list(launched)
    rules = {rule["name"]: rule for rule in lab.gce.resources["firewalls"].values()}
    [own] = [rule for rule in rules.values() if "allowed" in rule]
    assert own["sourceTags"] == own["targetTags"]
    assert own["priority"] < min(rule["priority"] for rule in rules.values() if rule is not own)
    assert all(own["sourceTags"][0] in each["tags"]["items"] for each in by_rank)
    assert json.loads(own["description"])["finsched-run"] == "r1"


def test_a_subnet_of_the_settings_is_used_without_an_external_address(lab: Lab) -> None:
    lab.gce.networks.add("private")
    lab.gce.subnetworks["us-central1", "with-nat"] = "private"
    compute = lab.provider(subnets={"us-central1": "with-nat"}).compute
    assert compute
    compute.launch(launch_request())
    [instance] = lab.instances()
    [interface] = instance["networkInterfaces"]
    assert interface["subnetwork"].endswith("/with-nat")
    assert "accessConfigs" not in interface
    [rule] = lab.gce.resources["firewalls"].values()
    assert rule["network"].endswith("/private")


def test_on_demand_is_standard_and_not_warned(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request(offer=offer(capacity_type=CapacityType.ON_DEMAND)))
    [instance] = lab.instances()
    assert instance["scheduling"]["provisioningModel"] == "STANDARD"
    assert "preemptionNoticeDuration" not in instance["scheduling"]


@pytest.mark.parametrize(
    ("name", "disk"),
    [
        ("n1-standard-8+1xT4", "pd-balanced"),
        ("a2-highgpu-1g", "pd-balanced"),
        ("a4-highgpu-8g", "hyperdisk-balanced"),
    ],
)
def test_every_kind_of_machine_is_taken(lab: Lab, compute: Compute, name: str, disk: str) -> None:
    compute.launch(launch_request(offer=offer(instance_type=name)))
    [made] = lab.gce.resources["disks"].values()
    assert made["type"].endswith(f"/{disk}")


def test_an_offer_without_a_zone_goes_to_those_that_sell_the_machine_and_its_gpus(
    lab: Lab, compute: Compute
) -> None:
    lab.sell_out("us-central1-a", "us-central1-c")
    anywhere = offer(zone="", instance_type="n1-standard-8+1xT4")
    [launched] = compute.launch(launch_request(offer=anywhere))
    assert launched.id.startswith("us-central1-f/"), "b has no T4"
    assert launched.pool == anywhere.pool


@pytest.mark.parametrize(
    ("zone", "machine"), [("", "h9-highgpu-1g"), ("us-central1-b", "n1-standard-8+1xT4")]
)
def test_a_machine_that_is_not_sold_there_is_no_capacity(
    compute: Compute, zone: str, machine: str
) -> None:
    absent = offer(zone=zone, instance_type=machine)
    with pytest.raises(NoCapacity, match="is not sold there"):
        compute.launch(launch_request(offer=absent))


def test_a_region_outside_of_the_settings_is_refused(lab: Lab) -> None:
    compute = lab.provider(regions=("europe-west4",)).compute
    assert compute
    with pytest.raises(NoQuota, match=r"not in gcp\.regions"):
        compute.launch(launch_request())
    assert lab.cloud.calls == []


def test_without_a_service_account_nothing_is_launched(lab: Lab) -> None:
    compute = lab.provider(service_account="").compute
    assert compute
    with pytest.raises(NotConfigured, match="no service account"):
        compute.launch(launch_request())
    assert lab.instances() == []


def test_an_image_of_ones_own_must_be_there(lab: Lab) -> None:
    for named, message in (("ubuntu", "names no image"), ("projects/x/global/images/y", "y")):
        compute = lab.provider(image=named).compute
        assert compute
        with pytest.raises(InvalidRequest, match=message):
            compute.launch(launch_request())


def test_a_project_that_has_no_notice_yet_gets_machines_without(lab: Lab, compute: Compute) -> None:
    lab.cloud.fault(
        "instances.insert",
        status=400,
        reason="invalid",
        words="Invalid value for field 'resource.scheduling.preemptionNoticeDuration'",
    )
    compute.launch(launch_request("r1-1"))
    compute.launch(launch_request("r1-2"))
    assert len(lab.cloud.named("instances.insert")) == 3, "asked once, remembered then"
    assert not any("preemptionNoticeDuration" in each["scheduling"] for each in lab.instances())


def test_secrets_are_forgotten_when_the_machines_are_gone(lab: Lab, compute: Compute) -> None:
    machines = compute.launch(launch_request(nodes=2, secrets={"HF_TOKEN": "canary"}))
    assert lab.bootstrap.prepared == [("r1-1", 0), ("r1-1", 1)]
    assert "canary" not in json.dumps(lab.instances())
    compute.poll([each.id for each in machines])
    for machine in machines:
        assert lab.bootstrap.forgotten == []
        compute.terminate(machine.id)
    lab.wait_for_machines(0)
    compute.poll([each.id for each in machines])
    assert lab.bootstrap.forgotten == ["r1-1"]


def test_secrets_of_a_launch_that_made_no_machine_are_forgotten(lab: Lab, compute: Compute) -> None:
    lab.sell_out("us-central1-a")
    with pytest.raises(NoCapacity):
        compute.launch(launch_request(secrets={"HF_TOKEN": "canary"}))
    assert lab.bootstrap.forgotten == ["r1-1"]


def test_a_store_that_cannot_be_cleared_hides_no_refusal_and_stops_no_poll(
    lab: Lab, compute: Compute, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: LaunchRequest) -> None:
        raise StoreProblem("the bucket is gone")

    [machine] = compute.launch(launch_request(secrets={"HF_TOKEN": "canary"}))
    monkeypatch.setattr(lab.bootstrap, "forget", gone)
    lab.sell_out("us-central1-a")
    with pytest.raises(NoCapacity):
        compute.launch(launch_request("r1-2", secrets={"HF_TOKEN": "canary"}))
    compute.terminate(machine.id)
    lab.wait_for_machines(0)
    assert compute.poll([machine.id])[machine.id].state is InstanceState.TERMINATED
