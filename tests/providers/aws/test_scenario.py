"""A job on emulated EC2 spot, from the command line to an account that holds nothing of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finsched.model.run import Outcome
from finsched.node.checkpoints.commit_log import CommitLog, Committed
from finsched.node.store import Store
from tests.providers.scenario import (
    CloudUser,
    Place,
    account_of,
    assert_counted_on,
    assert_kept_the_secret,
    kill,
)
from tests.waiting import until

from . import replay
from .conftest import Lab
from .fleet import Fleet
from .test_policy import allowed, called_by_finsched

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]

REGION, CHEAPEST = "us-west-2", "usw2-az3"
SPOT_QUOTA, ON_DEMAND_QUOTA = "L-3819A6DF", "L-DB2E81BA"
ZONES = {f"usw2-az{number}": 0.20 for number in (1, 2, 4)} | {CHEAPEST: 0.10}
PLACE = Place(cloud="aws", gpu="T4", uri="s3://acme-ckpt/llama", access={})
STEPS, GANG_STEPS, NODES = 1000, 600, 4


class User(CloudUser):
    """A person with an account at the emulated AWS, who has just asked for its prices."""

    def __init__(self, folder: Path, lab: Lab, replay_url: str) -> None:
        super().__init__(folder, PLACE, STEPS, AWS_ENDPOINT_URL=replay_url)
        self._aws = (
            f'[aws]\nregions = ["{REGION}"]\ninstance_profile = "finsched-node"\n'
            f'spot_advisor_url = "{replay_url}/spot-advisor-data.json"\n'
        )
        self.configure()
        self.finsched("catalog", "refresh", "aws")
        self.environ["AWS_ENDPOINT_URL"] = lab.url

    def configure(self, more: str = "") -> None:
        """Write the settings."""
        self.settings(f"poll_seconds = 2\n{more}\n{self._aws}")


@pytest.fixture
def user(lab: Lab, replay_url: str, tmp_path: Path) -> Iterator[User]:
    lab.make_role()
    lab.client("s3", "us-east-1").create_bucket(Bucket="acme-ckpt")
    lab("quota", code=SPOT_QUOTA, value=64)
    prices = {f"{REGION}/{zone}/g4dn.xlarge": usd for zone, usd in ZONES.items()}
    replay.STATE.__init__(regions=[REGION], machines=["g4dn.xlarge"], prices=prices)  # type: ignore[misc]
    user = User(tmp_path, lab, replay_url)
    yield user
    user.leave()


@pytest.fixture
def fleet(lab: Lab, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(lab, tmp_path / "machines")
    yield fleet
    fleet.close()


def what_is_left(lab: Lab) -> dict[str, list[Any]]:
    """Return all that costs or hides something, whoever it belongs to."""
    ec2, ssm = lab.client(region=REGION), lab.client("ssm", REGION)
    requests = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    return {
        "machines": [
            each for each in lab.instances(REGION) if each["State"]["Name"] != "terminated"
        ],
        "volumes": ec2.describe_volumes()["Volumes"],
        "requests": [each for each in requests if each["State"] in {"open", "active"}],
        "interfaces": ec2.describe_network_interfaces()["NetworkInterfaces"],
        "addresses": ec2.describe_addresses()["Addresses"],
        "secrets": ssm.describe_parameters()["Parameters"],
    }


def test_a_job_survives_what_aws_does_to_it_and_leaves_nothing(
    lab: Lab, user: User, fleet: Fleet
) -> None:
    full = {"instance_type": "g4dn.xlarge", "code": "InsufficientInstanceCapacity"}
    lab("deny", zone=CHEAPEST, **full)
    lab("fault", operation="RunInstances", after=1, hang_seconds=22)
    launch = user.start("launch", user.job_file, "--json")
    fleet.take_back(user.machine_of(2))
    fleet.take_back(user.machine_of(3), notice_seconds=30)
    user.go_ahead_after(3)
    account = account_of(launch)
    assert [(each["zone"], each["end"]) for each in account["attempts"]] == [
        (CHEAPEST, "not_launched"),
        ("usw2-az1", "interrupted"),
        ("usw2-az2", "interrupted"),
        ("usw2-az4", "finished"),
    ]
    assert "InsufficientInstanceCapacity" in account["attempts"][0]["detail"]
    assert [each["billed_seconds"] > 0 for each in account["attempts"]] == [False] + [True] * 3
    assert len(fleet.machines) == 3, "a call whose answer was lost has made one machine"
    assert fleet.most_at_once == 1
    assert called_by_finsched(lab) <= allowed()
    assert_counted_on(user, attempts=3)
    assert_kept_the_secret(user, fleet, attempts=3)
    assert not any(what_is_left(lab).values())
    assert_swept(user)


def assert_swept(user: User) -> None:
    """Nothing is left but, once it was made, the group that all runs of the installation share."""
    left = user.document("sweep", "aws")["resources"]
    told = {(each["kind"], each["run"], each["fate"]) for each in left}
    assert told <= {("security-group", None, "kept")}


KILLED_IN = ["CreateSecurityGroup", "PutParameter", "RunInstances"]


def kill_in(operation: str, lab: Lab, launch: subprocess.Popen[str]) -> None:
    """Kill finsched once AWS has done an operation whose answer is still out."""
    until(lambda: lab("hanging"))
    assert lab.calls(operation)
    kill(launch)


@pytest.mark.parametrize("operation", KILLED_IN)
def test_a_launch_that_is_killed_is_resumed_with_one_machine_at_a_time(
    lab: Lab, user: User, fleet: Fleet, operation: str
) -> None:
    user.write_job(60)
    lab("fault", operation=operation, hang_seconds=60)
    kill_in(operation, lab, user.start("launch", user.job_file))
    user.finsched("resume", seconds=150)
    assert user.run().outcome is Outcome.FINISHED
    assert user.finsched("logs").count("counted 60\n") == 1
    assert len(fleet.machines) == len(lab.instances(REGION)) == 1
    user.finsched("sweep", "aws", "--run", user.run().id, "--apply")
    assert not any(what_is_left(lab).values())
    assert_swept(user)


@pytest.mark.parametrize("operation", KILLED_IN)
def test_a_launch_that_is_killed_and_given_up_leaves_nothing(
    lab: Lab, user: User, fleet: Fleet, operation: str
) -> None:
    lab("fault", operation=operation, hang_seconds=60)
    kill_in(operation, lab, user.start("launch", user.job_file))
    assert any(what_is_left(lab).values())
    user.finsched("sweep", "aws", "--run", user.run().id, "--apply")
    assert not any(what_is_left(lab).values())
    until(lambda: fleet.is_off)
    assert_swept(user)


def test_a_run_that_lost_its_supervisor_is_stopped_and_goes_on_from_there(
    lab: Lab, user: User, fleet: Fleet
) -> None:
    user.write_job(200)
    launch = user.start("launch", user.job_file)
    user.machine_of(1)
    kill(launch)
    user.finsched("stop", seconds=150)
    assert user.run().outcome is Outcome.STOPPED
    assert not any(what_is_left(lab).values())
    user.finsched("resume", seconds=150)
    first, second = user.began_at()
    assert first == 0 < second < 200
    assert user.finsched("logs").count("counted 200\n") == 1
    assert len(fleet.machines) == 2
    assert not any(what_is_left(lab).values())
    assert_swept(user)


def test_an_end_that_is_killed_is_made_by_a_sweep(lab: Lab, user: User, fleet: Fleet) -> None:
    user.write_job(STEPS, DEAF="1")  # or its machine ends by itself, before anybody ends it
    launch = user.start("launch", user.job_file)
    user.machine_of(1)
    lab("fault", operation="TerminateInstances", hang_seconds=60)
    for _ in range(2):
        launch.send_signal(signal.SIGINT)
        time.sleep(0.5)
    kill_in("TerminateInstances", lab, launch)
    user.finsched("sweep", "aws", "--run", user.run().id, "--apply")
    assert not any(what_is_left(lab).values())
    assert_swept(user)


def test_a_live_smoke_buys_a_machine_and_leaves_nothing(lab: Lab, user: User, fleet: Fleet) -> None:
    lab("quota", code=ON_DEMAND_QUOTA, value=64)
    user.configure('store = "s3://acme-ckpt/smoke"')
    told = user.finsched("check", "aws", "--live-smoke", "--yes", seconds=200)
    assert re.search(r"ok +live smoke", told), told
    assert "at most $" in user.errors
    assert len(fleet.machines) == 1
    assert not any(what_is_left(lab).values())
    assert_swept(user)


def test_four_nodes_survive_the_same_and_leave_nothing(lab: Lab, user: User, fleet: Fleet) -> None:
    user.write_gang_job(NODES, GANG_STEPS)
    full = {"instance_type": "g4dn.xlarge", "code": "InsufficientInstanceCapacity"}
    lab("deny", zone=CHEAPEST, **full)
    lab("fault", operation="RunInstances", after=1, hang_seconds=22)
    launch = user.start("launch", user.job_file, "--json")
    machines = user.machines_of(2)
    until(lambda: not what_is_left(lab)["secrets"], seconds=20)
    fleet.take_back(machines[3])
    fleet.take_back(user.machines_of(3)[1], notice_seconds=30)
    account = account_of(launch)
    assert [(each["zone"], each["end"]) for each in account["attempts"]] == [
        (CHEAPEST, "not_launched"),
        ("usw2-az1", "interrupted"),
        ("usw2-az2", "interrupted"),
        ("usw2-az4", "finished"),
    ]
    assert len(fleet.machines) == 3 * NODES, "a call whose answer was lost has made one gang"
    assert fleet.most_at_once == NODES
    all_shards_are_of_one_step(user)
    assert_kept_the_secret(user, fleet, attempts=3, node=3)
    assert called_by_finsched(lab) <= allowed()
    assert not any(what_is_left(lab).values())
    user.finsched("sweep", "aws", "--run", user.run().id, "--apply")
    assert_swept(user)


def all_shards_are_of_one_step(user: User) -> None:
    """Every commit holds the same step of each node, and the last one is the end of the work."""
    store = Store(user.run().store_uri)
    entries = [each for each in CommitLog(store).entries() if isinstance(each, Committed)]
    steps = [{json.loads(store.get(file.key))["step"] for file in entries[-1].files}]
    assert sorted(file.name for file in entries[-1].files) == [
        f"shard-{rank}.json" for rank in range(NODES)
    ]
    assert steps == [{GANG_STEPS}]
    resumed = re.findall(r"^resumes (.*)$", user.finsched("logs"), re.MULTILINE)
    assert len(resumed) == 2
    assert all(len(set(json.loads(each))) == 1 for each in resumed)
