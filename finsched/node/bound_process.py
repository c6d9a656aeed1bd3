"""Run a command that gets a signal when its parent dies: `bound_process.py SIGNAL PARENT COMMAND…`.

A small program of its own, because setting this between fork and exec is unsafe beside threads.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def bound_command(signal_number: int, command: Sequence[str]) -> list[str]:
    """Return a command line that runs `command` bound to this process."""
    shim = [sys.executable, "-I", "-S", __file__]
    return [*shim, str(int(signal_number)), str(os.getpid()), *command]


def main() -> None:
    """Bind this process to its parent and become the command."""
    signal_number, parent, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked to be told
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
