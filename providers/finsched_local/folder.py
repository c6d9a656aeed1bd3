"""One instance's folder: who it is, how it stands, and the lock that its machine holds."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from finsched.node.removal import remove_tree
from finsched.provider import EndReason, InstanceState, InstanceStatus

MARK = "FINSCHED_INSTANCE"  # in the environment of every process of an instance


@dataclass(frozen=True, slots=True)
class InstanceFolder:
    """The files of one instance; `scratch` goes when the instance ends, the rest is kept."""

    path: Path

    @property
    def id(self) -> str:
        """The instance's id."""
        return self.path.name

    @property
    def node_config(self) -> Path:
        """The node agent's document; its folder is where the agent works."""
        return self.path / "node.json"

    @property
    def agent_command(self) -> Sequence[str]:
        """What Python runs as this instance's agent, and as no other."""
        return ("-m", "finsched.node", str(self.node_config))

    @property
    def scratch(self) -> Path:
        """Where the job runs."""
        return self.path / "scratch"

    @property
    def log(self) -> Path:
        """What the machine and the agent say."""
        return self.path / "machine.log"

    @property
    def launched(self) -> bool:
        """Whether the machine has started once."""
        return self._state_file.exists()

    @property
    def facts(self) -> Mapping[str, Any]:
        """What was fixed at the launch."""
        return _read(self.path / "instance.json")

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Fix what never changes."""
        write_atomically(self.path / "instance.json", facts)

    def status(self) -> InstanceStatus:
        """Return how the instance stands, in its machine's own words."""
        state = _read(self._state_file)
        return InstanceStatus(
            id=self.id,
            state=InstanceState(state["state"]),
            billing_from=_moment(state["billing_from"]),
            ended_at=_moment(state["ended_at"]),
            reason=EndReason(state["reason"]) if state["reason"] else None,
            detail=state["detail"],
        )

    def write_status(self, status: InstanceStatus) -> None:
        """Say how the instance stands."""
        write_atomically(
            self._state_file,
            {
                "state": status.state,
                "billing_from": status.billing_from and status.billing_from.isoformat(),
                "ended_at": status.ended_at and status.ended_at.isoformat(),
                "reason": status.reason,
                "detail": status.detail,
            },
        )

    def order_end(self) -> None:
        """Leave the order to end for the machine."""
        self._end_order.touch()

    @property
    def end_ordered(self) -> bool:
        """Whether somebody wants the end."""
        return self._end_order.exists()

    def remove_scratch(self) -> None:
        """Give the job's disk space back."""
        remove_tree(self.scratch)

    def last_sign_of_life(self) -> datetime:
        """Return when the machine (it touches its lock), the agent or the job last did a thing."""
        signs = (
            self._state_file,
            self._lock_file,
            self.path / "job.log",
            self.scratch / "progress",
        )
        moments = [
            datetime.fromtimestamp(sign.stat().st_mtime, UTC) for sign in signs if sign.exists()
        ]
        return min(max(moments), utc_now())

    def is_locked_by(self, lock: int) -> bool:
        """Say whether this descriptor still is the folder's lock: a folder may be removed."""
        try:
            return os.path.samestat(self._lock_file.stat(), os.fstat(lock))
        except FileNotFoundError:
            return False

    @contextmanager
    def lock_if_free(self) -> Iterator[int | None]:
        """Hold the lock as a file descriptor, or give None where a machine or a launch has it."""
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)  # a machine that inherited the lock keeps it

    @property
    def _state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def _lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def _end_order(self) -> Path:
        return self.path / "terminate"


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def write_atomically(path: Path, document: Mapping[str, Any]) -> None:
    """Write JSON so that a reader sees the old or the new document, never a part."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with open_private(temporary, os.O_TRUNC) as file:
        file.write(json.dumps(document, indent=1).encode())
    temporary.replace(path)


def open_private(path: Path, flags: int) -> BinaryIO:
    """Open a file for writing that only its owner may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600), "wb")


def _read(path: Path) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(path.read_text())
    return document


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
