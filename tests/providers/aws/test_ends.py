"""How machines end, with and without a notice, as EC2 tells it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from finsched.model.interruption import NoticeKind
from finsched.model.market import CapacityType
from finsched.provider import Compute, EndReason, InstanceState, Notices, Provider

from .conftest import Lab, launch_request, offer

pytestmark = pytest.mark.slow

TAKEN = "Server.SpotInstanceTermination"
NO_CAPACITY = "instance-terminated-no-capacity"


@pytest.fixture
def notices(provider: Provider) -> Notices:
    assert provider.notices
    return provider.notices


def where(instance_id: str) -> dict[str, str]:
    region, _, own = instance_id.partition("/")
    return {"region": region, "instance_id": own}


def take_back(lab: Lab, instance_id: str, **how: str) -> None:
    plain = {"code": TAKEN, "transition": TAKEN, "spot_status": NO_CAPACITY}
    lab("end", **where(instance_id), **{**plain, **how})


def test_an_interruption_without_a_notice(lab: Lab, compute: Compute) -> None:
    [machine] = compute.launch(launch_request())
    take_back(lab, machine.id)
    status = compute.poll([machine.id])[machine.id]
    assert status.state is InstanceState.TERMINATED
    assert status.reason is EndReason.INTERRUPTED
    assert status.billing_from == machine.created_at
    assert status.ended_at
    assert status.ended_at >= machine.created_at
    assert compute.poll([machine.id])[machine.id] == status


def test_an_interruption_with_a_notice(lab: Lab, compute: Compute, notices: Notices) -> None:
    machines = [compute.launch(launch_request(f"r1-{number}"))[0] for number in (1, 2)]
    ids = [machine.id for machine in machines]
    assert notices.pending(ids) == {}
    lab("notice", **where(ids[0]))
    [(noticed, notice)] = notices.pending(ids).items()
    assert noticed == ids[0]
    assert notice.kind is NoticeKind.INTERRUPTION
    assert notice.ends_at == notice.seen_at + timedelta(minutes=2)
    assert compute.poll(ids)[ids[0]].state is InstanceState.RUNNING
    take_back(lab, ids[0])
    assert notices.pending(ids) == {}
    assert compute.poll(ids)[ids[0]].reason is EndReason.INTERRUPTED
    assert compute.poll(ids)[ids[1]].state is InstanceState.RUNNING


def test_the_spot_request_speaks_where_the_machine_says_nothing_new(
    lab: Lab, compute: Compute
) -> None:
    [machine] = compute.launch(launch_request())
    take_back(lab, machine.id, code="Server.SomethingNew", transition="")
    status = compute.poll([machine.id])[machine.id]
    assert status.reason is EndReason.INTERRUPTED
    assert "SomethingNew" in status.detail


def test_a_machine_that_vanished_was_interrupted_if_its_request_says_so(
    lab: Lab, compute: Compute
) -> None:
    [machine] = compute.launch(launch_request())
    take_back(lab, machine.id)
    lab("forget", **where(machine.id))
    status = compute.poll([machine.id])[machine.id]
    assert status.state is InstanceState.TERMINATED
    assert status.reason is EndReason.INTERRUPTED
    assert status.ended_at


@pytest.mark.parametrize("capacity", CapacityType)
def test_a_machine_that_vanished_without_a_word_is_unknown(
    lab: Lab, compute: Compute, capacity: CapacityType
) -> None:
    [machine] = compute.launch(launch_request(offer=offer(capacity_type=capacity)))
    lab("forget", **where(machine.id))
    assert compute.poll([machine.id]) == {}


def test_what_we_ended_is_no_interruption(compute: Compute) -> None:
    [machine] = compute.launch(launch_request())
    compute.terminate(machine.id)
    status = compute.poll([machine.id])[machine.id]
    assert status.reason is EndReason.TERMINATED_BY_US


def test_a_machine_that_switched_itself_off(lab: Lab, compute: Compute) -> None:
    [machine] = compute.launch(launch_request())
    code = "Client.InstanceInitiatedShutdown"
    take_back(lab, machine.id, code=code, spot_status="instance-terminated-by-user")
    assert compute.poll([machine.id])[machine.id].reason is EndReason.ENDED_ITSELF


def test_a_machine_that_somebody_stopped_is_unknown(lab: Lab, compute: Compute) -> None:
    [machine] = compute.launch(launch_request(offer=offer(capacity_type=CapacityType.ON_DEMAND)))
    lab.client().stop_instances(InstanceIds=[where(machine.id)["instance_id"]])
    status = compute.poll([machine.id])[machine.id]
    assert status.state is InstanceState.UNKNOWN
    assert "User initiated" in status.detail


def test_an_end_without_a_moment_is_the_first_one_that_saw_it(lab: Lab, compute: Compute) -> None:
    """On demand nobody can be asked: the bill runs to the first look, and then stands still."""
    [machine] = compute.launch(launch_request(offer=offer(capacity_type=CapacityType.ON_DEMAND)))
    lab("end", **where(machine.id), code="Server.InternalError")
    first = compute.poll([machine.id])[machine.id]
    assert first.reason is EndReason.FAILED
    assert first.ended_at
    assert compute.poll([machine.id])[machine.id] == first


def test_terminating_what_ec2_does_not_know_is_fine(compute: Compute) -> None:
    compute.terminate("us-west-2/i-0123456789abcdef0")
    compute.terminate("nonsense")
