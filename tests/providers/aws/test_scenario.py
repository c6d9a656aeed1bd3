"""A job on emulated EC2 spot, from the command line to an account that holds nothing of it."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from finsched.model.run import Outcome
from finsched.node.commit_log import CommitLog, Committed
from finsched.node.store import Store

from ...run.conftest import COUNT, Machine  # noqa: TID252 - the one job that counts
from ..local.test_gang import TRAIN, free_port  # noqa: TID252 - the one that counts together
from . import replay
from .conftest import Lab
from .fleet import Fleet
from .test_policy import allowed, called_by_finsched

pytestmark = pytest.mark.slow

REGION, CHEAPEST = "us-west-2", "usw2-az3"
SPOT_QUOTA, ON_DEMAND_QUOTA = "L-3819A6DF", "L-DB2E81BA"
ZONES = {f"usw2-az{number}": 0.20 for number in (1, 2, 4)} | {CHEAPEST: 0.10}
SECRET = "canary-of-a-secret"
STEPS, NODES = 1000, 4
JOB = f"""
name: count
resources: {{gpu: T4}}
where: {{clouds: [aws]}}
capacity: spot
checkpoint: {{path: ckpt, size: 1MB, save_time: 1s, every: 2s, uri: "s3://acme-ckpt/llama"}}
workdir: work
env: {{STEPS: "{STEPS}", PACE: "0.05"}}
secrets: [TOKEN]
run: printf %s "$TOKEN" | sha256sum && python3 count.py
"""


class User(Machine):
    """A person with an account at the emulated AWS, who has just asked for its prices."""

    def __init__(self, folder: Path, lab: Lab, replay_url: str) -> None:
        super().__init__(folder)
        self.environ |= {
            "FINSCHED_STATE_DIR": str(folder / "state"),
            "FINSCHED_CACHE_DIR": str(folder / "cache"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "AWS_ENDPOINT_URL": replay_url,
            "TOKEN": SECRET,
        }
        self._aws = (
            f'[aws]\nregions = ["{REGION}"]\ninstance_profile = "finsched-node"\n'
            f'spot_advisor_url = "{replay_url}/spot-advisor-data.json"\n'
        )
        self.configure()
        (folder / "work").mkdir()
        (folder / "work" / "count.py").write_text(COUNT)
        self.job_file = folder / "job.yaml"
        self.write_job()
        self.finsched("catalog", "refresh", "aws")
        self.environ["AWS_ENDPOINT_URL"] = lab.url

    def write_gang_job(self) -> None:
        """Write a job of several nodes that count in lock step, each with a shard of its own."""
        (self.folder / "work" / "train.py").write_text(TRAIN)
        text = JOB.replace("gpu: T4", f"gpu: T4, nodes: {NODES}").replace("count.py", "train.py")
        variables = (
            f'env: {{STEPS: "600", PACE: "0.05", EVERY: "40", MASTER_PORT: "{free_port()}"}}'
        )
        self.job_file.write_text(re.sub("^env: .*$", variables, text, flags=re.MULTILINE))

    def configure(self, more: str = "") -> None:
        """Write the settings."""
        self.settings(f"poll_seconds = 2\n{more}\n{self._aws}")

    def write_job(self, steps: int = STEPS) -> None:
        """Write a job that counts so far."""
        self.job_file.write_text(JOB.replace(str(STEPS), str(steps)))

    def commits(self, attempt: int) -> list[Committed]:
        """Return the checkpoints of an attempt as they lie in the bucket."""
        entries = CommitLog(Store(self.run().store_uri)).entries()
        return [each for each in entries if isinstance(each, Committed) and each.attempt == attempt]


@pytest.fixture
def user(lab: Lab, replay_url: str, tmp_path: Path) -> User:
    lab.make_role()
    lab.client("s3", "us-east-1").create_bucket(Bucket="acme-ckpt")
    lab("quota", code=SPOT_QUOTA, value=64)
    prices = {f"{REGION}/{zone}/g4dn.xlarge": usd for zone, usd in ZONES.items()}
    replay.STATE.__init__(regions=[REGION], machines=["g4dn.xlarge"], prices=prices)  # type: ignore[misc]
    return User(tmp_path, lab, replay_url)


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
    """Wait until an attempt has a checkpoint in the bucket, and return its machine."""
    run = user.wait_for(lambda run: len(run.attempts) >= attempt, seconds=120)
    until(lambda: user.commits(attempt))
    run = user.wait_for(lambda run: run.attempts[attempt - 1].instance_ids)
    [instance_id] = run.attempts[attempt - 1].instance_ids
    return instance_id.partition("/")[2]


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


@pytest.mark.timeout(600)
def test_a_job_survives_what_aws_does_to_it_and_leaves_nothing(
    lab: Lab, user: User, fleet: Fleet
) -> None:
    full = {"instance_type": "g4dn.xlarge", "code": "InsufficientInstanceCapacity"}
    lab("deny", zone=CHEAPEST, **full)
    lab("fault", operation="RunInstances", after=1, hang_seconds=22)
    launch = user.start("launch", user.job_file, "--json")
    fleet.take_back(live_machine(user, 2))
    fleet.take_back(live_machine(user, 3), notice_seconds=30)
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
    counted_on_and_kept_the_secret(user, fleet)
    assert not any(what_is_left(lab).values())
    assert_swept(user)


def account_of(launch: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = launch.communicate(timeout=240)
    assert launch.returncode == 0, err
    document = json.loads(out)
    assert document["outcome"] == "finished"
    return document["account"]


def began_at(user: User) -> list[int]:
    """Return how far the count was where each attempt began."""
    told = re.findall(r"^from (\d+)$", user.finsched("logs"), re.MULTILINE)
    return [int(number) for number in told]


def counted_on_and_kept_the_secret(user: User, fleet: Fleet) -> None:
    """Every attempt but the first began where a checkpoint lies, and the count is right."""
    output, began = user.finsched("logs"), began_at(user)
    assert began[0] == 0
    assert 0 < began[1] < began[2] < STEPS
    assert output.count(f"counted {STEPS}\n") == 1
    assert output.count(hashlib.sha256(SECRET.encode()).hexdigest()) == 3
    scripts = [(each.folder / "user-data").read_text() for each in fleet.machines.values()]
    assert not any(SECRET in script for script in scripts)


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
    launch.kill()
    launch.communicate()


@pytest.mark.parametrize("operation", KILLED_IN)
def test_a_launch_that_is_killed_is_resumed_with_one_machine_at_a_time(
    lab: Lab, user: User, fleet: Fleet, operation: str
) -> None:
    user.write_job(steps=60)
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
    until(lambda: all(machine.is_off for machine in fleet.machines.values()))
    assert_swept(user)


def test_a_run_that_lost_its_supervisor_is_stopped_and_goes_on_from_there(
    lab: Lab, user: User, fleet: Fleet
) -> None:
    user.write_job(steps=200)
    launch = user.start("launch", user.job_file)
    live_machine(user, 1)
    launch.kill()
    launch.communicate()
    user.finsched("stop", seconds=150)
    assert user.run().outcome is Outcome.STOPPED
    assert not any(what_is_left(lab).values())
    user.finsched("resume", seconds=150)
    first, second = began_at(user)
    assert first == 0 < second < 200
    assert user.finsched("logs").count("counted 200\n") == 1
    assert len(fleet.machines) == 2
    assert not any(what_is_left(lab).values())
    assert_swept(user)


def test_an_end_that_is_killed_is_made_by_a_sweep(lab: Lab, user: User, fleet: Fleet) -> None:
    launch = user.start("launch", user.job_file)
    live_machine(user, 1)
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


def machines_of(user: User, attempt: int) -> list[str]:
    """Wait until an attempt has a checkpoint of all nodes in the bucket; return its machines."""
    user.wait_for(lambda run: len(run.attempts) >= attempt, seconds=150)
    until(lambda: user.commits(attempt), seconds=150)
    run = user.wait_for(lambda run: run.attempts[attempt - 1].instance_ids)
    return [each.partition("/")[2] for each in run.attempts[attempt - 1].instance_ids]


@pytest.mark.timeout(600)
def test_four_nodes_survive_the_same_and_leave_nothing(lab: Lab, user: User, fleet: Fleet) -> None:
    user.write_gang_job()
    full = {"instance_type": "g4dn.xlarge", "code": "InsufficientInstanceCapacity"}
    lab("deny", zone=CHEAPEST, **full)
    lab("fault", operation="RunInstances", after=1, hang_seconds=22)
    launch = user.start("launch", user.job_file, "--json")
    machines = machines_of(user, 2)
    until(lambda: not what_is_left(lab)["secrets"], seconds=20)
    fleet.take_back(machines[3])
    fleet.take_back(machines_of(user, 3)[1], notice_seconds=30)
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
    assert hashlib.sha256(SECRET.encode()).hexdigest() in user.finsched("logs", "--node", "3")
    scripts = [(each.folder / "user-data").read_text() for each in fleet.machines.values()]
    assert not any(SECRET in script for script in scripts)
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
    assert steps == [{600}]
    resumed = re.findall(r"^resumes (.*)$", user.finsched("logs"), re.MULTILINE)
    assert len(resumed) == 2
    assert all(len(set(json.loads(each))) == 1 for each in resumed)
