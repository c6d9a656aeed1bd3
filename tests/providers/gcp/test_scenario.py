"""A job on emulated spot machines of Google, from the command line to a project without it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from finsched.model.run import Outcome
from finsched.node.commit_log import CommitLog, Committed
from finsched.node.store import Store
from finsched.testing.gcs import FakeGcs

from ...run.conftest import COUNT, Machine  # noqa: TID252 - the one job that counts
from ..local.test_gang import TRAIN, free_port  # noqa: TID252 - the one that counts together
from .conftest import Lab
from .fleet import Fleet
from .gce import NODE_ACCOUNT, PROJECT
from .gce_http import MACHINES_TOKEN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECRET = "canary-of-a-secret"
LAUNCHERS_TOKEN = "token-of-the-launcher"
STEPS, NODES = 1000, 3
JOB = f"""
name: count
resources: {{gpu: L4}}
where: {{clouds: [gcp]}}
capacity: spot
checkpoint: {{path: ckpt, size: 1MB, save_time: 1s, every: 2s, uri: "gs://acme-ckpt/llama"}}
workdir: work
env: {{STEPS: "{STEPS}", PACE: "0.05"}}
secrets: [TOKEN]
run: printf %s "$TOKEN" | sha256sum && python3 count.py
"""


class User(Machine):
    """A person with a project at the emulated Google, and a bucket."""

    def __init__(self, folder: Path, lab: Lab, bucket: FakeGcs) -> None:
        super().__init__(folder)
        self.environ |= {
            "FINSCHED_STATE_DIR": str(folder / "state"),
            "FINSCHED_CACHE_DIR": str(folder / "cache"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "GOOGLE_BASE_URL": bucket.address,
            "GOOGLE_BEARER_TOKEN": LAUNCHERS_TOKEN,
            "TOKEN": SECRET,
        }
        self.settings(
            f'poll_seconds = 2\n[gcp]\nproject = "{PROJECT}"\nregions = ["us-central1"]\n'
            f'service_account = "{NODE_ACCOUNT}"\nendpoint = "{lab.url}"\n'
        )
        (folder / "work").mkdir()
        (folder / "work" / "count.py").write_text(COUNT)
        self.job_file = folder / "job.yaml"
        self.write_job()

    def write_job(self, steps: int = STEPS) -> None:
        """Write a job that counts so far."""
        self.job_file.write_text(JOB.replace(str(STEPS), str(steps)))

    def write_gang_job(self) -> None:
        """Write a job of several nodes that count in lock step, each with a shard of its own."""
        (self.folder / "work" / "train.py").write_text(TRAIN)
        text = JOB.replace("gpu: L4", f"gpu: L4, nodes: {NODES}").replace("count.py", "train.py")
        variables = (
            f'env: {{STEPS: "400", PACE: "0.05", EVERY: "40", MASTER_PORT: "{free_port()}"}}'
        )
        self.job_file.write_text(re.sub("^env: .*$", variables, text, flags=re.MULTILINE))

    def commits(self, attempt: int) -> list[Committed]:
        """Return the checkpoints of an attempt as they lie in the bucket."""
        options = {"base_url": self.environ["GOOGLE_BASE_URL"], "allow_http": True}
        store = Store(self.run().store_uri, {**options, "bearer_token": LAUNCHERS_TOKEN})
        entries = CommitLog(store).entries()
        return [each for each in entries if isinstance(each, Committed) and each.attempt == attempt]

    def machines_of(self, attempt: int) -> list[str]:
        """Wait until an attempt has a checkpoint in the bucket, and return its machines."""
        self.wait_for(lambda run: len(run.attempts) >= attempt, seconds=120)
        until(lambda: self.commits(attempt))
        run = self.wait_for(lambda run: run.attempts[attempt - 1].instance_ids)
        return list(run.attempts[attempt - 1].instance_ids)


@pytest.fixture
def bucket() -> Iterator[FakeGcs]:
    server = FakeGcs("acme-ckpt", tokens=(MACHINES_TOKEN, LAUNCHERS_TOKEN))
    yield server
    server.close()


@pytest.fixture
def user(lab: Lab, bucket: FakeGcs, tmp_path: Path) -> User:
    return User(tmp_path, lab, bucket)


@pytest.fixture
def fleet(lab: Lab, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(lab, tmp_path / "machines")
    yield fleet
    fleet.close()


def until(condition: Callable[[], Any], seconds: float = 90) -> Any:
    give_up_at = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < give_up_at, "this has not come true"
        time.sleep(0.1)
    return found


def account_of(launch: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = launch.communicate(timeout=240)
    assert launch.returncode == 0, err
    document = json.loads(out)
    assert document["outcome"] == "finished"
    account: dict[str, Any] = document["account"]
    return account


def assert_nothing_is_left(lab: Lab, user: User, bucket: FakeGcs) -> None:
    """No machine, disk or secret; of the rules only the one that all runs share."""
    until(lambda: not lab.instances())
    assert not lab.gce.resources["disks"]
    assert not [key for _, key in bucket.objects if "secret" in key]
    left = user.document("sweep", "gcp")["resources"]
    told = {(each["kind"], each["run"], each["fate"]) for each in left}
    assert told <= {("firewall", None, "kept")}


def test_a_job_survives_what_google_does_to_it_and_leaves_nothing(
    lab: Lab, user: User, fleet: Fleet, bucket: FakeGcs
) -> None:
    lab.sell_out("us-central1-a")
    lab.cloud.fault("instances.insert", hang_seconds=22, place="us-central1-b")
    launch = user.start("launch", user.job_file, "--json")
    [taken] = user.machines_of(2)
    fleet.take_back(taken)
    [warned] = user.machines_of(3)
    fleet.take_back(warned, notice_seconds=30)
    account = account_of(launch)
    full = [each for each in account["attempts"] if each["end"] == "not_launched"]
    made = [each for each in account["attempts"] if each not in full]
    assert account["attempts"][0] in full
    assert all("ZONE_RESOURCE_POOL_EXHAUSTED" in each["detail"] for each in full)
    assert {each["billed_seconds"] for each in full} == {0}
    assert [each["end"] for each in made] == ["interrupted", "interrupted", "finished"]
    assert all(each["billed_seconds"] > 0 for each in made)
    assert len(fleet.machines) == 3, "a call whose answer was lost has made one machine"
    assert fleet.most_at_once == 1
    output = user.finsched("logs")
    began = [int(number) for number in re.findall(r"^from (\d+)$", output, re.MULTILINE)]
    assert began[0] == 0 < began[1] < began[2] < STEPS
    assert output.count(f"counted {STEPS}\n") == 1
    assert output.count(hashlib.sha256(SECRET.encode()).hexdigest()) == 3
    assert not any(SECRET in json.dumps(call.body) for call in lab.cloud.calls)
    assert_nothing_is_left(lab, user, bucket)


def kill_in(call: str, lab: Lab, launch: subprocess.Popen[str]) -> None:
    """Kill finsched once Google has done something whose answer is still out."""
    until(lambda: lab.cloud.hanging)
    assert lab.cloud.named(call)
    launch.kill()
    launch.communicate()


def test_a_launch_that_is_killed_is_resumed_with_one_machine_at_a_time(
    lab: Lab, user: User, fleet: Fleet, bucket: FakeGcs
) -> None:
    user.write_job(steps=60)
    lab.cloud.fault("instances.insert", hang_seconds=60)
    kill_in("instances.insert", lab, user.start("launch", user.job_file))
    user.finsched("resume", seconds=150)
    assert user.run().outcome is Outcome.FINISHED
    assert user.finsched("logs").count("counted 60\n") == 1
    assert len(fleet.machines) == 1
    user.finsched("sweep", "gcp", "--run", user.run().id, "--apply")
    assert_nothing_is_left(lab, user, bucket)


@pytest.mark.parametrize(
    ("call", "nodes"), [("firewalls.insert", 1), ("instances.insert", 1), ("instances.insert", 3)]
)
def test_a_launch_that_is_killed_and_given_up_leaves_nothing(
    lab: Lab, user: User, fleet: Fleet, call: str, nodes: int
) -> None:
    """A gang is killed when one of three machines is made."""
    if nodes > 1:
        user.write_gang_job()
    lab.cloud.fault(call, hang_seconds=60)
    kill_in(call, lab, user.start("launch", user.job_file))
    assert len(lab.instances()) == (call == "instances.insert")
    user.finsched("sweep", "gcp", "--run", user.run().id, "--apply")
    until(lambda: all(machine.is_off for machine in fleet.machines.values()))
    until(lambda: not lab.instances())
    assert not lab.gce.resources["disks"]


def test_a_gang_survives_an_interruption_of_one_and_leaves_nothing(
    lab: Lab, user: User, fleet: Fleet, bucket: FakeGcs
) -> None:
    user.write_gang_job()
    launch = user.start("launch", user.job_file, "--json")
    machines = user.machines_of(1)
    assert len(machines) == NODES
    fleet.take_back(machines[1])
    account = account_of(launch)
    assert [each["end"] for each in account["attempts"]] == ["interrupted", "finished"]
    assert fleet.most_at_once == NODES
    user.finsched("sweep", "gcp", "--run", user.run().id, "--apply")
    assert_nothing_is_left(lab, user, bucket)


def test_a_live_smoke_buys_a_machine_and_leaves_nothing(
    lab: Lab, user: User, fleet: Fleet, bucket: FakeGcs
) -> None:
    text = (user.folder / "config.toml").read_text()
    user.settings(f'store = "gs://acme-ckpt/smoke"\n{text}')
    told = user.finsched("check", "gcp", "--live-smoke", "--yes", seconds=200)
    assert re.search(r"ok +live smoke", told), told
    assert len(fleet.machines) == 1
    assert_nothing_is_left(lab, user, bucket)
