"""The tables of ends: state reasons, and the spot request as the second witness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.provider import EndReason, InstanceState
from finsched_aws.spot_requests import SpotRequest
from finsched_aws.status import (
    SPOT_STATUSES,
    STATE_REASONS,
    STATES,
    needs_witness,
    status_of,
    status_of_vanished,
)

BEGAN = datetime(2026, 6, 15, 12, tzinfo=UTC)
ENDED = BEGAN + timedelta(hours=2)
SEEN = BEGAN + timedelta(hours=3)

REASONS = {
    "Server.SpotInstanceTermination": EndReason.INTERRUPTED,
    "Server.SpotInstanceShutdown": EndReason.INTERRUPTED,
    "Server.InsufficientInstanceCapacity": EndReason.INTERRUPTED,
    "Server.ScheduledStop": EndReason.INTERRUPTED,
    "Client.UserInitiatedShutdown": EndReason.TERMINATED_BY_US,
    "Client.InstanceInitiatedShutdown": EndReason.ENDED_ITSELF,
    "Server.InternalError": EndReason.FAILED,
    "Client.InternalError": EndReason.FAILED,
    "Client.InstanceTerminated": EndReason.FAILED,
    "Client.InvalidSnapshot.NotFound": EndReason.FAILED,
    "Client.VolumeLimitExceeded": EndReason.FAILED,
}
WITNESSED = {
    "instance-terminated-by-price": EndReason.INTERRUPTED,
    "instance-terminated-no-capacity": EndReason.INTERRUPTED,
    "instance-terminated-capacity-oversubscribed": EndReason.INTERRUPTED,
    "instance-terminated-launch-group-constraint": EndReason.INTERRUPTED,
    "instance-terminated-by-schedule": EndReason.INTERRUPTED,
    "instance-terminated-by-service": EndReason.INTERRUPTED,
    "instance-terminated-by-experiment": EndReason.INTERRUPTED,
    "instance-terminated-by-user": EndReason.TERMINATED_BY_US,
}


def machine(
    state: str = "terminated", *, code: str = "", transition: str = "", lifecycle: str = "spot"
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "InstanceId": "i-1",
        "State": {"Name": state},
        "LaunchTime": BEGAN,
        "StateTransitionReason": transition,
    }
    if code:
        described["StateReason"] = {"Code": code, "Message": f"{code}: in EC2's words"}
    if lifecycle:
        described["InstanceLifecycle"] = lifecycle
    return described


def witness(status: str, updated_at: datetime = ENDED) -> SpotRequest:
    return SpotRequest(
        instance_id="i-1", status=status, message="why", created_at=BEGAN, updated_at=updated_at
    )


@pytest.mark.parametrize(("code", "reason"), REASONS.items())
def test_a_state_reason_says_why_a_machine_ended(code: str, reason: EndReason) -> None:
    status = status_of("us-west-2/i-1", machine(code=code), None, SEEN)
    assert (status.state, status.reason) == (InstanceState.TERMINATED, reason)
    assert status.detail == f"{code}: in EC2's words"


@pytest.mark.parametrize(("code", "reason"), WITNESSED.items())
def test_a_spot_request_says_it_where_the_machine_does_not(code: str, reason: EndReason) -> None:
    silent = machine(code="Server.SomethingNew")
    assert status_of("us-west-2/i-1", silent, witness(code), SEEN).reason is reason
    vanished = status_of_vanished("us-west-2", witness(code))
    assert vanished is not None
    assert vanished.id == "us-west-2/i-1"
    assert vanished.reason is reason
    assert vanished.billing_from == BEGAN
    assert vanished.ended_at == ENDED
    assert vanished.detail == f"{code}: why"


def test_every_row_of_the_tables_is_tested() -> None:
    assert REASONS.keys() == STATE_REASONS.keys()
    assert WITNESSED.keys() == SPOT_STATUSES.keys()


def test_the_machine_is_believed_before_its_spot_request() -> None:
    ours = machine(code="Client.UserInitiatedShutdown")
    told = status_of("x", ours, witness("instance-terminated-no-capacity"), SEEN)
    assert told.reason is EndReason.TERMINATED_BY_US


@pytest.mark.parametrize("status", ["fulfilled", "marked-for-termination", "something-new"])
def test_a_vanished_machine_is_unknown_until_its_request_says_an_end(status: str) -> None:
    assert status_of_vanished("us-west-2", witness(status)) is None


def test_an_unknown_reason_stays_unknown_and_is_shown() -> None:
    status = status_of("x", machine(code="Server.SomethingNew"), None, SEEN)
    assert status.reason is EndReason.UNKNOWN
    assert "Server.SomethingNew" in status.detail


@pytest.mark.parametrize(
    ("transition", "end"),
    [
        ("User initiated (2026-06-15 14:00:00 GMT)", ENDED),
        ("User initiated (2026-06-15 14:00:00 UTC)", ENDED),
        ("Server.SpotInstanceTermination", SEEN),
        ("", SEEN),
    ],
)
def test_the_end_is_when_ec2_says_or_when_it_was_first_seen(transition: str, end: datetime) -> None:
    assert status_of("x", machine(transition=transition), None, SEEN).ended_at == end


def test_the_spot_request_knows_the_end_better_than_the_first_look() -> None:
    taken = machine(code="Server.SpotInstanceTermination", transition="Server.SpotInstance…")
    assert needs_witness(taken)
    assert status_of("x", taken, witness("instance-terminated-no-capacity"), SEEN).ended_at == ENDED


@pytest.mark.parametrize(
    ("described", "needed"),
    [
        (machine(code="Server.SpotInstanceTermination"), True),
        (machine(transition="User initiated (2026-06-15 14:00:00 GMT)"), True),
        (
            machine(
                code="Client.UserInitiatedShutdown",
                transition="User initiated (2026-06-15 14:00:00 GMT)",
            ),
            False,
        ),
        (machine("running"), False),
        (machine(code="", lifecycle=""), False),
    ],
    ids=["no moment", "no reason", "both", "it runs", "on demand: nobody to ask"],
)
def test_a_witness_is_heard_only_where_something_is_missing(
    described: dict[str, Any], needed: bool
) -> None:
    assert needs_witness(described) is needed


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("pending", InstanceState.PENDING),
        ("running", InstanceState.RUNNING),
        ("shutting-down", InstanceState.TERMINATING),
        ("terminated", InstanceState.TERMINATED),
        ("stopping", InstanceState.UNKNOWN),
        ("stopped", InstanceState.UNKNOWN),
        ("something-new", InstanceState.UNKNOWN),
    ],
)
def test_states(state: str, expected: InstanceState) -> None:
    status = status_of("x", machine(state), None, SEEN)
    assert status.state is expected
    assert status.billing_from == BEGAN


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(
    state=st.sampled_from([*STATES, "stopped"]),
    code=st.sampled_from([*STATE_REASONS, "", "Server.New"]),
    told=st.none() | MOMENTS,
    spot_status=st.none() | st.sampled_from([*SPOT_STATUSES, "fulfilled"]),
    updated_at=MOMENTS,
    seen=MOMENTS,
)
def test_an_end_has_a_moment_after_the_launch_and_a_reason_and_nothing_else_has(
    state: str,
    code: str,
    told: datetime | None,
    spot_status: str | None,
    updated_at: datetime,
    seen: datetime,
) -> None:
    transition = f"User initiated ({told:%F %T} GMT)" if told else ""
    second = witness(spot_status, updated_at) if spot_status else None
    status = status_of("x", machine(state, code=code, transition=transition), second, seen)
    if state == "terminated":
        assert status.ended_at is not None
        assert status.ended_at >= BEGAN
        assert status.reason is not None
    else:
        assert status.ended_at is None
        assert status.reason is None
