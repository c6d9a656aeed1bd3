"""Quotas before a launch: the tighter of those that a machine counts against."""

from __future__ import annotations

import pytest

from finsched.model.market import CapacityType
from finsched.provider import Capacity

from .cloud import LOW_PRIORITY
from .conftest import Lab, offer

pytestmark = pytest.mark.slow

ON_DEMAND = CapacityType.ON_DEMAND
FAMILY = "standardNCADSA100v4Family"


@pytest.fixture
def capacity(lab: Lab) -> Capacity:
    capacity = lab.provider().capacity
    assert capacity
    return capacity


def test_spot_machines_share_one_quota(lab: Lab, capacity: Capacity) -> None:
    lab.arm.cloud.limits = {LOW_PRIORITY: 40, FAMILY: 0}
    quota = capacity.quota(offer(), 2)
    assert quota
    assert (quota.code, quota.region, quota.unit) == (LOW_PRIORITY, "eastus", "vCPU")
    assert (quota.have, quota.need, quota.is_enough) == (40, 48, False)
    one = capacity.quota(offer(), 1)
    assert one
    assert one.is_enough


@pytest.mark.parametrize(
    ("limits", "code", "have"),
    [({"cores": 100, FAMILY: 24}, FAMILY, 24), ({"cores": 10, FAMILY: 24}, "cores", 10)],
)
def test_on_demand_counts_against_its_family_and_the_region(
    lab: Lab, capacity: Capacity, limits: dict[str, int], code: str, have: float
) -> None:
    lab.arm.cloud.limits = limits
    quota = capacity.quota(offer(capacity_type=ON_DEMAND), 1)
    assert quota
    assert (quota.code, quota.have, quota.need) == (code, have, 24)


@pytest.mark.parametrize("path", ["/usages$", "/skus$"])
def test_what_cannot_be_asked_is_unknown(lab: Lab, capacity: Capacity, path: str) -> None:
    lab.arm.fault("GET", path, times=99, status=403, code="AuthorizationFailed")
    assert capacity.quota(offer(capacity_type=ON_DEMAND), 1) is None


def test_a_score_is_never_made_up(capacity: Capacity) -> None:
    assert capacity.placement_score(offer(), 1) is None
