"""A person at an emulated cloud, with a job that counts there and is seen from outside."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finsched.node.checkpoints.commit_log import CommitLog, Committed
from finsched.node.store import Store
from tests.ports import free_port
from tests.providers.fleet import Fleet
from tests.providers.local.test_gang import TRAIN
from tests.run.conftest import COUNT, Machine
from tests.waiting import until

SECRET = "canary-of-a-secret"
PACE_SECONDS = 0.05
GANG_EVERY_STEPS = 40
JOB = """
name: count
resources: {{gpu: {gpu}, nodes: {nodes}}}
where: {{clouds: [{cloud}]}}
capacity: spot
checkpoint: {{path: ckpt, size: 1MB, save_time: 1s, every: 2s, uri: "{uri}"}}
workdir: work
env: {env}
secrets: [TOKEN]
run: printf %s "$TOKEN" | sha256sum && python3 {script}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a job runs and keeps its checkpoints; `access` is how a person reaches those."""

    cloud: str
    gpu: str
    uri: str
    access: Mapping[str, str]


class CloudUser(Machine):
    """A person with an account, whose job counts so far: one node, or several in lock step."""

    steps: int
    _launch: subprocess.Popen[str] | None = None

    def __init__(self, folder: Path, place: Place, steps: int, **environ: str) -> None:
        super().__init__(folder)
        self._place = place
        self._go_ahead = folder / "go-ahead"
        self.environ |= {
            "FINSCHED_STATE_DIR": str(folder / "state"),
            "FINSCHED_CACHE_DIR": str(folder / "cache"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "TOKEN": SECRET,
            **environ,
        }
        (folder / "work").mkdir()
        (folder / "work" / "count.py").write_text(COUNT)
        (folder / "work" / "train.py").write_text(TRAIN)
        self.job_file = folder / "job.yaml"
        self.write_job(steps)

    def write_job(self, steps: int, **env: str) -> None:
        """Write a job of one node; it counts slowly until it is told to go ahead."""
        self._write("count.py", 1, steps, GO_AHEAD=str(self._go_ahead), **env)

    def write_gang_job(self, nodes: int, steps: int) -> None:
        """Write a job of several nodes, each with a shard of its own."""
        port = str(free_port())
        self._write("train.py", nodes, steps, EVERY=str(GANG_EVERY_STEPS), MASTER_PORT=port)

    def _write(self, script: str, nodes: int, steps: int, **env: str) -> None:
        self.steps = steps
        env |= {"STEPS": str(steps), "PACE": str(PACE_SECONDS)}
        place = self._place
        text = JOB.format(
            gpu=place.gpu,
            nodes=nodes,
            cloud=place.cloud,
            uri=place.uri,
            env=json.dumps(env),
            script=script,
        )
        self.job_file.write_text(text)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        process = super().start(*arguments)
        if arguments[0] == "launch":
            self._launch = process
        return process

    def leave(self) -> None:
        """End a launch that a failed test has left."""
        if self._launch and self._launch.stdout and not self._launch.stdout.closed:
            kill(self._launch)

    def commits(self, attempt: int) -> list[Committed]:
        """Return the checkpoints of an attempt as they lie in its bucket."""
        entries = CommitLog(Store(self.run().store_uri, self._place.access)).entries()
        return [each for each in entries if isinstance(each, Committed) and each.attempt == attempt]

    def machines_of(self, attempt: int) -> list[str]:
        """Wait until an attempt has a checkpoint of all nodes, and return its machines."""
        self.wait_for(lambda run: self._goes_on() and len(run.attempts) >= attempt, seconds=150)
        until(lambda: self._goes_on() and self.commits(attempt), seconds=150)
        run = self.wait_for(lambda run: run.attempts[attempt - 1].instance_ids)
        return list(run.attempts[attempt - 1].instance_ids)

    def _goes_on(self) -> bool:
        if self._launch and self._launch.poll() is not None:
            raise AssertionError(f"the launch has ended: {self._launch.communicate()}")
        return True

    def machine_of(self, attempt: int) -> str:
        """Wait until an attempt of one node has a checkpoint, and return its machine."""
        [instance_id] = self.machines_of(attempt)
        return instance_id

    def go_ahead_after(self, attempt: int) -> None:
        """Let the job count at once to its end in the attempt that follows."""
        self.wait_for(
            lambda run: len(run.attempts) > attempt and run.attempts[-1].started_at, seconds=150
        )
        self._go_ahead.touch()

    def began_at(self) -> list[int]:
        """Return how far the count was where each attempt began."""
        told = re.findall(r"^from (\d+)$", self.finsched("logs"), re.MULTILINE)
        return [int(number) for number in told]


def kill(launch: subprocess.Popen[str]) -> None:
    """Kill a command, so that it can do nothing more."""
    launch.kill()
    launch.communicate()


def account_of(launch: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a launch that finishes, and return the account of its run."""
    out, err = launch.communicate(timeout=240)
    assert launch.returncode == 0, err
    document = json.loads(out)
    assert document["outcome"] == "finished"
    account: dict[str, Any] = document["account"]
    return account


def assert_counted_on(user: CloudUser, attempts: int) -> None:
    """Every attempt but the first began where a checkpoint lies, and the count is right."""
    output, began = user.finsched("logs"), user.began_at()
    assert len(began) == attempts
    assert began[0] == 0
    assert began == sorted(set(began))
    assert began[-1] < user.steps
    assert output.count(f"counted {user.steps}\n") == 1


def assert_kept_the_secret(user: CloudUser, fleet: Fleet, attempts: int, node: int = 0) -> None:
    """A node had the secret in each attempt, and no machine's user data tells it."""
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    assert user.finsched("logs", "--node", str(node)).count(digest) == attempts
    assert not any(SECRET in script for script in fleet.scripts)
