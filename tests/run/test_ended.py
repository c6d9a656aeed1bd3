"""What the commands say of a run that has ended."""

import pytest

from .conftest import Machine

pytestmark = pytest.mark.slow


@pytest.fixture
def ended(machine: Machine) -> Machine:
    machine.finsched("launch", machine.job(STEPS="3"))
    return machine


def test_logs_of_an_attempt_that_never_was_are_a_usage_error(ended: Machine) -> None:
    assert "counted 3" in ended.finsched("logs", "--attempt", "1")
    for arguments in (["--attempt", "9"], ["--attempt", "9", "--follow"]):
        assert not ended.finsched("logs", *arguments, code=2)
        assert "has no attempt 9: it has 1" in ended.errors


def test_stop_says_that_the_run_has_ended_and_changes_nothing(ended: Machine) -> None:
    before = ended.finsched("status", "--why")
    assert not ended.finsched("stop")
    assert "has already ended: finished" in ended.errors
    assert ended.document("stop")["outcome"] == "finished"
    assert ended.finsched("status", "--why") == before


def test_stop_of_a_failed_run_is_no_failure_of_stop(machine: Machine) -> None:
    machine.finsched("launch", machine.job(run="exit 3"), code=6)
    machine.finsched("stop")
    assert "has already ended: job_failed" in machine.errors


def test_a_launch_that_is_stopped_from_elsewhere_ends_with_130(machine: Machine) -> None:
    launcher = machine.start("launch", machine.job(STEPS="400"))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    machine.finsched("stop")
    out, err = launcher.communicate(timeout=30)
    assert launcher.returncode == 130, (out, err)
