"""Real machines on this computer that were left behind: found, explained, ended, never too many."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finsched import plugins, settings
from finsched.ledger import Ledger
from finsched.model.event import AttemptEnded, Ended, Event, Intended, Launched, Submitted
from finsched.model.run import AttemptEnd, AttemptState, Outcome, Run
from finsched.node.mail.orders import OrderBook
from finsched.node.store import Store
from finsched.provider import LaunchRequest, Provider
from finsched.run.home import installation, supervision
from finsched.testing.builders import job as any_job
from finsched.testing.runs import placement
from finsched_local.folder import InstanceFolder
from tests.waiting import until

from .conftest import Machine
from .test_rehearsal import gpu_job

pytestmark = pytest.mark.slow

RUN = "left-000001"
LONG_AGO = timedelta(hours=3)


class Scene:
    """A run that is told to the ledger by hand, with a machine of its own that really works."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        chosen = settings.load(machine.environ)
        self.provider: Provider = plugins.load("local", chosen)
        self.ledger = Ledger(chosen.state_dir / "ledger.sqlite")
        self.installation = installation(chosen.state_dir)
        self.offer = next(iter(self.provider.prices.offers()))

    def store(self, run: str) -> str:
        return (self.machine.folder / "runs" / run).as_uri()

    def tell(self, *events: Event, ago: timedelta = LONG_AGO) -> None:
        for event in events:
            self.ledger.append(RUN, event, datetime.now(UTC) - ago)

    def submitted(self) -> None:
        self.tell(Submitted(job=any_job(name="left"), store_uri=self.store(RUN)))

    def intended(self, attempt: int, ago: timedelta = LONG_AGO) -> None:
        chosen = placement(self.offer)
        token = f"{RUN}-{attempt}"
        self.tell(
            Intended(attempt=attempt, token=token, provider="local", placement=chosen), ago=ago
        )

    def started(self, attempt: int, run: str = RUN) -> str:
        """Start a machine that works for an hour, whatever the ledger says; return its id."""
        assert self.provider.compute
        [made] = self.provider.compute.launch(self._request(attempt, run))
        return made.id

    def launched(self, attempt: int, ago: timedelta = LONG_AGO) -> str:
        self.intended(attempt, ago)
        own = self.started(attempt)
        billing_from = datetime.now(UTC) - ago
        self.tell(Launched(attempt=attempt, instance_ids=(own,), billing_from=billing_from))
        return own

    def ended(self, attempt: int, ago: timedelta = LONG_AGO) -> None:
        self.tell(AttemptEnded(attempt=attempt, end=AttemptEnd.INTERRUPTED), ago=ago)

    def run(self) -> Run:
        return self.ledger.run(RUN)

    def _request(self, attempt: int, run: str) -> LaunchRequest:
        document = {
            "run": run,
            "attempt": attempt,
            "store_uri": self.store(run),
            "store_options": {},
            "run_command": "sleep 3600",
            "lease_seconds": 3600,
            "reserve_seconds": 2,
            "poll_seconds": 0.05,
            "checkpoint": None,
            "secret_names": [],
        }
        return LaunchRequest(
            token=f"{run}-{attempt}",
            installation=self.installation,
            run=run,
            attempt=attempt,
            offer=self.offer,
            nodes=1,
            node_config=document,
        )


@pytest.fixture
def scene(machine: Machine) -> Scene:
    return Scene(machine)


def fates(document: Any) -> dict[str, str]:
    return {each["id"]: each["fate"] for each in document["resources"]}


def intent_only(scene: Scene) -> str:
    scene.intended(1)
    return scene.started(1)


def unwatched(scene: Scene) -> str:
    return scene.launched(1)


def ended_attempt(scene: Scene) -> str:
    own = scene.launched(1)
    scene.ended(1)
    return own


def ended_run(scene: Scene) -> str:
    own = ended_attempt(scene)
    scene.tell(Ended(outcome=Outcome.FINISHED))
    return own


def unknown_attempt(scene: Scene) -> str:
    return scene.started(5)


@pytest.mark.parametrize(
    "left_behind", [intent_only, unwatched, ended_attempt, ended_run, unknown_attempt]
)
def test_what_was_left_behind_is_found_told_and_ended(
    scene: Scene, left_behind: Callable[[Scene], str]
) -> None:
    machine = scene.machine
    scene.submitted()
    own = left_behind(scene)
    assert fates(machine.document("sweep")) == {own: "orphan"}
    assert machine.processes()
    [done] = machine.document("sweep", "--apply")["resources"]
    assert (done["id"], done["deleted"], done["problem"]) == (own, True, None)
    assert not machine.processes()
    assert fates(machine.document("sweep")) == {}
    assert "nothing is left over" in machine.finsched("sweep", "--apply")
    assert not scene.run().live_attempts
    assert f"sweep deletes the instance {own}" in machine.finsched("status", RUN, "--why")


