"""Refusals, lost answers, late lists and credentials that end: no machine is paid for twice."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from finsched.errors import (
    InvalidRequest,
    NoAnswer,
    NoCapacity,
    NoQuota,
    NotAuthorized,
    PriceTooLow,
    ProviderError,
    ProviderProblem,
    Throttled,
)
from finsched.provider import Compute, InstanceState
from finsched_azure.names import group_of
from finsched_azure.pace import Patience

from .cloud import LOW_PRIORITY, VM
from .conftest import PATIENCE, Lab, launch_request, offer

pytestmark = pytest.mark.slow

MACHINE = r"/virtualMachines/finsched-node-\d$"
GROUP = group_of(launch_request())
HASTY = Patience(
    connect_seconds=5,
    read_seconds=0.4,
    tries=2,
    retry_seconds=0.02,
    operation_seconds=0.03,
    create_seconds=10,
    delete_seconds=5,
    settle_seconds=0.05,
    grace_seconds=0.0,
)
CAPACITY = [
    "SkuNotAvailable",
    "AllocationFailed",
    "ZonalAllocationFailed",
    "OverconstrainedAllocationRequest",
    "OverconstrainedZonalAllocationRequest",
]


def zones(lab: Lab) -> list[str]:
    return [call.body["zones"][0] for call in lab.machine_puts()]


# --- capacity ------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("code", CAPACITY)
def test_no_capacity_in_one_zone_leads_to_the_next(
    lab: Lab, compute: Compute, code: str, when: str
) -> None:
    lab.deny(code, when, zone="1")
    [launched] = compute.launch(launch_request())
    assert zones(lab) == ["1", "2"]
    [machine] = lab.machines()
    assert machine["zones"] == ["2"]
    assert compute.poll([launched.id])[launched.id].state is InstanceState.RUNNING
    assert list(compute.find("r1-1")) == [launched]


@pytest.mark.parametrize("when", ["at once", "later"])
def test_no_capacity_anywhere_tries_each_zone_once_and_leaves_nothing(
    lab: Lab, compute: Compute, when: str
) -> None:
    lab.deny("AllocationFailed", when, text="We do not have sufficient capacity")
    with pytest.raises(NoCapacity, match="sufficient capacity"):
        compute.launch(launch_request())
    assert zones(lab) == ["1", "2", "3"]
    lab.wait_for_nothing()
    assert lab.bootstrap.forgotten == ["r1-1"]


def test_no_capacity_in_the_zone_of_the_offer_is_said_at_once(lab: Lab, compute: Compute) -> None:
    lab.deny("ZonalAllocationFailed", zone="2")
    with pytest.raises(NoCapacity):
        compute.launch(launch_request(offer=offer(zone="2")))
    assert zones(lab) == ["2"]


@pytest.mark.parametrize("lacks", ["quota", "capacity"])
def test_a_gang_is_whole_or_not_there(lab: Lab, compute: Compute, lacks: str) -> None:
    """There is room for two of three."""
    if lacks == "quota":
        lab.arm.cloud.limits[LOW_PRIORITY] = 2 * 24
    else:
        fault = {"status": 409, "code": "SkuNotAvailable", "times": 9}
        lab.arm.fault("PUT", "/virtualMachines/finsched-node-2$", **fault)
    with pytest.raises((NoQuota, NoCapacity)):
        compute.launch(launch_request(nodes=3, offer=offer(zone="1")))
    assert not lab.machines()
    lab.wait_for_nothing()


def test_a_part_of_a_gang_that_a_crash_left_is_ended_when_it_is_found(
    lab: Lab, compute: Compute
) -> None:
    compute.launch(launch_request(nodes=2))
    lab.evict(f"{GROUP}/finsched-node-1")
    assert list(lab.compute().find("r1-1")) == []
    lab.wait_for_nothing()


# --- other refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("QuotaExceeded", NoQuota),
        ("SpotPriceGreaterThanProvidedMaxPrice", PriceTooLow),
        ("AuthorizationFailed", NotAuthorized),
        ("LinkedAuthorizationFailed", NotAuthorized),
        ("InvalidParameter", InvalidRequest),
        ("SomethingNew", ProviderError),
    ],
)
@pytest.mark.parametrize("when", ["at once", "later"])
def test_other_refusals_are_not_tried_in_the_next_zone(
    lab: Lab, compute: Compute, code: str, problem: type[ProviderProblem], when: str
) -> None:
    lab.deny(code, when)
    with pytest.raises(problem, match=code):
        compute.launch(launch_request())
    assert zones(lab) == ["1"]
    lab.wait_for_nothing()


def test_a_quota_says_what_it_allows_and_what_is_needed(lab: Lab, compute: Compute) -> None:
    lab.arm.cloud.limits[LOW_PRIORITY] = 40
    lab.arm.cloud.used_before[LOW_PRIORITY] = 20
    with pytest.raises(NoQuota) as caught:
        compute.launch(launch_request())
    told = caught.value.message
    assert "lowPriorityCores" in told
    assert "allows 40 vCPUs, 20 are used and 24 more are needed" in told
    assert "eastus" in told


# --- answers that are lost -----------------------------------------------------------------------


@pytest.mark.parametrize("hang_seconds", [0.0, 1.0])
def test_a_create_call_whose_answer_is_lost_makes_one_machine(
    lab: Lab, hang_seconds: float
) -> None:
    lab.arm.fault("PUT", MACHINE, after=True, hang_seconds=hang_seconds)
    [launched] = lab.compute(HASTY).launch(launch_request())
    [machine] = lab.machines()
    assert launched.id.endswith(machine["name"])
    assert [call.status for call in lab.machine_puts()] == [0, 412]


def test_a_lost_machine_that_could_not_be_allocated_leads_to_the_next_zone(lab: Lab) -> None:
    """The error is on the machine, as nobody has heard of its operation."""
    lab.deny("AllocationFailed", "later", zone="1")
    lab.arm.fault("PUT", MACHINE, after=True)
    lab.compute(HASTY).launch(launch_request())
    [machine] = lab.machines()
    assert machine["zones"] == ["2"]


@pytest.mark.parametrize("what", ["networkInterfaces", "publicIPAddresses", "virtualNetworks"])
def test_a_lost_answer_about_the_network_is_asked_for_again(lab: Lab, what: str) -> None:
    lab.arm.fault("PUT", f"/{what}/", after=True)
    lab.compute(HASTY).launch(launch_request())
    assert len(lab.machines()) == 1


def test_a_server_error_is_asked_again(lab: Lab, compute: Compute) -> None:
    lab.arm.fault("PUT", MACHINE, times=2, status=500)
    compute.launch(launch_request())
    assert [call.status for call in lab.machine_puts()] == [500, 500, 201]


@pytest.mark.parametrize("text", ["<html>a proxy's page", "", "{}"])
def test_an_answer_that_makes_no_sense_is_no_answer(lab: Lab, text: str) -> None:
    lab.arm.fault("PUT", MACHINE, times=99, status=502, text=text)
    with pytest.raises(NoAnswer):
        lab.compute(HASTY).launch(launch_request())
    assert not lab.machines()


def test_a_cloud_that_never_answers_is_no_lack_of_capacity(lab: Lab) -> None:
    lab.arm.fault("PUT", MACHINE, times=99, after=True)
    with pytest.raises(NoAnswer):
        lab.compute(HASTY).launch(launch_request())
    assert set(zones(lab)) == {"1"}
    lab.wait_for_nothing()


def test_another_launch_that_goes_on_is_waited_for(lab: Lab, compute: Compute) -> None:
    fault = {"status": 409, "code": "AnotherOperationInProgress", "times": 2}
    lab.arm.fault("PUT", "/networkInterfaces/", **fault)
    compute.launch(launch_request())
    assert len(lab.machines()) == 1


def test_a_machine_that_is_there_is_never_changed(lab: Lab, compute: Compute) -> None:
    """Two processes with the same token: the second one's different key changes nothing."""
    [launched] = compute.launch(launch_request())
    before = lab.machines()
    lab.arm.fault("GET", "/virtualMachines$", text='{"value": []}', status=200)
    assert [each.id for each in lab.compute().launch(launch_request())] == [launched.id]
    assert lab.machines() == before


