"""Rehearsals: the real command here, under a placement's prices and interruptions."""

import itertools
import json
from pathlib import Path

import pytest

from finsched.model.run import AttemptEnd, Rehearsal
from finsched.run.rehearsing import points, without_notice

from .conftest import Machine

GPU_JOB = """
name: count
resources: {{gpu: "A100-80GB:1"}}
where: {{clouds: [aws, gcp, azure, lambda]}}
work: {{hours: 20, reference: A100-80GB}}
checkpoint: {{path: ckpt, size: 1GB, save_time: 20s}}
workdir: work
run: {run}
env: {env}
"""


ONCE_LATE = ("--interruptions", "1", "--seed", "5")


def gpu_job(machine: Machine, *, run: str = "python count.py", **env: str) -> str:
    path = machine.job()
    path.write_text(GPU_JOB.format(run=run, env=json.dumps(env)))
    return str(path)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_points_are_the_same_for_a_seed_and_all_inside_the_job(count: int) -> None:
    rehearsal = Rehearsal(speed=100, seed=4, interruptions=count)
    assert points(rehearsal) == points(rehearsal) == sorted(points(rehearsal))
    assert all(0.05 < point < 0.95 for point in points(rehearsal))
    assert points(rehearsal) != points(Rehearsal(speed=100, seed=5, interruptions=count))
    assert 0 <= without_notice(rehearsal) < count


@pytest.mark.slow
def test_a_job_that_resumes_passes_and_is_accounted_at_the_placements_price(
    machine: Machine,
) -> None:
    job = gpu_job(machine, STEPS="160")
    ended = machine.document("launch", job, "--rehearse", "--interruptions", "3", "--seed", "11")
    verdict = ended["verdict"]
    assert verdict["passed"], verdict
    assert (verdict["interruptions"], verdict["resumed"]) == (3, 3)
    assert not all(loss["noticed"] for loss in verdict["losses"])
    run = machine.run()
    for line, attempt in zip(ended["account"]["attempts"], run.attempts, strict=True):
        price = attempt.placement.usd_per_hour
        assert float(line["usd"]) == pytest.approx(price * line["billed_seconds"] / 3600, abs=1e-6)
    pools = [attempt.placement.offer.pool for attempt in run.attempts]
    assert all(pool != following for pool, following in itertools.pairwise(pools))


@pytest.mark.slow
def test_a_job_that_reports_nothing_meets_all_its_interruptions(machine: Machine) -> None:
    silent = (
        "'for i in $(seq 1 8); do sleep 1;"
        " echo $i > $FINSCHED_CHECKPOINT_DIR/t.tmp;"
        " mv $FINSCHED_CHECKPOINT_DIR/t.tmp $FINSCHED_CHECKPOINT_DIR/t; done'"
    )
    job = gpu_job(machine, run=silent)
    verdict = machine.document("launch", job, "--rehearse", "--seed", "3", code=6)["verdict"]
    assert (verdict["interruptions"], verdict["resumed"]) == (2, 2)
    assert verdict["failures"] == [
        "the job never wrote FINSCHED_PROGRESS, so going on cannot be told from starting over"
    ]


@pytest.mark.slow
def test_a_job_that_forgets_its_checkpoint_fails_the_rehearsal(machine: Machine) -> None:
    forgetful = "'FINSCHED_RESUME_FROM= python count.py'"
    job = gpu_job(machine, run=forgetful, STEPS="120")
    ended = machine.document("launch", job, "--rehearse", *ONCE_LATE, code=6)
    assert not ended["verdict"]["passed"]
    assert any("went back" in failure for failure in ended["verdict"]["failures"])


@pytest.mark.slow
def test_a_job_that_never_saves_fails_the_rehearsal(machine: Machine) -> None:
    unsaved = "'FINSCHED_CHECKPOINT_DIR=$TMPDIR python count.py'"
    job = gpu_job(machine, run=unsaved, STEPS="160")
    ended = machine.document("launch", job, "--rehearse", *ONCE_LATE, code=6)
    assert any("nothing was ever resumed" in failure for failure in ended["verdict"]["failures"])


@pytest.mark.slow
def test_a_hazard_takes_machines_at_seeded_times(machine: Machine) -> None:
    arguments = ("--rehearse", "--hazard", "1.5", "--speed", "1200", "--seed", "2")
    machine.finsched("launch", gpu_job(machine, STEPS="160"), *arguments)
    ends = [attempt.end for attempt in machine.run().attempts]
    assert ends[-1] is AttemptEnd.FINISHED
    assert AttemptEnd.INTERRUPTED in ends


@pytest.mark.slow
def test_a_job_of_unknown_length_is_rehearsed_with_a_cadence_too(machine: Machine) -> None:
    job = gpu_job(machine, STEPS="160")
    path = machine.folder / "job.yaml"
    path.write_text("\n".join(line for line in path.read_text().split("\n") if "work:" not in line))
    ended = machine.document("launch", job, "--rehearse", "--interruptions", "1", "--seed", "5")
    assert ended["verdict"]["passed"], ended["verdict"]


@pytest.mark.parametrize(
    "arguments",
    [("--speed", "3"), ("--rehearse", "--interruptions", "1", "--hazard", "0.1")],
)
def test_flags_that_make_no_sense_together_are_refused(
    machine: Machine, arguments: tuple[str, ...]
) -> None:
    machine.finsched("launch", gpu_job(machine), *arguments, code=2)


def test_missing_tags_stop_the_launch_before_anything_starts(machine: Machine) -> None:
    machine.settings('required_tags = ["cost-center"]')
    machine.finsched("launch", gpu_job(machine), "--rehearse", code=2)
    assert "cost-center" in machine.errors


@pytest.mark.parametrize(("limit", "code"), [("--max-cost", 4), ("--max-hourly", 4)])
def test_over_a_threshold_nothing_is_launched(machine: Machine, limit: str, code: int) -> None:
    machine.finsched("launch", gpu_job(machine), "--rehearse", limit, "0.01", code=code)


def test_without_a_provider_to_launch_on_the_rehearsal_is_offered(machine: Machine) -> None:
    machine.finsched("launch", gpu_job(machine), code=5)
    assert "--rehearse" in machine.errors


@pytest.mark.slow
def test_a_job_that_wants_spot_alone_is_compared_with_on_demand(machine: Machine) -> None:
    path = Path(gpu_job(machine, STEPS="80"))
    path.write_text(path.read_text() + "capacity: spot\n")
    account = machine.document("launch", path, "--rehearse", *ONCE_LATE)["account"]
    assert float(account["on_demand_usd"]) > 0
