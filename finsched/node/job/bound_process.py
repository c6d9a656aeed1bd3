"""Run a command that gets a signal when its parent dies: `bound_process.py SIGNAL PARENT COMMAND…`.

A small program of its own, because setting this between fork and exec is unsafe beside threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
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
    _heed_all_signals()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked to be told
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606


def _heed_all_signals() -> None:
    """Python ignores some, a shell in the background others: a job would inherit that."""
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


if __name__ == "__main__":
    main()
