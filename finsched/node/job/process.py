"""The job as a process: started, signalled as a group, killed as a whole tree."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from finsched.node.job.bound_process import bound_command
from finsched.node.job.process_tree import kill_descendants, reap


class JobProcess:
    """One shell command, in a session of its own; it dies with the agent."""

    def __init__(
        self,
        command: str,
        *,
        directory: Path,
        environment: Mapping[str, str],
        signal_name: str,
        umask: int,
    ) -> None:
        self._signal = signal.Signals[signal_name]
        self.signalled = False
        shell = shutil.which("bash") or "/bin/sh"
        self._process = subprocess.Popen(  # noqa: S603 - the user's own command
            bound_command(signal.SIGKILL, [shell, "-c", self._script(command)]),
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=umask,
        )

    @property
    def output(self) -> IO[bytes]:
        """Standard output and error of the job."""
        assert self._process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        return self._process.stdout

    def poll(self) -> int | None:
        """Return the exit code once the job has ended, negative for a signal.

        A signalled job has ended when its whole process group has: the shell may go before the
        program that is still saving.
        """
        if self._process.poll() is None:
            return None
        if self.signalled and self._group_lives():
            return None
        return self._process.returncode

    def signal(self) -> None:
        """Send the checkpoint signal to the whole group, once."""
        self.signalled = True
        self._signal_group(self._signal)

    def kill(self) -> int:
        """Kill the tree, daemons included, and return the exit code."""
        kill_descendants(keep_status_of=self._process.pid)
        return self._process.wait()

    def died_of_signal(self, exit_code: int) -> bool:
        """Say whether the job was cut off, and so perhaps in the middle of a save."""
        return exit_code < 0 or exit_code in {128 + signal.SIGKILL, 128 + self._signal}

    def _script(self, command: str) -> str:
        """Let the shell wait for its program when both get the signal, and pass its status on."""
        return f"trap 'exit $?' {self._signal.name.removeprefix('SIG')}\n{command}"

    def _group_lives(self) -> bool:
        reap(keep_status_of=self._process.pid)
        return self._signal_group(0)

    def _signal_group(self, number: int) -> bool:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True
