"""The state directory: the ledger, the installation's name, and one lock per run."""

from __future__ import annotations

import fcntl
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    if not file.exists():
        _name_once(file, f"finsched-{uuid.uuid4().hex[:12]}\n")
    name = file.read_text(encoding="ascii").strip()
    if not name:
        raise MachineProblem(
            f"{file} is empty: machines would belong to nobody",
            fix="restore the file, or delete it where this installation has no machines",
        )
    return name


def _name_once(file: Path, name: str) -> None:
    """The first one to come names it; a file that is there is whole."""
    with tempfile.NamedTemporaryFile("w", dir=file.parent, encoding="ascii") as draft:
        draft.write(name)
        draft.flush()
        os.fsync(draft.fileno())
        with suppress(FileExistsError):
            os.link(draft.name, file)


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
