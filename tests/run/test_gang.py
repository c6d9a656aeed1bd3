"""A run of several nodes, from the command line: interrupted, broken, resumed, accounted."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from finsched.model.run import AttemptEnd, Outcome, Run
from tests.ports import free_port

from ..providers.local.test_gang import TRAIN  # noqa: TID252 - the one job of several nodes
from .conftest import Machine

pytestmark = pytest.mark.slow

NODES = 3


def write_job(
    machine: Machine, *, clouds: str = "[local]", gpu: str = "cpus: 1", **env: str
) -> Path:
    job = machine.job(run="exec python train.py", MASTER_PORT=str(free_port()), **env)
    (machine.folder / "work" / "train.py").write_text(TRAIN)
    text = job.read_text().replace("{cpus: 1}", f"{{{gpu}, nodes: {NODES}}}")
    job.write_text(text.replace("[local]", clouds).replace("every: 10s", "every: 1s"))
    return job


def at_work(run: Run) -> bool:
    return bool(run.attempts) and (run.attempts[-1].progress or 0) > 0 and bool(run.checkpoints)


def kill_machine(machine: Machine, instance_id: str) -> None:
    """Take a machine's process away, and with it all that runs below."""
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and is_machine(process, instance_id):
            os.kill(int(process.name), signal.SIGKILL)


def is_machine(process: Path, instance_id: str) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    here = any(word.endswith(instance_id.encode()) for word in words)
    return here and b"finsched_local.machine" in words


def test_a_run_that_loses_a_node_goes_on_from_what_all_had_saved(machine: Machine) -> None:
    launch = machine.start("launch", write_job(machine, STEPS="300", EVERY="20"))
    run = machine.wait_for(at_work, seconds=60)
    kill_machine(machine, run.attempts[-1].instance_ids[1])
    _, err = launch.communicate(timeout=120)
    assert launch.returncode == 0, err
    run = machine.run()
    assert run.outcome is Outcome.FINISHED
    first, second = run.attempts
    assert (first.end, second.end) == (AttemptEnd.NODE_FAILED, AttemptEnd.FINISHED)
    assert [len(first.instance_ids), len(second.instance_ids)] == [NODES, NODES]
    assert second.restore
    assert second.restore.sequence
    assert "resumes" in machine.finsched("logs", "--attempt", "2")
    assert "counted 300" in machine.finsched("logs", "--node", "2")
    machine.finsched("logs", "--node", "3", code=2)
    assert "nodes 0 to 2" in machine.errors


def test_a_rehearsal_runs_every_node(machine: Machine) -> None:
    job = write_job(machine, STEPS="300", EVERY="20", clouds="[aws]", gpu="gpu: T4")
    text = job.read_text().replace("workdir:", "capacity: spot\nwork: {hours: 2}\nworkdir:")
    job.write_text(text)
    machine.finsched("launch", job, "--rehearse", "--interruptions", "1", seconds=120)
    run = machine.run()
    assert run.outcome is Outcome.FINISHED
    assert [each.end for each in run.attempts] == [AttemptEnd.INTERRUPTED, AttemptEnd.FINISHED]
    assert all(len(each.instance_ids) == NODES for each in run.attempts)
    account = machine.document("report")
    for told, attempt in zip(account["attempts"], run.attempts, strict=True):
        of_one_node = attempt.placement.offer.price_usd_per_hour
        hours = told["billed_seconds"] / 3600
        assert float(told["usd"]) == pytest.approx(NODES * of_one_node * hours, abs=1e-6)
