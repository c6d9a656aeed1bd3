"""The state directory: the ledger, the installation's name, and one lock per run."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finsched.errors import MachineProblem
from finsched.ledger import Ledger
from finsched.settings import LEDGER_FILE


def open_ledger(state_dir: Path) -> Ledger:
    """Open the ledger of this installation, making it on first use."""
    return Ledger(state_dir / LEDGER_FILE)


def installation(state_dir: Path) -> str:
    """Return the name that tags everything this installation creates; made once, kept."""
    file = state_dir / "installation"
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return file.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(f"finsched-{uuid.uuid4().hex[:12]}\n")
    return file.read_text(encoding="ascii").strip()


class Supervised(MachineProblem):
    """Another process already supervises the run."""


@contextmanager
def supervision(state_dir: Path, run_id: str) -> Iterator[None]:
    """Hold the run's lock: one supervisor at a time. Raises `Supervised` when it is taken."""
    folder = state_dir / "runs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / f"{run_id}.lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Supervised(
                f"run {run_id} is already supervised by another process",
                fix=f"watch it with `finsched status {run_id} --watch`",
            ) from error
        yield


def is_supervised(state_dir: Path, run_id: str) -> bool:
    """Return whether a process holds the run's lock right now."""
    try:
        with supervision(state_dir, run_id):
            return False
    except Supervised:
        return True
