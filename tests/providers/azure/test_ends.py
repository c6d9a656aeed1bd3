"""How a machine ends, and what is left of its attempt then: nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finsched.provider import Compute, EndReason, InstanceState
from finsched_azure.names import group_of
from tests.providers.ending import until_ended

from .conftest import PATIENCE, Lab, launch_request

pytestmark = pytest.mark.slow

LONG_SECONDS = 600.0
GROUP = group_of(launch_request())


def test_a_machine_that_azure_took_back_ended_for_a_reason_that_it_does_not_tell(
    lab: Lab, compute: Compute
) -> None:
    [launched] = compute.launch(launch_request())
    lab.evict(launched.id)
    assert launched.id not in compute.poll([launched.id]), "one look is not enough"
    status = until_ended(compute, launched.id)
    assert status.reason is EndReason.UNKNOWN
    assert "lists the machine no more" in status.detail
    assert status.billing_from
    assert status.ended_at
    assert status.billing_from <= status.ended_at
    lab.wait_for_nothing()
    assert compute.poll([launched.id])[launched.id] == status


def test_simulated_evictions_end_the_same_way(lab: Lab, compute: Compute) -> None:
    """`az vm simulate-eviction` is what a person verifies this with."""
    [launched] = compute.launch(launch_request())
    import urllib.request

    url = f"{lab.arm.url}{lab.path(launched.id)}/simulateEviction?api-version=1"
    urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30).close()
    assert until_ended(compute, launched.id).reason is EndReason.UNKNOWN


def test_what_we_end_ended_by_us(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request())
    lab.arm.cloud.seconds_to_delete = LONG_SECONDS
    compute.terminate(launched.id)
    [call] = [call for call in lab.calls("DELETE") if "/virtualMachines/" in call.path]
    assert call.query["forceDeletion"].lower() == "true"
    assert compute.poll([launched.id])[launched.id].state is InstanceState.TERMINATING
    lab.arm.cloud.seconds_to_delete = 0.05
    lab.end_all()
    assert until_ended(compute, launched.id).reason is EndReason.TERMINATED_BY_US
    lab.wait_for_nothing()
    assert lab.bootstrap.forgotten == ["r1-1"]


@pytest.mark.parametrize(
    ("power", "reason"),
    [("stopped", EndReason.ENDED_ITSELF), ("deallocated", EndReason.UNKNOWN)],
)
def test_a_machine_that_does_no_work_and_costs_is_deleted(
    lab: Lab, compute: Compute, power: str, reason: EndReason
) -> None:
    """A machine that switched itself off is kept by Azure, and billed."""
    [launched] = compute.launch(launch_request())
    lab.power(launched.id, power)
    assert compute.poll([launched.id])[launched.id].state is InstanceState.TERMINATING
    assert until_ended(compute, launched.id).reason is reason
    lab.wait_for_nothing()


@pytest.mark.parametrize(
    ("code", "reason"),
    [("AllocationFailed", EndReason.INTERRUPTED), ("VMStartTimedOut", EndReason.FAILED)],
)
def test_a_machine_that_never_came_is_deleted(lab: Lab, code: str, reason: EndReason) -> None:
    """Its creation goes on for longer than the launch waits."""
    lab.arm.cloud.seconds_to_create = LONG_SECONDS
    lab.deny(code, "later", text="in Azure's words")
    compute = lab.compute(replace(PATIENCE, create_seconds=0.1))
    [launched] = compute.launch(launch_request())
    assert compute.poll([launched.id])[launched.id].state is InstanceState.PENDING
    lab.end_all()
    status = compute.poll([launched.id])[launched.id]
    assert (status.state, status.detail) == (
        InstanceState.TERMINATING,
        f"{code}: in Azure's words",
    )
    assert until_ended(compute, launched.id).reason is reason


def test_a_machine_is_pending_until_it_runs(lab: Lab) -> None:
    lab.arm.cloud.seconds_to_create = LONG_SECONDS
    compute = lab.compute(replace(PATIENCE, create_seconds=0.05))
    [launched] = compute.launch(launch_request())
    assert compute.poll([launched.id])[launched.id].state is InstanceState.PENDING
    lab.end_all()
    assert compute.poll([launched.id])[launched.id].state is InstanceState.RUNNING


@pytest.mark.parametrize("power", ["starting", "stopping", "running", "hibernated"])
def test_every_power_state_is_read(lab: Lab, compute: Compute, power: str) -> None:
    states = {
        "starting": InstanceState.PENDING,
        "stopping": InstanceState.TERMINATING,
        "running": InstanceState.RUNNING,
        "hibernated": InstanceState.UNKNOWN,
    }
    [launched] = compute.launch(launch_request())
    lab.power(launched.id, power)
    assert compute.poll([launched.id])[launched.id].state is states[power]


def test_the_group_goes_with_the_last_machine_of_a_gang(lab: Lab, compute: Compute) -> None:
    first, second = compute.launch(launch_request(nodes=2))
    lab.evict(first.id)
    until_ended(compute, first.id)
    assert GROUP in lab.left()
    assert compute.poll([second.id])[second.id].state is InstanceState.RUNNING
    compute.terminate(second.id)
    until_ended(compute, second.id)
    lab.wait_for_nothing()


def test_the_ends_of_a_whole_gang_are_seen_though_one_is_seen_first(
    lab: Lab, compute: Compute
) -> None:
    """The group that tells of the others goes only when each of them has been told of."""
    ids = [each.id for each in compute.launch(launch_request(nodes=2))]
    for each in ids:
        lab.evict(each)
    until_ended(compute, ids[0])
    assert GROUP in lab.left()
    until_ended(compute, ids[1])
    lab.wait_for_nothing()


def test_another_process_sees_the_end_while_the_group_is_there(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request())
    lab.evict(launched.id)
    assert until_ended(lab.compute(), launched.id).reason is EndReason.UNKNOWN
    lab.wait_for_nothing()


def test_what_never_was_is_unknown_and_so_is_what_nobody_remembers(
    lab: Lab, compute: Compute
) -> None:
    [launched] = compute.launch(launch_request())
    compute.terminate(launched.id)
    until_ended(compute, launched.id)
    lab.wait_for_nothing()
    stranger = lab.compute()
    ids = [launched.id, "finsched-r9-1-00000000/finsched-node-0", "us-west-2/i-0abc", "nonsense"]
    assert stranger.poll(ids) == {}
    for each in ids:
        stranger.terminate(each)


def test_a_group_whose_machine_was_never_asked_for_ended_nothing(
    lab: Lab, compute: Compute
) -> None:
    """A launcher died after it had made the network."""
    lab.arm.fault("GET", "/artifacttypes/", times=99, status=403, code="AuthorizationFailed")
    lab.arm.fault("DELETE", "/resourceGroups/", times=99, status=403, code="AuthorizationFailed")
    with pytest.raises(Exception, match="AuthorizationFailed"):
        compute.launch(launch_request())
    assert GROUP in lab.left()
    instance_id = f"{GROUP}/finsched-node-0"
    assert not [compute.poll([instance_id]) for _ in range(3) if compute.poll([instance_id])]


def test_what_somebody_put_into_a_group_of_ours_is_not_deleted(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request())
    theirs = lab.path(launched.id).replace("virtualMachines/finsched-node-0", "disks/theirs")
    lab.arm.cloud.resources[theirs.lower()] = {
        "id": theirs,
        "name": "theirs",
        "type": "Microsoft.Compute/disks",
        "location": "eastus",
        "properties": {},
        "_created": "2026-01-01T00:00:00Z",
    }
    compute.terminate(launched.id)
    until_ended(compute, launched.id)
    assert {"theirs", GROUP} <= lab.left()
