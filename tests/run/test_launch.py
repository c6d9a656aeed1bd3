"""Runs on this machine, with real processes, through the real command line."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from finsched.model.run import AttemptEnd, AttemptState, Outcome, Run

from .conftest import Machine, assert_one_at_a_time

pytestmark = pytest.mark.slow


def committed(run: Run) -> bool:
    return bool(run.checkpoints)


def kill(process: subprocess.Popen[str]) -> None:
    """Take a launcher away without a word."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_job_is_launched_finished_and_accounted(machine: Machine) -> None:
    machine.settings("local_price_usd_per_hour = 36.0")
    ended = machine.document("launch", machine.job(STEPS="10"))
    run = machine.run()
    assert run.outcome is Outcome.FINISHED
    account = ended["account"]
    seconds = account["attempts"][0]["billed_seconds"]
    assert float(account["compute_usd"]) == pytest.approx(seconds * 0.01)
    assert "counted 10" in machine.finsched("logs")


def test_the_jobs_failure_is_exit_6_and_never_retried(machine: Machine) -> None:
    machine.finsched("launch", machine.job(run="echo so far; exit 3"), code=6)
    run = machine.run()
    assert run.outcome is Outcome.JOB_FAILED
    assert len(run.attempts) == 1
    assert "exited with 3" in run.detail
    assert "so far" in machine.finsched("logs")


def test_ctrl_c_saves_stops_and_says_how_to_go_on(
    machine: Machine, interrupt: Callable[[subprocess.Popen[str]], None]
) -> None:
    process = machine.start("launch", machine.job(STEPS="400"))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    interrupt(process)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 130, err
    assert "finsched resume count-" in out
    assert machine.run().outcome is Outcome.STOPPED
    assert machine.run().last_checkpoint


def test_a_stopped_run_resumes_behind_its_last_commit(machine: Machine, tmp_path: Path) -> None:
    go_ahead = tmp_path / "go-ahead"
    process = machine.start("launch", machine.job(STEPS="600", GO_AHEAD=str(go_ahead)))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    machine.finsched("stop")
    process.communicate(timeout=90)
    go_ahead.touch()
    machine.finsched("resume")
    run = machine.run()
    assert run.outcome is Outcome.FINISHED
    restore = run.attempts[-1].restore
    assert restore is not None
    assert restore.sequence is not None
    assert "counted 600" in machine.finsched("logs")


def test_the_budget_ends_the_run_with_its_checkpoint_and_exit_7(machine: Machine) -> None:
    machine.settings("local_price_usd_per_hour = 360.0")
    job = machine.job(STEPS="10000", more="budget: {max_cost: 0.8}")
    machine.finsched("launch", job, code=7, seconds=120)
    run = machine.run()
    assert run.outcome is Outcome.BUDGET
    assert run.last_checkpoint
    assert float(machine.document("report")["compute_usd"]) <= 0.8


def test_the_deadline_ends_the_run_with_its_checkpoint_and_exit_7(machine: Machine) -> None:
    job = machine.job(STEPS="10000", more="deadline: 8s")
    machine.finsched("launch", job, code=7)
    run = machine.run()
    assert run.outcome is Outcome.DEADLINE
    assert run.ended_at
    assert run.ended_at - run.submitted_at < timedelta(seconds=15)
    assert run.last_checkpoint


def test_a_killed_launcher_is_resumed_and_the_job_never_ran_twice(
    machine: Machine, tmp_path: Path
) -> None:
    seed = int(os.environ.get("FINSCHED_TEST_SEED", random.randrange(10**6)))
    print(f"FINSCHED_TEST_SEED={seed}")
    dice = random.Random(seed)
    witness = tmp_path / "witness"
    job = machine.job(STEPS="120", WITNESS=str(witness), more="")
    process = machine.start("launch", job)
    machine.wait_for(lambda run: run.submitted_at)  # before it is written down there is no run
    for _ in range(3):
        time.sleep(dice.uniform(0.0, 2.0))
        kill(process)
        process = machine.start("resume")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert machine.run().outcome is Outcome.FINISHED
    assert_one_at_a_time(witness)


def test_a_second_supervisor_is_refused(machine: Machine, tmp_path: Path) -> None:
    go_ahead = tmp_path / "go-ahead"
    process = machine.start("launch", machine.job(STEPS="600", GO_AHEAD=str(go_ahead)))
    machine.wait_for(lambda run: run.live_attempt)
    machine.finsched("resume", code=1)
    assert "already supervised" in machine.errors
    go_ahead.touch()
    process.communicate(timeout=90)
    assert process.returncode == 0


def test_a_launcher_dead_between_intent_and_create_leaves_a_run_that_resumes(
    machine: Machine,
) -> None:
    process = machine.start("launch", machine.job(STEPS="20"))
    machine.wait_for(lambda run: run.attempts)
    kill(process)
    machine.finsched("resume")
    run = machine.run()
    assert run.outcome is Outcome.FINISHED
    assert all(attempt.state is AttemptState.ENDED for attempt in run.attempts)


def test_without_its_supervisor_a_node_ends_itself_when_the_lease_does(machine: Machine) -> None:
    machine.settings("lease_seconds = 10")
    process = machine.start("launch", machine.job(STEPS="2000"))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    kill(process)
    until = time.monotonic() + 60
    while machine.processes():
        assert time.monotonic() < until, "it lives longer than its lease"
        time.sleep(0.2)
    machine.job(STEPS="2000")
    resumed = machine.start("resume")
    run = machine.wait_for(lambda run: len(run.attempts) > 1 and run.attempts[1].restore)
    assert run.attempts[0].end is AttemptEnd.LEASE_EXPIRED
    assert run.attempts[1].restore
    assert run.attempts[1].restore.sequence is not None
    resumed.send_signal(signal.SIGINT)
    resumed.communicate(timeout=90)


def test_a_secret_reaches_the_job_and_nothing_else(machine: Machine, tmp_path: Path) -> None:
    canary = "c4n4ry-7d1f0b"
    machine.environ["TOKEN"] = canary
    run = '\'test "$TOKEN" = "$(printf c4n4ry; printf -- -7d1f0b)" && echo has $TOKEN\''
    machine.finsched("launch", machine.job(run=run, more="secrets: [TOKEN]"))
    assert "has ***" in machine.finsched("logs")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert canary.encode() not in path.read_bytes(), path


def test_a_missing_secret_stops_the_launch_before_anything_starts(machine: Machine) -> None:
    machine.finsched("launch", machine.job(more="secrets: [NOT_SET]"), code=2)
    assert "NOT_SET" in machine.errors
    assert not (machine.state_dir / "local").exists()


def test_a_terminal_that_goes_away_does_not_take_the_run_with_it(machine: Machine) -> None:
    process = machine.start("launch", machine.job(STEPS="60"))
    machine.wait_for(lambda run: run.live_attempt)
    assert process.stderr is not None
    process.stderr.close()
    assert process.wait(timeout=30) == 0
    assert machine.run().outcome is Outcome.FINISHED
    assert process.stdout is not None
    process.stdout.close()


def test_status_says_when_nobody_watches_over_a_run(machine: Machine) -> None:
    process = machine.start("launch", machine.job(STEPS="2000"))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    assert "nobody watches" not in machine.finsched("status")
    kill(process)
    assert "nobody watches" in machine.finsched("status")
    machine.finsched("stop")
