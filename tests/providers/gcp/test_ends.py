"""How machines end, with and without a word, as Google tells it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from finsched.model.market import CapacityType
from finsched.provider import Compute, EndReason, InstanceState
from finsched_gcp.names import Located
from finsched_gcp.operations import ENDS, History, histories
from finsched_gcp.status import STATES, reason_of, status_of_vanished
from tests.providers.ending import until_ended

from .conftest import Lab, launch_request, offer
from .gce import NODE_ACCOUNT, USER

slow = pytest.mark.slow
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
WHICH = Located("us-central1-a", "vm")


@slow
def test_a_spot_machine_that_is_deleted_when_it_is_taken_back_is_found_by_its_operation(
    lab: Lab, compute: Compute
) -> None:
    [machine] = compute.launch(launch_request())
    lab.gce.preempt(machine.id)
    assert compute.poll([machine.id])[machine.id].state is InstanceState.TERMINATING
    status = until_ended(compute, machine.id)
    assert lab.instances() == []
    assert status.reason is EndReason.INTERRUPTED
    assert status.detail == "Instance was preempted."
    assert status.ended_at
    assert status.ended_at >= machine.created_at
    assert compute.poll([machine.id])[machine.id] == status


@slow
def test_a_machine_that_is_taken_back_while_we_end_it_was_ended_by_us(
    lab: Lab, compute: Compute
) -> None:
    [machine] = compute.launch(launch_request())
    compute.terminate(machine.id)
    lab.gce.preempt(machine.id)
    assert until_ended(compute, machine.id).reason is EndReason.TERMINATED_BY_US


@slow
def test_a_machine_that_switched_itself_off_is_cleared_away(lab: Lab, compute: Compute) -> None:
    """A stopped machine would keep its disk, which is billed."""
    [machine] = compute.launch(launch_request())
    lab.gce.switch_off(machine.id)
    status = until_ended(compute, machine.id)
    assert status.reason is EndReason.ENDED_ITSELF
    assert status.ended_at
    lab.wait_for_machines(0)
    assert not lab.gce.resources["disks"]
    assert compute.poll([machine.id])[machine.id].reason is EndReason.ENDED_ITSELF


@slow
def test_a_machine_that_deleted_itself_by_its_own_account(lab: Lab, compute: Compute) -> None:
    [machine] = compute.launch(launch_request())
    zone, _, name = machine.id.partition("/")
    lab.gce.delete("instances", zone, name, user=NODE_ACCOUNT)
    assert until_ended(compute, machine.id).reason is EndReason.ENDED_ITSELF


@slow
def test_a_host_that_failed_leaves_nothing(lab: Lab, compute: Compute) -> None:
    on_demand = offer(capacity_type=CapacityType.ON_DEMAND)
    [machine] = compute.launch(launch_request(offer=on_demand))
    lab.gce.host_error(machine.id)
    assert until_ended(compute, machine.id).reason is EndReason.FAILED
    lab.wait_for_machines(0)


@slow
@pytest.mark.parametrize("capacity", CapacityType)
def test_a_machine_that_vanished_without_a_word_is_unknown(
    lab: Lab, compute: Compute, capacity: CapacityType
) -> None:
    [machine] = compute.launch(launch_request(offer=offer(capacity_type=capacity)))
    lab.gce.forget(machine.id)
    assert compute.poll([machine.id]) == {}


@slow
def test_other_machines_operations_are_not_taken_for_its_own(lab: Lab, compute: Compute) -> None:
    first, second = compute.launch(launch_request(nodes=2))
    lab.gce.preempt(first.id)
    assert until_ended(compute, first.id).reason is EndReason.INTERRUPTED
    assert compute.poll([second.id])[second.id].state is InstanceState.RUNNING
    lab.gce.forget(second.id)
    assert second.id not in compute.poll([second.id])


@slow
def test_many_machines_take_few_calls(lab: Lab, compute: Compute) -> None:
    ids = [each.id for each in compute.launch(launch_request(nodes=8))]
    before = len(lab.cloud.calls)
    compute.poll(ids)
    assert len(lab.cloud.calls) == before + 1


@slow
def test_a_zone_that_nobody_knows_is_nobodys(compute: Compute) -> None:
    assert compute.poll(["nowhere1-a/vm"]) == {}
    compute.terminate("nowhere1-a/vm")


# --- the tables ----------------------------------------------------------------------------------

REASONS = {
    "compute.instances.preempted": EndReason.INTERRUPTED,
    "compute.instances.terminateOnHostMaintenance": EndReason.INTERRUPTED,
    "compute.instances.hostError": EndReason.FAILED,
    "compute.instances.guestTerminate": EndReason.ENDED_ITSELF,
    "delete": EndReason.TERMINATED_BY_US,
    "stop": EndReason.TERMINATED_BY_US,
}


def past(*kinds: str, user: str = USER, done: bool = True, error: str = "") -> History:
    """Return what operations of these types, a minute apart, tell of a machine."""
    compute_v1 = pytest.importorskip("google.cloud.compute_v1", reason="needs finsched[gcp]")
    told: list[Any] = []
    for minute, kind in enumerate(("insert", *kinds)):
        began = NOW + timedelta(minutes=minute)
        last = kind == (kinds or ("insert",))[-1]
        operation: dict[str, Any] = {
            "operation_type": kind,
            "zone": f"zones/{WHICH.place}",
            "target_link": f"instances/{WHICH.name}",
            "user": user,
            "insert_time": began.isoformat(),
            "status": "DONE" if done or not last else "RUNNING",
        }
        if done or not last:
            operation["end_time"] = (began + timedelta(seconds=30)).isoformat()
        if error and last:
            operation["error"] = {"errors": [{"code": error}]}
        told.append(compute_v1.Operation(operation))
    return histories(reversed(told))[WHICH]


@pytest.mark.parametrize(("kind", "reason"), REASONS.items())
def test_an_operation_says_why_a_machine_ended(kind: str, reason: EndReason) -> None:
    status = status_of_vanished(WHICH, past(kind), itself=NODE_ACCOUNT)
    assert status
    assert (status.state, status.reason) == (InstanceState.TERMINATED, reason)
    assert status.billing_from == NOW
    assert status.ended_at == NOW + timedelta(minutes=1, seconds=30)
    assert status.detail == kind


def test_every_row_of_the_tables_is_tested() -> None:
    assert REASONS == ENDS
    assert set(STATES.values()) == set(InstanceState) - {InstanceState.UNKNOWN}


@pytest.mark.parametrize(
    ("kinds", "user", "reason"),
    [
        (("compute.instances.preempted", "delete"), USER, EndReason.INTERRUPTED),
        (("delete", "compute.instances.preempted"), USER, EndReason.TERMINATED_BY_US),
        (("compute.instances.guestTerminate", "delete"), USER, EndReason.ENDED_ITSELF),
        (("delete",), NODE_ACCOUNT, EndReason.ENDED_ITSELF),
        (("compute.instances.preempted",), NODE_ACCOUNT, EndReason.INTERRUPTED),
        ((), USER, EndReason.UNKNOWN),
    ],
)
def test_the_first_end_is_why(kinds: tuple[str, ...], user: str, reason: EndReason) -> None:
    assert reason_of(past(*kinds, user=user), NODE_ACCOUNT) is reason


def test_a_machine_that_is_gone_costs_until_the_last_of_its_ends() -> None:
    status = status_of_vanished(
        WHICH, past("compute.instances.preempted", "delete"), itself=NODE_ACCOUNT
    )
    assert status
    assert status.ended_at == NOW + timedelta(minutes=2, seconds=30)


def test_an_end_that_is_under_way_is_not_over() -> None:
    status = status_of_vanished(WHICH, past("delete", done=False), itself=NODE_ACCOUNT)
    assert status
    assert (status.state, status.ended_at) == (InstanceState.TERMINATING, None)


def test_an_end_that_failed_is_none() -> None:
    assert status_of_vanished(WHICH, past("delete", error="forbidden"), itself="") is None


def test_a_machine_that_was_never_made_costs_nothing() -> None:
    status = status_of_vanished(WHICH, past(error="ZONE_RESOURCE_POOL_EXHAUSTED"), itself="")
    assert status
    assert status.reason is EndReason.FAILED
    assert status.billing_from == status.ended_at
    assert "EXHAUSTED" in status.detail
