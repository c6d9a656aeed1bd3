"""Quotas and the chance of a spot request: asked over HTTP; what cannot be asked is unknown."""

from __future__ import annotations

import pytest

from finsched.model.market import CapacityType, InstanceType, Offer
from finsched.provider import Capacity

from .conftest import Lab, offer

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


@pytest.fixture
def capacity(lab: Lab) -> Capacity:
    found = lab.provider().capacity
    assert found
    return found


def a2(kind: CapacityType = SPOT, *, gpu: str = "A100", zone: str = "us-central1-a") -> Offer:
    machine = InstanceType(provider="gcp", name="a2-highgpu-8g", gpu=gpu, gpu_count=8, vcpus=96)
    return offer()._replace(instance_type=machine, capacity_type=kind, zone=zone)


def test_spot_has_a_quota_of_its_own_once_google_granted_some(lab: Lab, capacity: Capacity) -> None:
    lab.gce.regional = {"PREEMPTIBLE_NVIDIA_A100_GPUS": 16, "NVIDIA_A100_GPUS": 8}
    two, three = (capacity.quota(a2(), nodes) for nodes in (2, 3))
    assert two
    assert three
    assert (two.code, two.region, two.unit) == (
        "PREEMPTIBLE_NVIDIA_A100_GPUS",
        "us-central1",
        "GPU",
    )
    assert (two.have, two.need, two.is_enough) == (16, 16, True)
    assert (three.need, three.is_enough) == (24, False)


def test_spot_without_a_quota_of_its_own_counts_against_the_standard_one(
    lab: Lab, capacity: Capacity
) -> None:
    lab.gce.regional = {"PREEMPTIBLE_NVIDIA_A100_GPUS": 0, "NVIDIA_A100_GPUS": 8}
    found = capacity.quota(a2(), 1)
    assert found
    assert (found.code, found.have) == ("NVIDIA_A100_GPUS", 8)


def test_on_demand_also_counts_against_all_gpus_of_the_project(
    lab: Lab, capacity: Capacity
) -> None:
    lab.gce.regional = {"NVIDIA_A100_GPUS": 16}
    lab.gce.everywhere = {"GPUS_ALL_REGIONS": 8}
    one, two = (capacity.quota(a2(ON_DEMAND), nodes) for nodes in (1, 2))
    assert one
    assert two
    assert (one.code, one.is_enough) == ("NVIDIA_A100_GPUS", True)
    assert (two.code, two.region, two.is_enough) == ("GPUS_ALL_REGIONS", "all regions", False)


def test_what_is_not_in_the_list_or_cannot_be_asked_is_unknown(
    lab: Lab, capacity: Capacity
) -> None:
    lab.gce.regional = {"NVIDIA_A100_GPUS": 16}
    assert capacity.quota(a2(gpu="GB300"), 1) is None
    assert capacity.quota(a2(gpu="H100"), 1) is None
    lab.cloud.fault("regions.get", status=403, reason="forbidden")
    assert capacity.quota(a2(), 1) is None


@pytest.mark.parametrize(("told", "score"), [(0.0, 1), (0.04, 1), (0.66, 7), (1.0, 10)])
def test_the_obtainability_is_the_score(
    lab: Lab, capacity: Capacity, told: float, score: int
) -> None:
    lab.gce.obtainability = told
    assert capacity.placement_score(a2(), 4) == score
    [asked] = lab.cloud.named("advice.capacity")
    assert asked.body["size"] == 4
    assert asked.body["instanceProperties"]["scheduling"]["provisioningModel"] == "SPOT"
    assert asked.body["distributionPolicy"]["zones"] == [{"zone": "zones/us-central1-a"}]


def test_no_score_is_made_up(lab: Lab, capacity: Capacity) -> None:
    assert capacity.placement_score(a2(), 1) is None, "it may not be asked"
    assert capacity.placement_score(a2(ON_DEMAND), 1) is None
    attached = offer(instance_type="n1-standard-8+1xT4", zone="")
    lab.gce.obtainability = 0.5
    assert capacity.placement_score(attached, 1) == 5
    asked = lab.cloud.named("advice.capacity")[-1].body
    assert "zones" not in asked["distributionPolicy"]
    [selection] = asked["instanceFlexibilityPolicy"]["instanceSelections"].values()
    assert selection["guestAccelerators"][0]["acceleratorType"] == "nvidia-tesla-t4"
