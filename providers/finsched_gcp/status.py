"""What Google says of a machine and of its operations, read as an `InstanceStatus`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from finsched.provider import EndReason, InstanceState, InstanceStatus
from finsched_gcp.names import Located
from finsched_gcp.operations import ENDS, Happening, History, moment

STATES = {
    "PENDING": InstanceState.PENDING,
    "PROVISIONING": InstanceState.PENDING,
    "STAGING": InstanceState.PENDING,
    "RUNNING": InstanceState.RUNNING,
    "PENDING_STOP": InstanceState.TERMINATING,
    "STOPPING": InstanceState.TERMINATING,
    "DEPROVISIONING": InstanceState.TERMINATING,
    "STOPPED": InstanceState.TERMINATED,
    "TERMINATED": InstanceState.TERMINATED,
}
"""A machine that is suspended or repaired neither works nor has ended, so it is unknown."""

NOTHING_KNOWN = History(happenings=())


def state_of(instance: Any) -> InstanceState:
    """Return the state of a listed machine."""
    return STATES.get(instance.status, InstanceState.UNKNOWN)


def has_stopped(instance: Any) -> bool:
    """Say whether a listed machine runs no more and never will: it keeps its disk only."""
    return state_of(instance) is InstanceState.TERMINATED


def status_of(
    which: Located, instance: Any, past: History, *, itself: str, first_seen: datetime
) -> InstanceStatus:
    """Read a listed machine; `itself` is the service account that it runs as.

    `first_seen` is the end where nobody says when it stopped. Billing is counted from the creation.
    """
    state, began = state_of(instance), moment(instance.creation_timestamp)
    if state is not InstanceState.TERMINATED:
        told = instance.status if state is InstanceState.UNKNOWN else ""
        return InstanceStatus(id=str(which), state=state, billing_from=began, detail=told)
    stopped_at = moment(instance.last_stop_timestamp) or first_seen
    return InstanceStatus(
        id=str(which),
        state=state,
        billing_from=began,
        ended_at=max(stopped_at, began) if began else stopped_at,
        reason=reason_of(past, itself),
        detail=_detail(past),
    )


def status_of_vanished(which: Located, past: History, *, itself: str) -> InstanceStatus | None:
    """Read the operations of a machine that is not listed; None where they tell of no end."""
    made = past.creation
    if made and made.problem:
        return _never_made(which, made)
    if not past.ends:
        return None
    began = made.began_at if made else None
    moments = [end.ended_at for end in past.ends]
    known = [each for each in moments if each]
    if len(known) < len(moments):
        return InstanceStatus(id=str(which), state=InstanceState.TERMINATING, billing_from=began)
    return InstanceStatus(
        id=str(which),
        state=InstanceState.TERMINATED,
        billing_from=began,
        ended_at=max([*known, *([began] if began else ())]),
        reason=reason_of(past, itself),
        detail=_detail(past),
    )


def reason_of(past: History, itself: str) -> EndReason:
    """Return why a machine ended: the first thing that ended it."""
    if not past.ends:
        return EndReason.UNKNOWN
    first = past.ends[0]
    if ENDS[first.kind] is EndReason.TERMINATED_BY_US and itself and first.user == itself:
        return EndReason.ENDED_ITSELF
    return ENDS[first.kind]


def _never_made(which: Located, made: Happening) -> InstanceStatus:
    """A machine whose creation failed costs nothing."""
    return InstanceStatus(
        id=str(which),
        state=InstanceState.TERMINATED,
        billing_from=made.began_at,
        ended_at=made.began_at,
        reason=EndReason.FAILED,
        detail=made.problem.message if made.problem else "",
    )


def _detail(past: History) -> str:
    return past.ends[0].detail if past.ends else ""
