"""A user's machine whose runs are held by a process in the background."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from finsched.ledger import Ledger
from finsched.model.run import Run
from tests.run.conftest import Machine


class Home(Machine):
    """A machine with a background process."""

    def hand_over(self, *arguments: str | Path) -> str:
        """Launch a job detached, and return the id of its run."""
        document = self.document("launch", *arguments, "--detach")
        return str(document["run"])

    @property
    def queue(self) -> dict[str, Any]:
        document: dict[str, Any] = self.document("queue")
        return document

    @property
    def pid(self) -> int:
        """The background process, without asking it; 0 where there is none."""
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                command = (
                    (folder / "cmdline").read_bytes().split(b"\0")
                    if folder.name.isdecimal()
                    else []
                )
                if b"finsched.host" in command and str(self.state_dir).encode() in command:
                    return int(folder.name)
        return 0

    def end_process(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the background process and see it gone."""
        if pid := self.pid:
            os.kill(pid, how)
            until_true(lambda: not self.pid, "the process is gone")

    def ledger_run(self, run_id: str) -> Run:
        ledger = Ledger(self.state_dir / "ledger.sqlite")
        try:
            return ledger.run(run_id)
        finally:
            ledger.close()

    def until(self, run_id: str, what: Callable[[Run], object], seconds: float = 90) -> Run:
        """Wait until a run satisfies a condition."""
        until_true(lambda: what(self.ledger_run(run_id)), f"{run_id} {what}", seconds)
        return self.ledger_run(run_id)


def until_true(what: Callable[[], object], words: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"not in {seconds} s: {words}"
        time.sleep(0.05)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A machine of its own; at the end its process is told to go, and nothing may be left."""
    home = Home.at(tmp_path)
    yield home
    home.end_process()
    until_true(lambda: not home.processes(), f"left running: {home.processes()}", 10)
