"""An emulated cloud machine: it runs user data for real, in a process tree that ends with it.

Nothing of this computer is touched: the script works below a folder of its own, and `shutdown` is a
program that writes down how it was called. Linux only.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from finsched.node.clock import utc_now
from finsched.node.job.process_tree import become_subreaper, kill_descendants
from finsched.testing.metadata import metadata_of

_TICK_SECONDS = 0.02
_SHUTDOWN = """#!/bin/sh
echo "$*" >> "{folder}/shutdowns"
"""
# Takes the options that user data uses and starts the program in the background, as systemd does.
_SYSTEMD_RUN = """#!/bin/bash
printf '%s\\n' "$@" > "{folder}/unit"
while [[ $1 == -* ]]; do
  [ "$1" = -p ] && shift
  shift
done
setsid "$@" < /dev/null >> "{folder}/disk/var/lib/finsched/boot.log" 2>&1 &
"""


NAMES: Mapping[str, Mapping[str, str]] = {
    "aws": {"name": "i-0123456789abcdef0"},
    "gcp": {"name": "finsched-1", "project": "acme", "zone": "us-central1-a"},
    "azure": {
        "resource_id": "/subscriptions/s-1/resourceGroups/acme/providers/Microsoft.Compute"
        "/virtualMachines/finsched-1"
    },
}
"""What names a machine in its cloud, where a test does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the cloud makes of a machine: how its metadata service speaks and what it lends.

    `names` are those of the machine where they matter: name (and launch_index), name, project and
    zone, or resource_id. `credential` is the access key or the token of its own identity.
    """

    cloud: str = "aws"
    names: Mapping[str, str] = field(default_factory=dict)
    credential: str = "AKIANODE"


class EmulatedMachine:
    """One machine; `environment` is what its image would set, such as an endpoint of its network.

    `path` is where the image has its programs and `python` its interpreter, None for an image
    without one; with `systemd` the image has that, too.
    """

    def __init__(
        self,
        folder: Path,
        user_data: str,
        *,
        host: Host = Host(),
        environment: Mapping[str, str] | None = None,
        path: str = "/usr/bin:/bin",
        python: str | None = sys.executable,
        systemd: bool = False,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "user-data").write_text(user_data)
        self._programs = folder / "bin"
        self._programs.mkdir()
        if python:
            (self._programs / "python3").symlink_to(python)
        self._make_program("shutdown", _SHUTDOWN)
        if systemd:
            (folder / "disk/run/systemd/system").mkdir(parents=True)
            self._make_program("systemd-run", _SYSTEMD_RUN)
        (folder / "disk/proc").mkdir(parents=True)
        (folder / "disk/proc/uptime").write_text("0.00 0.00\n")  # it has just started
        facts = {
            "cloud": host.cloud,
            "names": {**NAMES[host.cloud], **host.names},
            "credential": host.credential,
            "environment": {"PATH": f"{folder}/bin:{path}", **(environment or {})},
        }
        (folder / "facts.json").write_text(json.dumps(facts))
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "finsched.testing.machine", str(folder)], stdin=subprocess.PIPE
        )

    @property
    def shutdowns(self) -> list[str]:
        """How `shutdown` was called, in order."""
        return _lines(self.folder / "shutdowns")

    @property
    def log(self) -> str:
        """What the boot has written."""
        return "\n".join(_lines(self.files / "boot.log"))

    @property
    def files(self) -> Path:
        """Where the node's files are."""
        return self.folder / "disk/var/lib/finsched"

    @property
    def is_off(self) -> bool:
        """Whether the machine has ended, with all its processes."""
        return self._process.poll() is not None

    def wait_until_off(self, seconds: float = 60.0) -> None:
        """Wait for the machine's end; raises TimeoutExpired."""
        self._process.wait(seconds)

    def give_hint(self) -> None:
        """Recommend to leave."""
        self._order(hint=True)

    def give_notice(self, seconds: float) -> None:
        """Take the machine back after so many seconds, and tell it so."""
        self._order(notice=seconds)

    def vanish(self) -> None:
        """Take the machine back at once, without a notice."""
        self._order(vanish=True)
        self.wait_until_off()

    def close(self) -> None:
        """End what is left."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def _order(self, **order: Any) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for as a pipe
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def _make_program(self, name: str, text: str) -> None:
        program = self._programs / name
        program.write_text(text.format(folder=self.folder))
        program.chmod(0o755)


class _Life:
    """The machine, in its own process: everything that it starts stays below it."""

    def __init__(self, folder: Path) -> None:
        facts = json.loads((folder / "facts.json").read_text())
        self._folder = folder
        self._metadata = metadata_of(facts["cloud"], facts["names"])
        self._metadata.lend(facts["credential"])
        self._ends_at: float | None = None
        own = {"FINSCHED_ROOT": f"{folder}/disk", "FINSCHED_METADATA_URL": self._metadata.url}
        with (folder / "console").open("wb") as console:
            subprocess.Popen(  # noqa: S603 - what is being tested
                [shutil.which("bash") or "/bin/bash", str(folder / "user-data")],
                cwd="/",
                env={**facts["environment"], **own},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def live(self) -> None:
        """Obey orders until the machine is switched off or taken back."""
        while not self._is_over():
            ready, _, _ = select.select([sys.stdin.fileno()], [], [], _TICK_SECONDS)
            if ready and not self._obey(os.read(sys.stdin.fileno(), 4096)):
                break
        kill_descendants()

    def _is_over(self) -> bool:
        taken_back = self._ends_at is not None and time.monotonic() >= self._ends_at
        return taken_back or "-P now" in _lines(self._folder / "shutdowns")

    def _obey(self, lines: bytes) -> bool:
        """Follow the orders; False where the one who gives them is gone."""
        for order in map(json.loads, lines.splitlines()):
            if order.get("hint"):
                self._metadata.give_hint()
            if "notice" in order:
                self._metadata.give_notice(utc_now() + timedelta(seconds=order["notice"]))
                self._ends_at = time.monotonic() + order["notice"]
            if order.get("vanish"):
                self._ends_at = time.monotonic()
        return bool(lines)


def _lines(file: Path) -> list[str]:
    return file.read_text(errors="replace").splitlines() if file.exists() else []


if __name__ == "__main__":
    become_subreaper()
    _Life(Path(sys.argv[1])).live()
    os._exit(0)
