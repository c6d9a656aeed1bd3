from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from finsched.bootstrap.delivery import deliver_agent, deliver_config, latest_end
from finsched.bootstrap.place import Place
from finsched.bootstrap.user_data import Fetched, Plan, user_data
from finsched.node.checkpoints.commit_log import CommitLog, Committed
from finsched.node.job.output import read_output
from finsched.node.mail.mailbox import read_messages
from finsched.node.mail.orders import OrderBook
from finsched.testing.machine import EmulatedMachine
from tests.object_stores import S3Lab


class Cloud:
    """Launches emulated machines for one run in an S3 store and looks at what they leave there."""

    def __init__(self, s3: S3Lab, folder: Path, python: str) -> None:
        self.s3 = s3
        self.store = s3.store(folder="runs/r1")
        self.python = python
        self.machines: list[EmulatedMachine] = []
        self._folder = folder

    @property
    def python_version(self) -> str:
        ask = [self.python, "-c", "import sys; print(sys.version_info[:2])"]
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()

    def config(self, command: str, attempt: int = 1, **changes: Any) -> dict[str, Any]:
        return {
            "run": "r1",
            "attempt": attempt,
            "store_uri": self.store.uri,
            "store_options": self.s3.options,
            "run_command": command,
            "lease_seconds": 120.0,
            "poll_seconds": 0.1,
            "checkpoint": {"path": "ckpt", "every_seconds": 0.2},
            **changes,
        }

    def plan(self, config: dict[str, Any], **changes: Any) -> Plan:
        artefact, document = deliver_agent(self.store), deliver_config(self.store, config)
        path = f"/{self.s3.bucket}/runs/r1"
        plain: dict[str, Any] = {
            "place": Place(cloud="aws"),
            "scheme": "s3",
            "access": {"cloud": "aws", "by": "own"},
            "address": self.s3.url,
            "region": "us-east-1",
            "artefact": Fetched(path=f"{path}/{artefact.key}", sha256=artefact.sha256),
            "config": Fetched(path=f"{path}/{document.key}", sha256=document.sha256),
            "log_path": f"{path}/node/log",
            "end_at": latest_end(config),
        }
        return Plan(**{**plain, **changes})

    def launch(self, command: str, attempt: int = 1, **changes: Any) -> EmulatedMachine:
        return self.boot(user_data(self.plan(self.config(command, attempt, **changes))))

    def boot(self, script: str, **changes: Any) -> EmulatedMachine:
        folder = self._folder / f"machine {len(self.machines)}"
        machine = EmulatedMachine(folder, script, **{"python": self.python, **changes})
        self.machines.append(machine)
        return machine

    def messages(self, attempt: int, kind: str) -> list[dict[str, Any]]:
        found = read_messages(self.store, attempt)
        return [dict(message.document) for message in found if message.kind == kind]

    def output(self, attempt: int) -> str:
        return b"".join(piece for _, piece in read_output(self.store, attempt)).decode()

    def commits(self) -> list[Committed]:
        return [e for e in CommitLog(self.store).entries() if isinstance(e, Committed)]

    def stop(self, attempt: int) -> None:
        OrderBook(self.store, attempt).stop("asked")


@pytest.fixture(scope="session")
def oldest_python() -> str:
    """The oldest interpreter that a machine may bring, or our own where there is none here.

    FINSCHED_NODE_PYTHON names another one.
    """
    if named := os.environ.get("FINSCHED_NODE_PYTHON"):
        return named
    if program := shutil.which("python3.10"):
        ask = [program, "-c", "import os, sys; print(os.path.realpath(sys.executable))"]
        chosen = {**os.environ, "PYENV_VERSION": "3.10"}  # pyenv's program runs what this names
        found = subprocess.run(ask, capture_output=True, text=True, env=chosen, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
    return sys.executable


@pytest.fixture
def cloud(s3: S3Lab, tmp_path: Path, oldest_python: str) -> Iterator[Cloud]:
    cloud = Cloud(s3, tmp_path, oldest_python)
    yield cloud
    for machine in cloud.machines:
        machine.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    def wait(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
        give_up_at = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < give_up_at, "this has not come true"
            time.sleep(0.02)
        return found

    return wait