def test_an_attempt_that_a_sweep_ends_is_billed_until_its_machine_ended(scene: Scene) -> None:
    scene.submitted()
    unwatched(scene)
    scene.machine.finsched("sweep", "--apply")
    [attempt] = scene.run().attempts
    assert attempt.end is AttemptEnd.STOPPED
    assert attempt.ended_at is not None
    assert datetime.now(UTC) - attempt.ended_at < timedelta(seconds=30)
    assert scene.run().outcome is None


def test_what_the_ledger_does_not_know_is_shown_and_never_ended(scene: Scene) -> None:
    foreign = scene.started(1, run="elsewhere-000002")
    document = scene.machine.document("sweep", "--apply")
    assert fates(document) == {foreign: "foreign"}
    schema = json.loads(scene.machine.finsched("schema", "sweep"))
    jsonschema.validate(document, schema, format_checker=jsonschema.FormatChecker())
    assert "never deleted" in scene.machine.finsched("sweep", "--apply")
    scene.machine.finsched("sweep", "--run", "elsewhere-000002", "--apply", code=2)
    assert scene.machine.processes()
    end(scene, foreign)


def test_another_installations_machine_is_not_even_shown(scene: Scene) -> None:
    scene.submitted()
    own = ended_run(scene)
    (scene.machine.state_dir / "installation").write_text("finsched-another\n")
    assert fates(scene.machine.document("sweep", "--apply")) == {}
    assert scene.machine.processes()
    end(scene, own)


def test_a_run_that_is_supervised_is_not_touched(scene: Scene) -> None:
    scene.submitted()
    own = ended_run(scene)
    with supervision(scene.machine.state_dir, RUN):
        for arguments in ([], ["--apply"], ["--apply", "--run", RUN]):
            assert fates(scene.machine.document("sweep", *arguments)) == {own: "kept"}
    assert scene.machine.processes()
    scene.machine.finsched("sweep", "--apply")


def test_a_fresh_end_is_left_alone_unless_the_run_is_named(scene: Scene) -> None:
    scene.submitted()
    own = scene.launched(1)
    scene.ended(1, ago=timedelta(seconds=5))
    assert fates(scene.machine.document("sweep", "--apply")) == {own: "kept"}
    assert scene.machine.document("sweep", "--apply", "--run", RUN)["resources"][0]["deleted"]


def test_one_failure_does_not_stop_the_rest(scene: Scene) -> None:
    """A ledger entry that cannot be read protects its run's machine, and only that."""
    scene.submitted()
    own = ended_run(scene)
    unreadable = scene.started(1, run="broken-000003")
    scene.ledger._connection.execute(
        "INSERT INTO events (run, at, kind, body) VALUES ('broken-000003', 'now', 'What', '{}')"
    )
    document = scene.machine.document("sweep", "--apply")
    assert fates(document) == {own: "orphan", unreadable: "kept"}
    assert {each["id"]: each["deleted"] for each in document["resources"]}[own]
    end(scene, unreadable)


def test_an_old_machine_is_kept_as_long_as_its_lease_was_renewed(scene: Scene) -> None:
    scene.submitted()
    own = scene.launched(1)
    orders = OrderBook(Store(scene.store(RUN)), 1)
    now = datetime.now(UTC)
    orders.extend_lease(now + timedelta(minutes=5))
    assert fates(scene.machine.document("sweep", "--apply")) == {own: "kept"}
    orders.extend_lease(now - timedelta(minutes=1))
    assert fates(scene.machine.document("sweep", "--apply")) == {own: "kept"}
    orders.extend_lease(now - timedelta(minutes=3))
    assert fates(scene.machine.document("sweep", "--apply")) == {own: "orphan"}


def test_a_provider_that_cannot_be_asked_is_said_with_exit_5(scene: Scene) -> None:
    scene.submitted()
    gone = Intended(attempt=1, token="t", provider="acme", placement=placement(scene.offer))
    scene.tell(gone)
    document = scene.machine.document("sweep", code=5)
    assert [each["provider"] for each in document["unasked"]] == ["acme"]
    assert "as far as could be asked" in scene.machine.finsched("sweep", code=5)


def test_an_unknown_provider_is_refused(scene: Scene) -> None:
    scene.machine.finsched("sweep", "nimbus", code=2)
    assert "nimbus" in scene.machine.errors


