from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from finsched.node.checkpoints.commit_log import CommitLog, Committed
from finsched.node.mail.mailbox import read_messages
from finsched.node.mail.orders import OrderBook
from finsched.node.store import Store
from finsched.provider import (
    Instance,
    InstanceState,
    InstanceStatus,
    LaunchRequest,
    Provider,
)
from finsched_local import provider as local_provider


@dataclass(frozen=True)
class Settings:
    state_dir: Path
    local_price_usd_per_hour: float = 0.5


@dataclass
class Cloud:
    """The local provider with a store, and short words for what the tests do with it."""

    folder: Path
    store_uri: str = ""
    store_options: Mapping[str, Any] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store_uri = self.store_uri or f"file://{self.folder}/store"
        self.provider: Provider = local_provider(Settings(self.folder / "state"))
        assert self.provider.compute
        self.compute = self.provider.compute

    @property
    def store(self) -> Store:
        return Store(self.store_uri, self.store_options)

    def request(
        self,
        command: str,
        *,
        attempt: int = 1,
        token: str | None = None,
        secrets: Mapping[str, str] | None = None,
        hints: Mapping[str, Any] | None = None,
        **config: Any,
    ) -> LaunchRequest:
        document = {
            "run": "r1",
            "attempt": attempt,
            "store_uri": self.store_uri,
            "store_options": dict(self.store_options),
            "run_command": command,
            "lease_seconds": 60,
            "reserve_seconds": 2,
            "poll_seconds": 0.05,
            "checkpoint": {"path": "ckpt", "every_seconds": 0.5},
            "secret_names": list(secrets or ()),
            **config,
        }
        return LaunchRequest(
            token=token or f"r1-{attempt}",
            installation="tests",
            run="r1",
            attempt=attempt,
            offer=next(iter(self.provider.prices.offers())),
            nodes=1,
            node_config=document,
            secrets=secrets or {},
            hints=hints or {},
        )

    def launch(self, command: str, **options: Any) -> Instance:
        [instance] = self.compute.launch(self.request(command, **options))
        self.instances.append(instance)
        return instance

    def run(self, command: str, **options: Any) -> tuple[InstanceStatus, dict[str, Any]]:
        """Launch, wait for the end, return the machine's status and the agent's last message."""
        instance = self.launch(command, **options)
        status = self.wait_until_ended(instance)
        ended = self.messages("ended", attempt=options.get("attempt", 1))
        return status, ended[-1] if ended else {}

    def status(self, instance: Instance) -> InstanceStatus:
        return self.compute.poll([instance.id])[instance.id]

    def wait_until_ended(self, instance: Instance, seconds: float = 60.0) -> InstanceStatus:
        wait_for(lambda: self.status(instance).state is InstanceState.TERMINATED, seconds)
        return self.status(instance)

    def messages(self, kind: str, *, attempt: int = 1) -> list[dict[str, Any]]:
        found = read_messages(self.store, attempt)
        return [dict(message.document) for message in found if message.kind == kind]

    def commits(self) -> list[Committed]:
        return [e for e in CommitLog(self.store).entries() if isinstance(e, Committed)]

    def committed(self, name: str) -> bytes:
        """Return a file of the newest checkpoint."""
        [file] = [file for file in self.commits()[-1].files if file.name == name]
        return self.store.get(file.key)

    def orders(self, attempt: int = 1) -> OrderBook:
        return OrderBook(self.store, attempt)

    def folder_of(self, instance: Instance) -> Path:
        return self.folder / "state/local" / instance.id

    def output(self, instance: Instance) -> str:
        return (self.folder_of(instance) / "job.log").read_text()

    def require_nothing_left(self, instance: Instance) -> None:
        """The machine process says `terminated` last of all; allow it the moment to exit."""
        wait_for(lambda: not self.living(instance))

    def living(self, instance: Instance) -> list[int]:
        """Return every process that the instance has, told by its mark or by its folder."""
        mark = f"FINSCHED_INSTANCE={instance.id}".encode()
        folder = str(self.folder_of(instance))
        return [pid for pid in pids() if holds(pid, mark, folder)]


def pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def holds(pid: int, mark: bytes, folder: str) -> bool:
    if b") Z " in content(pid, "stat"):
        return False
    words = content(pid, "cmdline") + content(pid, "environ")
    return mark in words or folder.encode() in words


def content(pid: int, file: str) -> bytes:
    """Return nothing where the process has ended or hides the file."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def eventually() -> Callable[..., None]:
    return wait_for


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "finsched-test", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("disk full: mounting a small tmpfs needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    yield from used(Cloud(tmp_path))


@pytest.fixture
def tiny_cloud(tiny_disk: Path) -> Iterator[Cloud]:
    """A cloud whose machines and store are on one small disk."""
    yield from used(Cloud(tiny_disk))


def used(cloud: Cloud) -> Iterator[Cloud]:
    yield cloud
    for instance in cloud.instances:
        cloud.compute.terminate(instance.id)
    for instance in cloud.instances:
        cloud.wait_until_ended(instance)
        cloud.require_nothing_left(instance)
