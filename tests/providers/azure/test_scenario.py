"""A job on emulated Azure spot, from the command line to a subscription that holds nothing."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from finsched.model.run import Outcome
from finsched.node.commit_log import CommitLog, Committed
from finsched.node.store import Store
from finsched.testing.azure_blob import FakeAzureBlob

from ...run.conftest import COUNT, Machine  # noqa: TID252 - the one job that counts
from . import cloud
from .cloud import IDENTITY, SUBSCRIPTION, VM
from .conftest import Lab
from .fleet import NODE_TOKEN, Fleet
from .test_permissions import WITHOUT_A_CALL, action

pytestmark = pytest.mark.slow

LAUNCHER_TOKEN = "token-of-the-launcher"
SECRET = "canary-of-a-secret"
STEPS = 500
SIZES = tuple(
    cloud.Size(f"Standard_NC{vcpus}as_T4_v3", "Standard NCASv3_T4 Family", vcpus, 1)
    for vcpus in (4, 8, 16)
)
JOB = f"""
name: count
resources: {{gpu: T4}}
where: {{clouds: [azure], regions: [eastus]}}
capacity: spot
checkpoint: {{path: ckpt, size: 1MB, save_time: 1s, every: 2s, uri: "az://acme/llama"}}
workdir: work
env: {{STEPS: "{STEPS}", PACE: "0.05"}}
secrets: [TOKEN]
run: printf %s "$TOKEN" | sha256sum && python3 count.py
"""


class User(Machine):
    """A person with a subscription at the emulated Azure."""

    def __init__(self, folder: Path, lab: Lab, blobs: FakeAzureBlob) -> None:
        super().__init__(folder)
        self._as_launcher = {**blobs.options, "token": LAUNCHER_TOKEN}
        self.environ |= {
            "FINSCHED_STATE_DIR": str(folder / "state"),
            "FINSCHED_CACHE_DIR": str(folder / "cache"),
            "AZURE_CLIENT_SECRET": "canary-secret",
            "AZURE_STORAGE_ACCOUNT_NAME": blobs.options["account_name"],
            "AZURE_STORAGE_ENDPOINT": blobs.options["endpoint"],
            "AZURE_STORAGE_TOKEN": LAUNCHER_TOKEN,
            "TOKEN": SECRET,
        }
        self.settings(
            'store = "az://acme/runs"\npoll_seconds = 2\n'
            f'[azure]\nsubscription = "{SUBSCRIPTION}"\n'
            f'endpoint = "{lab.arm.url}"\n'
            f'regions = ["eastus"]\nidentity = "{IDENTITY}"\n'
        )
        (folder / "work").mkdir()
        (folder / "work" / "count.py").write_text(COUNT)
        self.job_file = folder / "job.yaml"
        self.write_job()

    def has_committed(self, attempt: int) -> bool:
        """Say whether a checkpoint of an attempt lies in the container."""
        store = Store(self.run().store_uri, self._as_launcher)
        entries = CommitLog(store).entries()
        return any(isinstance(each, Committed) and each.attempt == attempt for each in entries)

    def write_job(self, steps: int = STEPS) -> None:
        """Write a job that counts so far."""
        self.job_file.write_text(JOB.replace(str(STEPS), str(steps)))


@pytest.fixture
def user(lab: Lab, tmp_path: Path) -> Iterator[User]:
    lab.arm.cloud.sizes = SIZES
    blobs = FakeAzureBlob("acme", tokens=(NODE_TOKEN, LAUNCHER_TOKEN))
    yield User(tmp_path, lab, blobs)
    blobs.close()


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


def live_machine(user: User, attempt: int) -> str:
    """Wait until an attempt has a checkpoint in the container, and return its machine."""
    user.wait_for(lambda run: len(run.attempts) >= attempt, seconds=120)
    until(lambda: user.has_committed(attempt))
    run = user.wait_for(lambda run: run.attempts[attempt - 1].instance_ids)
    [instance_id] = run.attempts[attempt - 1].instance_ids
    return instance_id


def let_the_grace_pass(lab: Lab) -> None:
    """Pretend that the machines of now were launched an hour ago."""
    for group in lab.arm.cloud.groups.values():
        if "finsched:launched" in group["tags"]:
            group["tags"]["finsched:launched"] = "2026-01-01T00:00:00+00:00"


@pytest.mark.timeout(600)
def test_a_job_survives_what_azure_does_to_it_and_leaves_nothing(
    lab: Lab, user: User, fleet: Fleet
) -> None:
    lab.deny("ZonalAllocationFailed", "later", zone="1")
    lab.arm.fault("PUT", "/virtualMachines/", after=True)
    launch = user.start("launch", user.job_file, "--json")
    fleet.take_back(live_machine(user, 1))
    fleet.take_back(live_machine(user, 2), notice_seconds=5)
    out, err = launch.communicate(timeout=240)
    assert launch.returncode == 0, err
    document = json.loads(out)
    ends = [each["end"] for each in document["account"]["attempts"]]
    assert ends == ["interrupted", "interrupted", "finished"]
    assert fleet.most_at_once == 1
    counted_on_and_kept_the_secret(user, fleet, lab)
    called = {action(call) for call in lab.arm.calls if "simulate" not in call.path}
    assert not called & WITHOUT_A_CALL
    lab.wait_for_nothing()
    assert user.document("sweep", "azure")["resources"] == []


def counted_on_and_kept_the_secret(user: User, fleet: Fleet, lab: Lab) -> None:
    """Every attempt but the first began where a checkpoint lies, and the count is right."""
    output = user.finsched("logs")
    began = [int(number) for number in re.findall(r"^from (\d+)$", output, re.MULTILINE)]
    assert began[0] == 0
    assert 0 < began[1] < began[2] < STEPS
    assert output.count(f"counted {STEPS}\n") == 1
    assert output.count(hashlib.sha256(SECRET.encode()).hexdigest()) == 3
    scripts = [(each.folder / "user-data").read_text() for each in fleet.machines.values()]
    assert not any(SECRET in script for script in scripts)
    assert SECRET not in str(lab.arm.calls)


def test_a_machine_deletes_itself_where_nobody_watches(lab: Lab, user: User, fleet: Fleet) -> None:
    """The launcher is killed; the node's own deletion takes all that costs with it."""
    user.write_job(steps=60)
    launch = user.start("launch", user.job_file)
    user.wait_for(lambda run: run.attempts and run.attempts[0].instance_ids, seconds=90)
    launch.kill()
    launch.communicate()
    until(lambda: not lab.arm.cloud.of_kind(VM), seconds=120)
    assert {each.split("-")[1] for each in lab.left()} <= {"closed", "network", "count"}
    let_the_grace_pass(lab)
    user.finsched("resume", seconds=150)
    assert user.run().outcome is Outcome.FINISHED
    lab.wait_for_nothing()


def test_a_live_smoke_buys_a_machine_and_leaves_nothing(lab: Lab, user: User, fleet: Fleet) -> None:
    fleet.boot_seconds = 20.0  # its job ends at once, and not before the create call has
    told = user.finsched("check", "azure", "--live-smoke", "--yes", seconds=240)
    assert re.search(r"ok +live smoke", told), told
    assert "at most $" in user.errors
    assert len(fleet.machines) == 1
