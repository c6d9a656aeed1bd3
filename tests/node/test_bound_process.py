"""A command starts with the signals of a fresh shell, whatever its parents ignore."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from finsched.node.job.bound_process import bound_command

IGNORED = "awk '/^Sig(Ign|Blk)/ {print $2}' /proc/self/status"


def test_no_signal_is_ignored_or_held_back() -> None:
    """Python ignores SIGPIPE, and a shell's background jobs SIGINT: a pipeline would not end."""

    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    command = bound_command(signal.SIGTERM, ["/bin/sh", "-c", IGNORED])
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, preexec_fn=ignore
    )
    ours = sum(1 << (number - 1) for number in signal.valid_signals())  # the C library has two
    assert {int(mask, 16) & ours for mask in done.stdout.split()} == {0}


def test_a_pipeline_ends_when_nobody_reads_on() -> None:
    command = bound_command(signal.SIGTERM, ["/bin/sh", "-c", "yes | head -n 1"])
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "y\n"
    assert sys.executable == command[0]
    assert str(os.getpid()) in command