# --- throttling ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", MACHINE), ("GET", "/skus$"), ("PUT", "/resourceGroups/[^/]+$")]
)
def test_throttling_is_waited_out(lab: Lab, compute: Compute, method: str, path: str) -> None:
    fault: dict[str, Any] = {"status": 429, "code": "TooManyRequests", "times": 2}
    lab.arm.fault(method, path, **fault, headers={"Retry-After": "0"})
    compute.launch(launch_request())
    assert len(lab.machines()) == 1


@pytest.mark.parametrize("code", ["TooManyRequests", "OperationNotAllowed"])
def test_throttling_that_does_not_end_is_said(lab: Lab, code: str) -> None:
    lab.arm.fault("PUT", MACHINE, times=99, status=429, code=code)
    with pytest.raises(Throttled):
        lab.compute(HASTY).launch(launch_request())
    assert not lab.machines()


# --- what is listed late -------------------------------------------------------------------------


def test_a_fresh_machine_that_is_not_listed_is_unknown(lab: Lab) -> None:
    compute = lab.compute(replace(PATIENCE, grace_seconds=60))
    [launched] = compute.launch(launch_request())
    lab.arm.fault("GET", MACHINE, times=4, status=404, code="ResourceNotFound")
    assert all(launched.id not in compute.poll([launched.id]) for _ in range(4))
    assert compute.poll([launched.id])[launched.id].state is InstanceState.RUNNING


def test_a_gang_that_is_listed_in_part_is_waited_for(lab: Lab, compute: Compute) -> None:
    launched = compute.launch(launch_request(nodes=2))
    first = lab.arm.cloud.of_kind(VM)[0]
    page = json.dumps({"value": [{k: v for k, v in first.items() if k[0] != "_"}]})
    lab.arm.fault("GET", "/virtualMachines$", text=page, status=200)
    assert list(compute.find("r1-1")) == list(launched)


def test_a_search_after_a_crash_looks_twice(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request())
    lab.arm.fault("GET", "/resourcegroups$", text='{"value": []}', status=200)
    assert [each.id for each in lab.compute().find("r1-1")] == [launched.id]


def test_a_search_says_when_azure_does_not_answer(lab: Lab) -> None:
    lab.arm.fault("GET", "/resourcegroups$", times=99, status=503, code="ServiceUnavailable")
    with pytest.raises(NoAnswer):
        lab.compute(HASTY).find("r1-1")


def test_groups_are_read_page_by_page(lab: Lab, compute: Compute) -> None:
    lab.arm.account.page_size = 1
    launched = compute.launch(launch_request(nodes=3))
    compute.launch(launch_request("r2-1", run="r2"))
    assert list(lab.compute().find("r1-1")) == list(launched)


# --- credentials ---------------------------------------------------------------------------------


def test_credentials_that_end_are_read_anew(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request())
    fault = {"status": 401, "code": "ExpiredAuthenticationToken"}
    lab.arm.fault("GET", MACHINE, **fault)
    with pytest.raises(NotAuthorized, match="ExpiredAuthenticationToken") as caught:
        compute.poll([launched.id])
    assert "az login" in str(caught.value.fix)
    assert compute.poll([launched.id])[launched.id].state is InstanceState.RUNNING
