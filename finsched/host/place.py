"""Where the process of a state directory is found: its folder, lock, socket and log."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LONGEST_PATH = 100  # bytes; the system's limit is 104 or 108


@dataclass(frozen=True, slots=True)
class Place:
    """The files of the per-user process in one state directory, for nobody else to read."""

    folder: Path

    @classmethod
    def of(cls, state_dir: Path) -> Place:
        """Return the place, making its folder."""
        folder = state_dir / "process"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(folder)

    @property
    def log(self) -> Path:
        """What the process says."""
        return self.folder / "log"

    @property
    def endpoint(self) -> Path:
        """Where the process listens."""
        return self.folder / "socket"

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """Hold the lock of the one process; yields False where another one has it."""
        descriptor = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            yield _locked(descriptor)
        finally:
            os.close(descriptor)

    def listen(self) -> socket.socket:
        """Return the listening socket; only its user can connect."""
        self.endpoint.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with self._short_path() as path:
            before = os.umask(0o177)
            try:
                listening.bind(path)
            finally:
                os.umask(before)
        listening.listen(128)
        return listening

    def connect(self, timeout_seconds: float) -> socket.socket:
        """Return a connection; raises OSError where nobody listens."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_seconds)
        try:
            with self._short_path() as path:
                connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection

    @property
    def listening_inode(self) -> int | None:
        """Which file clients connect to; None where there is none."""
        try:
            return self.endpoint.stat().st_ino
        except OSError:
            return None

    @contextmanager
    def _short_path(self) -> Iterator[str]:
        """A path of the socket that is short enough for the system, through an open folder."""
        if len(os.fsencode(self.endpoint)) <= _LONGEST_PATH:
            yield str(self.endpoint)
            return
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            yield f"/proc/self/fd/{folder}/{self.endpoint.name}"
        finally:
            os.close(folder)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
