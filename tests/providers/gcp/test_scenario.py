"""A job on emulated spot machines of Google, from the command line to a project without it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from finsched.model.run import Outcome
from finsched.testing.gcs import FakeGcs
from tests.providers.scenario import (
    SECRET,
    CloudUser,
    Place,
    account_of,
    assert_counted_on,
    assert_kept_the_secret,
    kill,
)
from tests.waiting import until

from .conftest import Lab
from .fleet import Fleet
from .gce import NODE_ACCOUNT, PROJECT
from .gce_http import MACHINES_TOKEN

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]

LAUNCHERS_TOKEN = "token-of-the-launcher"
STEPS, GANG_STEPS, NODES = 1000, 400, 3


class User(CloudUser):
    """A person with a project at the emulated Google, and a bucket."""

    def __init__(self, folder: Path, lab: Lab, bucket: FakeGcs) -> None:
        address = bucket.address
        access = {"base_url": address, "allow_http": True, "bearer_token": LAUNCHERS_TOKEN}
        super().__init__(
            folder,
            Place(cloud="gcp", gpu="L4", uri="gs://acme-ckpt/llama", access=access),
            STEPS,
            GOOGLE_BASE_URL=address,
            GOOGLE_BEARER_TOKEN=LAUNCHERS_TOKEN,
        )
        self.configure(lab)

    def configure(self, lab: Lab, more: str = "") -> None:
        """Write the settings."""
        self.settings(
            f'poll_seconds = 2\n{more}\n[gcp]\nproject = "{PROJECT}"\nregions = ["us-central1"]\n'
            f'service_account = "{NODE_ACCOUNT}"\nendpoint = "{lab.url}"\n'
        )


@pytest.fixture
def bucket() -> Iterator[FakeGcs]:
    server = FakeGcs("acme-ckpt", tokens=(MACHINES_TOKEN, LAUNCHERS_TOKEN))
    yield server
    server.close()


@pytest.fixture
def user(lab: Lab, bucket: FakeGcs, tmp_path: Path) -> Iterator[User]:
    user = User(tmp_path, lab, bucket)
    yield user
    user.leave()


@pytest.fixture
def fleet(lab: Lab, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(lab, tmp_path / "machines")
    yield fleet
    fleet.close()


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
    fleet.take_back(user.machine_of(2))
    fleet.take_back(user.machine_of(3), notice_seconds=30)
    user.go_ahead_after(3)
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
    assert_counted_on(user, attempts=3)
    assert_kept_the_secret(user, fleet, attempts=3)
    assert not any(SECRET in json.dumps(call.body) for call in lab.cloud.calls)
    assert_nothing_is_left(lab, user, bucket)


def kill_in(call: str, lab: Lab, launch: subprocess.Popen[str]) -> None:
    """Kill finsched once Google has done something whose answer is still out."""
    until(lambda: lab.cloud.hanging)
    assert lab.cloud.named(call)
    kill(launch)


def test_a_launch_that_is_killed_is_resumed_with_one_machine_at_a_time(
    lab: Lab, user: User, fleet: Fleet, bucket: FakeGcs
) -> None:
    user.write_job(60)
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
        user.write_gang_job(NODES, GANG_STEPS)
    lab.cloud.fault(call, hang_seconds=60)
    kill_in(call, lab, user.start("launch", user.job_file))
    assert len(lab.instances()) == (call == "instances.insert")
    user.finsched("sweep", "gcp", "--run", user.run().id, "--apply")
    until(lambda: fleet.is_off)
    until(lambda: not lab.instances())
    assert not lab.gce.resources["disks"]


def test_a_gang_survives_an_interruption_of_one_and_leaves_nothing(
    lab: Lab, user: User, fleet: Fleet, bucket: FakeGcs
) -> None:
    user.write_gang_job(NODES, GANG_STEPS)
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
    user.configure(lab, 'store = "gs://acme-ckpt/smoke"')
    told = user.finsched("check", "gcp", "--live-smoke", "--yes", seconds=200)
    assert re.search(r"ok +live smoke", told), told
    assert len(fleet.machines) == 1
    assert_nothing_is_left(lab, user, bucket)
