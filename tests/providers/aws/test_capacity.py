"""Quotas and placement scores: asked over HTTP; what cannot be asked is unknown."""

from __future__ import annotations

import pytest

from finsched.model.market import CapacityType, InstanceType, Offer
from finsched.provider import Capacity
from finsched_aws.capacity import quota_code

from . import replay
from .conftest import offer
from .prices_lab import Prices

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def capacity(prices: Prices) -> Capacity:
    found = prices.provider().capacity
    assert found
    return found


def p4d(kind: CapacityType = SPOT, vcpus: float | None = 96, zone: str = "usw2-az1") -> Offer:
    machine = InstanceType(
        provider="aws", name="p4d.24xlarge", gpu="A100", gpu_count=8, vcpus=vcpus
    )
    return offer()._replace(instance_type=machine, capacity_type=kind, zone=zone)


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("p4d.24xlarge", SPOT, "L-7212CCBC"),
        ("p3dn.24xlarge", SPOT, "L-7212CCBC"),
        ("p5en.48xlarge", SPOT, "L-C4BD4855"),
        ("p5en.48xlarge", ON_DEMAND, "L-417A185B"),
        ("p6-b200.48xlarge", ON_DEMAND, "L-417A185B"),
        ("p6-b200.48xlarge", SPOT, None),
        ("g6e.xlarge", SPOT, "L-3819A6DF"),
        ("gr6.4xlarge", ON_DEMAND, "L-DB2E81BA"),
        ("m5.large", ON_DEMAND, None),
    ],
)
def test_the_quota_of_a_family(name: str, kind: CapacityType, code: str | None) -> None:
    assert quota_code(name, kind) == code


def test_a_quota_is_what_the_account_has_and_what_all_nodes_need(prices: Prices) -> None:
    prices.steer(quotas={"L-7212CCBC": 192.0})
    two, three = (capacity(prices).quota(p4d(), nodes) for nodes in (2, 3))
    assert two
    assert three
    assert (two.have, two.need, two.unit, two.is_enough) == (192, 192, "vCPU", True)
    assert (three.need, three.is_enough) == (288, False)
    assert "L-7212CCBC" in two.name


def test_an_account_without_a_quota_of_its_own_has_everybodys(prices: Prices) -> None:
    found = capacity(prices).quota(p4d(), 1)
    assert found
    assert (found.have, found.is_enough) == (0, False)


def test_what_cannot_be_asked_is_unknown_and_not_zero(prices: Prices) -> None:
    asked = capacity(prices)
    assert asked.quota(p4d(vcpus=None), 1) is None
    prices.steer(refused=["GetServiceQuota"])
    assert asked.quota(p4d(), 1) is None
    assert not replay.CALLS["GetAWSDefaultServiceQuota"]
    prices.steer(dead=["us-west-2"])
    assert asked.quota(p4d(), 1) is None
    assert asked.placement_score(p4d(), 1) is None


def test_a_score_is_of_the_zone_or_else_of_the_region(prices: Prices) -> None:
    prices.steer(scores={"usw2-az1": 3, "usw2-az2": 9, "us-west-2": 7})
    asked = capacity(prices)
    assert asked.placement_score(p4d(), 4) == 3
    assert asked.placement_score(p4d(zone=""), 4) == 7
    assert asked.placement_score(p4d(zone="usw2-az4"), 4) is None
    assert asked.placement_score(p4d(ON_DEMAND), 4) is None
