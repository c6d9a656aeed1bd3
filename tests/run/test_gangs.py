"""Whose fault the end of a gang was, told from what its machines and its nodes say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from finsched.model.run import Attempt, AttemptEnd
from finsched.provider import EndReason, InstanceState, InstanceStatus
from finsched.run import gangs
from finsched.testing.builders import offer
from finsched.testing.runs import placement

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def attempt(machines: int = 3, nodes: int = 3) -> Attempt:
    return Attempt(
        number=1,
        token="r-1",
        placement=placement(offer(), nodes=nodes),
        intended_at=NOW,
        instance_ids=tuple(f"i-{rank}" for rank in range(machines)),
    )


def ended(reason: EndReason, seconds_ago: float = 0.0) -> dict[str, InstanceStatus]:
    status = InstanceStatus(
        id="i-1",
        state=InstanceState.TERMINATED,
        ended_at=NOW - timedelta(seconds=seconds_ago),
        reason=reason,
    )
    return {"i-1": status}


@pytest.mark.parametrize("reason", [EndReason.INTERRUPTED, EndReason.FAILED, EndReason.UNKNOWN])
def test_a_command_that_failed_beside_a_lost_machine_is_not_to_blame(reason: EndReason) -> None:
    lost = ended(reason).values()
    assert gangs.lost_a_node(attempt(), AttemptEnd.JOB_FAILED, lost, NOW)
    assert not gangs.lost_a_node(attempt(1, 1), AttemptEnd.JOB_FAILED, lost, NOW)
    assert not gangs.lost_a_node(attempt(), AttemptEnd.FINISHED, lost, NOW)


@pytest.mark.parametrize(("seconds_ago", "lost"), [(20.0, True), (-20.0, False)])
def test_a_command_that_fails_after_a_machine_has_ended_itself_is_not_to_blame(
    seconds_ago: float, lost: bool
) -> None:
    statuses = ended(EndReason.ENDED_ITSELF, seconds_ago).values()
    assert gangs.lost_a_node(attempt(), AttemptEnd.JOB_FAILED, statuses, NOW) is lost


def test_a_command_that_failed_after_a_notice_is_not_to_blame() -> None:
    switched_off = ended(EndReason.TERMINATED_BY_US).values()
    noticed = replace(attempt(), notice_at=NOW)
    assert gangs.lost_a_node(noticed, AttemptEnd.JOB_FAILED, switched_off, NOW)
    assert not gangs.lost_a_node(attempt(), AttemptEnd.JOB_FAILED, switched_off, NOW)


def test_a_gang_is_broken_by_a_loss_and_by_one_that_left_long_ago() -> None:
    assert gangs.is_broken(attempt(), ended(EndReason.INTERRUPTED), NOW)
    assert not gangs.is_broken(attempt(), ended(EndReason.ENDED_ITSELF, 30), NOW)
    assert gangs.is_broken(attempt(), ended(EndReason.ENDED_ITSELF, 90), NOW)
    assert not gangs.is_broken(attempt(1, 1), ended(EndReason.INTERRUPTED), NOW)


def test_fewer_machines_than_nodes_are_no_gang() -> None:
    assert gangs.is_broken(attempt(2, 3), {}, NOW)
    assert "2 of 3" in gangs.shortfall(attempt(2, 3))
