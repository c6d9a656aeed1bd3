"""What Azure says of a machine, read as an `InstanceStatus`: two tables."""

from __future__ import annotations

from datetime import datetime

from finsched.errors import NoCapacity
from finsched.provider import EndReason, InstanceState, InstanceStatus
from finsched_azure.api import Description
from finsched_azure.errors import CODES
from finsched_azure.names import moment

POWER_STATES = {
    "starting": InstanceState.PENDING,
    "running": InstanceState.RUNNING,
    "stopping": InstanceState.TERMINATING,
    "stopped": InstanceState.TERMINATING,
    "deallocating": InstanceState.TERMINATING,
    "deallocated": InstanceState.TERMINATING,
}
"""The last word of a power state. We never stop a machine, and a stopped one is billed on."""

PROVISIONING_STATES = {
    "Creating": InstanceState.PENDING,
    "Updating": InstanceState.PENDING,
    "Deleting": InstanceState.TERMINATING,
    "Failed": InstanceState.TERMINATING,
    "Canceled": InstanceState.TERMINATING,
}
"""What holds for a machine that has no power state yet; `Deleting` holds for any."""

_STOPPED = {"stopped", "deallocated"}
_NEVER_CAME = {"Failed", "Canceled"}


def status_of(instance_id: str, machine: Description) -> InstanceStatus:
    """Read a described machine with its instance view."""
    return InstanceStatus(
        id=instance_id,
        state=_state(machine),
        billing_from=created_at(machine),
        detail=": ".join(filter(None, failure_of(machine))),
    )


def why_to_end(machine: Description) -> EndReason | None:
    """Say why a machine that does no work any more has to be deleted; None where it works.

    A machine that switched itself off is kept and billed until somebody deletes it.
    """
    if _provisioning(machine) == "Deleting":
        return None
    power = _power(machine)
    if power in _STOPPED:
        return EndReason.ENDED_ITSELF if power == "stopped" else EndReason.UNKNOWN
    if power or _provisioning(machine) not in _NEVER_CAME:
        return None
    answer = CODES.get(failure_of(machine)[0])
    lacks_capacity = answer is not None and answer.problem is NoCapacity
    return EndReason.INTERRUPTED if lacks_capacity else EndReason.FAILED


def status_of_vanished(
    instance_id: str, launched: datetime, missed: datetime, reason: EndReason
) -> InstanceStatus:
    """Return the end of a machine that Azure lists no more: it ended when it was first missed."""
    return InstanceStatus(
        id=instance_id,
        state=InstanceState.TERMINATED,
        billing_from=launched,
        ended_at=max(missed, launched),
        reason=reason,
        detail="Azure lists the machine no more" if reason is EndReason.UNKNOWN else "",
    )


def is_alive(machine: Description) -> bool:
    """Say whether a described machine is there to stay, or is still being made."""
    return _provisioning(machine) not in {"Deleting", *_NEVER_CAME}


def is_made(machine: Description) -> bool:
    """Say whether a described machine has been made."""
    return _provisioning(machine) == "Succeeded"


def failure_of(machine: Description) -> tuple[str, str]:
    """Return the code and the words with which a machine could not be made, empty for another."""
    for each in _statuses(machine):
        if each["code"].startswith("ProvisioningState/failed/"):
            return each["code"].rpartition("/")[2], each.get("message", "")
    return "", ""


def created_at(machine: Description) -> datetime:
    """Return when a machine was made."""
    return moment(machine["properties"]["timeCreated"])


def _state(machine: Description) -> InstanceState:
    provisioning, power = _provisioning(machine), _power(machine)
    if provisioning == "Deleting":
        return InstanceState.TERMINATING
    if power:
        return POWER_STATES.get(power, InstanceState.UNKNOWN)
    return PROVISIONING_STATES.get(provisioning, InstanceState.PENDING)


def _provisioning(machine: Description) -> str:
    return str(machine["properties"].get("provisioningState", ""))


def _power(machine: Description) -> str:
    codes = (each["code"] for each in _statuses(machine))
    return next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "")


def _statuses(machine: Description) -> list[dict[str, str]]:
    return list((machine["properties"].get("instanceView") or {}).get("statuses", ()))
