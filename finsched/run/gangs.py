"""Several machines of one attempt: when they can work no more, and whose fault that was."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from finsched.model.run import Attempt, AttemptEnd
from finsched.provider import EndReason, InstanceState, InstanceStatus

_LATEST_WORD = timedelta(minutes=1)  # of the first node, after another one has ended by itself
_LOSSES = {EndReason.INTERRUPTED, EndReason.FAILED, EndReason.UNKNOWN}


def is_incomplete(attempt: Attempt) -> bool:
    """Say whether fewer machines were made than the attempt needs."""
    return 0 < len(attempt.instance_ids) < attempt.placement.nodes


def shortfall(attempt: Attempt) -> str:
    """Return in words what is missing."""
    return f"only {len(attempt.instance_ids)} of {attempt.placement.nodes} machines were made"


def is_broken(attempt: Attempt, statuses: Mapping[str, InstanceStatus], real_now: datetime) -> bool:
    """Say whether the machines that are left wait in vain for one that is missing or gone.

    A node that ended by itself had nothing more to do; the first one then has a minute to say so.
    """
    if len(attempt.instance_ids) < 2 and not is_incomplete(attempt):
        return False
    ended = [each for each in statuses.values() if each.state is InstanceState.TERMINATED]
    return is_incomplete(attempt) or any(_is_missed(status, real_now) for status in ended)


def lost_a_node(
    attempt: Attempt, told: AttemptEnd, statuses: Collection[InstanceStatus], told_at: datetime
) -> bool:
    """Say whether a command failed because another machine of its gang was lost, or about to be.

    Nodes notice a lost peer as a broken connection, sooner than anybody else.
    """
    if len(attempt.instance_ids) < 2 or told is not AttemptEnd.JOB_FAILED:
        return False
    return attempt.notice_at is not None or any(_was_lost(each, told_at) for each in statuses)


def waited_in_vain(attempt: Attempt, reasons: Collection[EndReason | None]) -> bool:
    """Say whether we have switched machines off because another one had left them alone."""
    return len(attempt.instance_ids) > 1 and EndReason.ENDED_ITSELF in reasons


def _was_lost(status: InstanceStatus, told_at: datetime) -> bool:
    """A machine whose agent died switches itself off, and its peers fail after that."""
    if status.reason is EndReason.ENDED_ITSELF:
        return status.ended_at is not None and status.ended_at < told_at
    return status.reason in _LOSSES


def _is_missed(status: InstanceStatus, real_now: datetime) -> bool:
    if status.reason is not EndReason.ENDED_ITSELF:
        return True
    return status.ended_at is not None and real_now - status.ended_at > _LATEST_WORD
