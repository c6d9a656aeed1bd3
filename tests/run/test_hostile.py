"""Jobs and disks that misbehave, through the real command line: each ends as the contract says."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from finsched.ledger import Ledger
from finsched.model.event import Warned
from finsched.model.run import AttemptEnd, Outcome

from .conftest import Machine

pytestmark = pytest.mark.slow


def warnings(machine: Machine) -> list[str]:
    ledger = Ledger(machine.state_dir / "ledger.sqlite")
    records = ledger.records(machine.run().id)
    return [record.event.text for record in records if isinstance(record.event, Warned)]


def stopped_after_two_commits(machine: Machine) -> Path:
    """Start the counter, stop it after its second commit, and return the run's store."""
    job = machine.job(STEPS="200")
    job.write_text(job.read_text().replace("every: 10s", "every: 1s"))
    process = machine.start("launch", job)
    machine.wait_for(lambda run: len(run.checkpoints) >= 2)
    machine.finsched("stop")
    process.communicate(timeout=30)
    return Path(machine.run().store_uri.removeprefix("file://"))


def test_a_checkpoint_cut_in_half_falls_back_to_the_one_before(machine: Machine) -> None:
    store = stopped_after_two_commits(machine)
    entries = [json.loads(path.read_text()) for path in sorted((store / "log").iterdir())]
    commits = [entry for entry in entries if entry["kind"] == "committed"]
    part = store / commits[-1]["files"][0]["key"]
    part.write_bytes(part.read_bytes()[:5])
    process = machine.start("resume")
    run = machine.wait_for(lambda run: run.attempts[-1].restore and len(run.attempts) == 2)
    restore = run.attempts[1].restore
    assert restore is not None
    assert restore.damaged == 1
    assert restore.progress == commits[-2]["progress"]
    assert any("falling back" in text for text in warnings(machine))
    machine.finsched("stop")
    process.communicate(timeout=30)


def test_a_job_that_ignores_the_signal_is_ended_and_its_commits_stay(machine: Machine) -> None:
    deaf = "'trap \"\" TERM; echo 1 > $FINSCHED_CHECKPOINT_DIR/one; while :; do sleep 1; done'"
    process = machine.start("launch", machine.job(run=deaf))
    machine.wait_for(lambda run: run.checkpoints)
    began = time.monotonic()
    machine.finsched("stop")
    assert time.monotonic() - began < 60, "the job itself never ends"
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert machine.run().checkpoints


def test_a_daemon_of_the_job_does_not_outlive_it(machine: Machine) -> None:
    forked = "'setsid sh -c \"trap : TERM HUP; sleep 600; sleep 600\" & sleep 0.5; echo gone'"
    machine.finsched("launch", machine.job(run=forked))
    assert not machine.processes()


def test_a_job_that_keeps_nothing_is_said_aloud(machine: Machine) -> None:
    job = machine.job(run="sleep 10")
    job.write_text(job.read_text().replace("every: 10s", "every: 1s"))
    machine.finsched("launch", job)
    assert any("nothing was kept" in text for text in warnings(machine))


def tiny_disk(
    machine: Machine, *arguments: str | Path, at: Path
) -> subprocess.CompletedProcess[str]:
    """Run a finsched command in a mount namespace where one folder is a disk of one MiB."""
    at.mkdir(parents=True, exist_ok=True)
    mount = f'mount -t tmpfs -o size=1m tiny "{at}" && exec "$@"'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh"]
    if os.geteuid() == 0:
        command.remove("--map-root-user")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], check=False).returncode
    ):
        pytest.skip("this machine allows no mount namespace, so there is no small disk to fill")
    return subprocess.run(
        [*command, *machine.command(*arguments)],
        env={**os.environ, **machine.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


FAT = "'head -c 4000000 /dev/urandom > $FINSCHED_CHECKPOINT_DIR/fat; sleep 1'"


def test_a_full_store_ends_with_exit_1_and_says_so(machine: Machine, tmp_path: Path) -> None:
    machine.settings("lease_seconds = 10")
    job = machine.job(run=FAT)
    ended = tiny_disk(machine, "launch", job, "--store", tmp_path / "full", at=tmp_path / "full")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert "no space left" in ended.stderr
    run = machine.run()
    assert run.outcome is Outcome.BROKEN
    assert {attempt.end for attempt in run.attempts} == {AttemptEnd.NODE_FAILED}


def test_a_full_state_disk_leaves_nothing_running(machine: Machine) -> None:
    filler = "'head -c 4000000 /dev/zero > fat; python count.py'"
    job = machine.job(run=filler)
    ended = tiny_disk(machine, "launch", job, at=machine.folder / "state")
    assert ended.returncode in {1, 6}, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_ledger_that_breaks_ends_the_run_with_its_work_kept(machine: Machine) -> None:
    process = machine.start("launch", machine.job(STEPS="2000"))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    store = Path(machine.run().store_uri.removeprefix("file://"))
    for file in machine.state_dir.glob("ledger.sqlite*"):
        file.unlink()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1, out + err
    assert "the ledger" in err
    assert "Traceback" not in err
    kinds = [json.loads(path.read_text())["kind"] for path in sorted((store / "log").iterdir())]
    assert kinds[-1] == "committed"


def test_a_machine_that_its_provider_forgot_does_not_hold_the_launcher(machine: Machine) -> None:
    machine.settings("lease_seconds = 10")
    process = machine.start("launch", machine.job(STEPS="2000"))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    shutil.rmtree(machine.state_dir / "local", ignore_errors=True)
    run = machine.wait_for(lambda run: run.attempts[0].end, seconds=40)
    assert run.attempts[0].end is AttemptEnd.NODE_FAILED
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def test_a_closed_terminal_saves_and_stops(machine: Machine) -> None:
    process = machine.start("launch", machine.job(STEPS="2000"))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=30)
    assert machine.run().outcome is Outcome.STOPPED
    assert machine.run().checkpoints
