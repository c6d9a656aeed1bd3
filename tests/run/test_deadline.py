"""Rehearsals with a deadline: the policy that was scored on traces drives a real job here."""

from __future__ import annotations

import json

import pytest

from finsched.model.market import CapacityType
from finsched.model.run import AttemptEnd, Outcome, Run

from .conftest import Machine

pytestmark = pytest.mark.slow

JOB = """
name: count
resources: {{gpu: "A100-80GB:1"}}
where: {{clouds: [aws, gcp, azure, lambda]}}
work: {{hours: {hours}, reference: A100-80GB}}
deadline: {deadline}
checkpoint: {{path: ckpt, size: 1GB, save_time: 20s, every: {every}}}
workdir: work
run: python count.py
env: {env}
"""


def timed(machine: Machine, hours: float, deadline: str, every: str = "auto", **env: str) -> str:
    path = machine.job()
    text = JOB.format(hours=hours, deadline=deadline, every=every, env=json.dumps(env))
    path.write_text(text)
    return str(path)


NOTHING_PROVEN = 6


def rehearse(machine: Machine, job: str, *more: str, code: int = 0) -> Run:
    speed = () if "--speed" in more else ("--speed", "900")
    machine.finsched("launch", job, "--rehearse", *speed, *more, code=code)
    return machine.run()


def kinds(run: Run) -> list[CapacityType]:
    return [attempt.placement.offer.capacity_type for attempt in run.attempts]


def test_flaky_spot_falls_back_to_on_demand_in_time_and_says_why(machine: Machine) -> None:
    job = timed(machine, 3, "7h", STEPS="120", PACE="0.1")
    run = rehearse(machine, job, "--hazard", "20", "--spot-capacity", "0.5", "--seed", "7")
    assert run.outcome is Outcome.FINISHED
    assert run.deadline_at is not None
    assert run.ended_at is not None
    assert run.ended_at <= run.deadline_at
    assert kinds(run)[-1] is CapacityType.ON_DEMAND
    assert AttemptEnd.INTERRUPTED in {attempt.end for attempt in run.attempts}
    told = machine.finsched("status", "--why")
    assert "weighed" in told
    assert "slack" in told
    decisions = machine.document("status", "--why")["decisions"]
    last = decisions[-1]
    assert last["target"].startswith("on-demand")
    assert len(decisions) >= len(run.attempts)


def test_calm_spot_is_never_left(machine: Machine) -> None:
    job = timed(machine, 3, "9h", STEPS="120", PACE="0.1")
    run = rehearse(machine, job, "--hazard", "0", code=NOTHING_PROVEN)
    assert run.outcome is Outcome.FINISHED
    assert kinds(run) == [CapacityType.SPOT]


def test_a_job_slower_than_stated_moves_while_the_old_machine_works(machine: Machine) -> None:
    job = timed(machine, 1, "2h", every="20m", STEPS="160", PACE="0.1")
    run = rehearse(machine, job, "--hazard", "0", "--speed", "300", code=NOTHING_PROVEN)
    assert run.outcome is Outcome.FINISHED
    first, second = run.attempts
    assert (first.end, second.end) == (AttemptEnd.MOVED, AttemptEnd.FINISHED)
    assert kinds(run) == [CapacityType.SPOT, CapacityType.ON_DEMAND]
    assert second.ready_at
    assert first.ended_at
    assert second.ready_at < first.ended_at, "the old machine works until the new one is ready"
    assert second.restore
    saved = [point.progress for point in run.checkpoints if point.attempt == first.number]
    assert second.restore.progress == saved[-1], "nothing is lost on the way"


def test_another_policy_decides_when_it_is_named(machine: Machine) -> None:
    job = timed(machine, 1, "4h", STEPS="40", PACE="0.1")
    steady = ("--hazard", "0", "--policy", "on-demand")
    run = rehearse(machine, job, *steady, code=NOTHING_PROVEN)
    assert kinds(run) == [CapacityType.ON_DEMAND]
    machine.finsched("launch", job, "--rehearse", "--policy", "clever", code=2)
    assert "uniform-progress" in machine.errors
