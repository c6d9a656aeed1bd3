"""A move in the middle: the launcher dies, a person stops, the job ends, the standby is refused."""

from __future__ import annotations

import signal
from collections.abc import Callable
from itertools import pairwise
from subprocess import Popen

import pytest

from finsched.model.run import AttemptEnd, Outcome, Run

from .conftest import Machine
from .test_deadline import NOTHING_PROVEN, timed

pytestmark = pytest.mark.slow


def start_a_move(machine: Machine, *, setup: str = "sleep 1") -> Popen[str]:
    """A job that is slower than stated, seen when its standby has been launched."""
    job = timed(machine, 1, "2h", every="20m", STEPS="160", PACE="0.1")
    path = machine.folder / "job.yaml"
    path.write_text(path.read_text() + f"setup: {setup}\n")
    process = machine.start("launch", job, "--rehearse", "--speed", "300", "--hazard", "0")
    machine.wait_for(lambda run: run.standby and run.standby.instance_ids)
    return process


def one_at_a_time(run: Run) -> bool:
    """Whether no attempt began to work before the one before it had ended."""
    worked = [each for each in run.attempts if each.started_at]
    return all(
        before.ended_at and after.started_at and before.ended_at <= after.started_at
        for before, after in pairwise(worked)
    )


def test_a_launcher_killed_in_the_middle_of_a_move_is_followed_by_another(machine: Machine) -> None:
    process = start_a_move(machine)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    machine.finsched("resume", code=NOTHING_PROVEN)
    run = machine.run()
    assert run.outcome is Outcome.FINISHED
    assert [each.end for each in run.attempts] == [AttemptEnd.MOVED, AttemptEnd.FINISHED]
    assert one_at_a_time(run)


def test_stopping_in_the_middle_of_a_move_ends_both_machines(
    machine: Machine, interrupt: Callable[[Popen[str]], None]
) -> None:
    process = start_a_move(machine)
    interrupt(process)
    process.communicate(timeout=60)
    run = machine.run()
    assert run.outcome is Outcome.STOPPED
    assert run.live_attempts == ()
    assert run.last_checkpoint is not None


def test_a_job_that_is_done_before_its_standby_is_ready_ends_the_standby(machine: Machine) -> None:
    process = start_a_move(machine, setup="test $FINSCHED_ATTEMPT = 1 || sleep 60")
    process.communicate(timeout=90)
    run = machine.run()
    assert run.outcome is Outcome.FINISHED
    assert run.attempts[0].end is AttemptEnd.FINISHED
    assert run.attempts[1].end is AttemptEnd.STOPPED
    assert run.attempts[1].started_at is None
