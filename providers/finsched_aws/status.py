"""What EC2 says of a machine and of its spot request, read as an `InstanceStatus`: two tables."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from finsched.provider import EndReason, InstanceState, InstanceStatus
from finsched_aws.api import Description
from finsched_aws.names import Located
from finsched_aws.spot_requests import SpotRequest

STATES = {
    "pending": InstanceState.PENDING,
    "running": InstanceState.RUNNING,
    "shutting-down": InstanceState.TERMINATING,
    "terminated": InstanceState.TERMINATED,
}
"""A machine that is stopped neither works nor has ended, so it is unknown: we never stop one."""

STATE_REASONS = {
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
"""StateReason.Code of an ended machine (EC2 API reference, StateReason)."""

SPOT_STATUSES = {
    "instance-terminated-by-price": EndReason.INTERRUPTED,
    "instance-terminated-no-capacity": EndReason.INTERRUPTED,
    "instance-terminated-capacity-oversubscribed": EndReason.INTERRUPTED,
    "instance-terminated-launch-group-constraint": EndReason.INTERRUPTED,
    "instance-terminated-by-schedule": EndReason.INTERRUPTED,
    "instance-terminated-by-service": EndReason.INTERRUPTED,
    "instance-terminated-by-experiment": EndReason.INTERRUPTED,
    "instance-terminated-by-user": EndReason.TERMINATED_BY_US,
}
"""Status.Code of an ended machine's spot request (EC2 user guide, spot request status)."""

_ENDED_AT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")


def state_of(instance: Description) -> InstanceState:
    """Return the state of a described machine."""
    return STATES.get(instance["State"]["Name"], InstanceState.UNKNOWN)


def needs_witness(instance: Description) -> bool:
    """Say whether a spot machine has ended without EC2 saying why, or when, on the machine."""
    is_spot = instance.get("InstanceLifecycle") == "spot"
    has_ended = state_of(instance) is InstanceState.TERMINATED
    is_told = _code(instance) in STATE_REASONS and _told_end(instance) is not None
    return is_spot and has_ended and not is_told


def status_of(
    instance_id: str, instance: Description, witness: SpotRequest | None, first_seen: datetime
) -> InstanceStatus:
    """Read a described machine; `first_seen` is the end where nobody says when it ended.

    Billing is counted from the launch: EC2 bills from `running`, seconds later.
    """
    state, began = state_of(instance), instance["LaunchTime"]
    if state is not InstanceState.TERMINATED:
        detail = _detail(instance) if state is InstanceState.UNKNOWN else ""
        return InstanceStatus(id=instance_id, state=state, billing_from=began, detail=detail)
    ended_at = _told_end(instance) or (witness.updated_at if witness else first_seen)
    return InstanceStatus(
        id=instance_id,
        state=state,
        billing_from=began,
        ended_at=max(ended_at, began),
        reason=_reason(instance, witness),
        detail=_detail(instance),
    )


def status_of_vanished(region: str, witness: SpotRequest) -> InstanceStatus | None:
    """Read the spot request of a machine that EC2 no longer lists; None while it says no end."""
    reason = SPOT_STATUSES.get(witness.status)
    if reason is None:
        return None
    return InstanceStatus(
        id=str(Located(region, witness.instance_id)),
        state=InstanceState.TERMINATED,
        billing_from=witness.created_at,
        ended_at=max(witness.updated_at, witness.created_at),
        reason=reason,
        detail=f"{witness.status}: {witness.message}".removesuffix(": "),
    )


def _reason(instance: Description, witness: SpotRequest | None) -> EndReason:
    told = STATE_REASONS.get(_code(instance))
    if told is None and witness is not None:
        told = SPOT_STATUSES.get(witness.status)
    return told or EndReason.UNKNOWN


def _code(instance: Description) -> str:
    return str(instance.get("StateReason", {}).get("Code", ""))


def _detail(instance: Description) -> str:
    told = instance.get("StateReason", {}).get("Message", "")
    return str(told or instance.get("StateTransitionReason", ""))


def _told_end(instance: Description) -> datetime | None:
    found = _ENDED_AT.search(instance.get("StateTransitionReason", ""))
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC) if found else None
