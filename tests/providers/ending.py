"""Waiting for a machine's end."""

from __future__ import annotations

from finsched.provider import Compute, InstanceState, InstanceStatus
from tests.waiting import until


def until_ended(compute: Compute, instance_id: str) -> InstanceStatus:
    """Return what the provider says of a machine once it has ended."""

    def ended() -> InstanceStatus | None:
        status = compute.poll([instance_id]).get(instance_id)
        return status if status and status.state is InstanceState.TERMINATED else None

    status = until(ended, 30)
    assert status
    return status