def test_a_live_run_is_kept_and_finishes(machine: Machine, tmp_path: Path) -> None:
    go_ahead = tmp_path / "go-ahead"
    process = machine.start("launch", machine.job(STEPS="600", GO_AHEAD=str(go_ahead)))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    assert set(fates(machine.document("sweep", "--apply")).values()) == {"kept"}
    go_ahead.touch()
    process.communicate(timeout=60)
    assert machine.run().outcome is Outcome.FINISHED
    assert len(machine.run().attempts) == 1
    assert fates(machine.document("sweep", "--apply")) == {}


def test_a_run_whose_launcher_was_killed_is_kept_ended_by_name_and_resumes(
    machine: Machine, tmp_path: Path
) -> None:
    go_ahead = tmp_path / "go-ahead"
    process = machine.start("launch", machine.job(STEPS="600", GO_AHEAD=str(go_ahead)))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    kill(process)
    assert "finsched resume" in machine.finsched("sweep", "--apply")
    assert machine.run().live_attempt
    machine.finsched("sweep", "--run", machine.run().id, "--apply")
    assert not machine.processes()
    assert not machine.run().live_attempts
    go_ahead.touch()
    machine.finsched("resume")
    run = machine.run()
    assert run.outcome is Outcome.FINISHED
    assert [attempt.end for attempt in run.attempts] == [AttemptEnd.STOPPED, AttemptEnd.FINISHED]


def test_a_rehearsals_machine_is_swept_in_its_own_time_and_costs_nothing(machine: Machine) -> None:
    process = machine.start("launch", gpu_job(machine, STEPS="2000"), "--rehearse")
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.started_at)
    kill(process)
    [kept] = machine.document("sweep", "--apply")["resources"]
    assert (kept["fate"], kept["usd_per_month"]) == ("kept", None)
    machine.finsched("sweep", "--apply", "--run", machine.run().id)
    assert not machine.processes()
    run = machine.run()
    assert run.rehearsal
    assert not run.live_attempts
    [attempt] = run.attempts
    assert attempt.started_at
    assert attempt.ended_at
    lived = (attempt.ended_at - attempt.started_at) / run.rehearsal.speed
    assert timedelta() < lived < timedelta(minutes=2)


def test_stores_of_ended_runs_are_listed_and_stay(machine: Machine) -> None:
    machine.finsched("launch", machine.job(STEPS="5"))
    [kept] = machine.document("sweep", "--apply", "--stores")["stores"]
    run = machine.run()
    files = list(Path(run.store_uri.removeprefix("file://")).rglob("*"))
    assert kept["run"] == run.id
    assert kept["size_bytes"] == sum(path.stat().st_size for path in files if path.is_file())
    assert 0 < kept["checkpoint_bytes"] < kept["size_bytes"]
    assert run.store_uri in machine.finsched("sweep", "--stores").replace("\n", "").replace(" ", "")
    assert machine.document("sweep")["stores"] is None
    shutil.rmtree(machine.state_dir / "store")
    assert machine.document("sweep", "--stores")["stores"] == []
    assert not (machine.state_dir / "store").exists()


STEPS: dict[str, Callable[[Run], object]] = {
    "submitted": lambda run: run.submitted_at,
    "intended": lambda run: run.attempts,
    "launched": lambda run: run.attempts and run.attempts[0].state is not AttemptState.INTENDED,
    "started": lambda run: run.attempts and run.attempts[0].started_at,
    "stopping": lambda run: run.stop_requested,
}


@pytest.mark.parametrize("step", STEPS)
def test_a_launcher_killed_at_any_step_leaves_nothing_that_a_sweep_does_not_find(
    machine: Machine, step: str
) -> None:
    seed = int(os.environ.get("FINSCHED_TEST_SEED", random.randrange(10**6)))
    print(f"FINSCHED_TEST_SEED={seed}")
    process = machine.start("launch", machine.job(STEPS="2000"))
    stopping = None
    if step == "stopping":
        machine.wait_for(STEPS["started"])
        stopping = machine.start("stop")
    machine.wait_for(STEPS[step])
    time.sleep(random.Random(seed).uniform(0.0, 0.2))
    for each in filter(None, (process, stopping)):
        kill(each)
    until(lambda: not booting(machine.state_dir))
    found = fates(machine.document("sweep"))
    assert bool(found) or not machine.processes()
    machine.finsched("sweep", "--apply", "--run", machine.run().id)
    assert not machine.processes()
    assert fates(machine.document("sweep")) == {}


def booting(state_dir: Path) -> list[str]:
    """Return the machines that were being made when their launcher died, and soon appear."""
    folders = [InstanceFolder(path) for path in (state_dir / "local").glob("local-*")]
    return [folder.id for folder in folders if is_locked(folder) and not folder.launched]


def is_locked(folder: InstanceFolder) -> bool:
    with folder.lock_if_free() as lock:
        return lock is None


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def end(scene: Scene, own: str) -> None:
    assert scene.provider.compute
    scene.provider.compute.terminate(own)
