"""Processes that must not outlive their owner: found by parentage or by a mark on them.

Linux only: orphans come to the nearest child subreaper, so a daemonised grandchild stays below us.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


class _Process(NamedTuple):
    pid: int
    parent: int
    zombie: bool


def become_subreaper() -> None:
    """Let orphaned descendants come to this process instead of to init."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def hide_environment() -> None:
    """Let other processes of this user read neither our environment nor our memory; root still can.

    `kill_marked` no longer sees our mark then, only our command line.
    """
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def descendants() -> list[int]:
    """Return the living processes below this one, nearest first."""
    return [process.pid for process in _below_me() if not process.zombie]


def kill_descendants(*, keep_status_of: int | None = None, timeout_seconds: float = 10.0) -> bool:
    """Kill every process below this one and say whether none is left.

    The exit status of child `keep_status_of` is left for its own waiter.
    """
    give_up_at = time.monotonic() + timeout_seconds
    while pids := descendants():
        for pid in pids:
            _kill(pid)
        reap(keep_status_of=keep_status_of)
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.005)
    reap(keep_status_of=keep_status_of)
    return True


def reap(*, keep_status_of: int | None = None) -> None:
    """Collect the ended children that nobody waits for."""
    me = os.getpid()
    for process in _below_me():
        if process.zombie and process.parent == me and process.pid != keep_status_of:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)


def kill_marked(
    mark: str, *, or_command: Collection[str] = (), timeout_seconds: float = 10.0
) -> bool:
    """Kill every process that was started with `mark` (NAME=value) in its environment.

    `or_command` finds one that hides its environment: all these words are in its command line.
    """
    give_up_at = time.monotonic() + timeout_seconds
    while pids := _marked(mark, or_command):
        for pid in pids:
            _kill(pid)
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.005)
    return True


def _marked(mark: str, or_command: Collection[str]) -> list[int]:
    others = [p for p in _processes() if not p.zombie and p.pid != os.getpid()]
    words = {os.fsencode(word) for word in or_command}
    return [
        process.pid
        for process in others
        if os.fsencode(mark) in _strings(process, "environ")
        or (words and words <= _strings(process, "cmdline"))
    ]


def _strings(process: _Process, file: str) -> set[bytes]:
    with contextlib.suppress(OSError):  # it has ended, or is another user's
        return set(Path(f"/proc/{process.pid}/{file}").read_bytes().split(b"\0"))
    return set()


def _below_me() -> list[_Process]:
    children: dict[int, list[_Process]] = {}
    for process in _processes():
        children.setdefault(process.parent, []).append(process)
    found: list[_Process] = []
    parents = [os.getpid()]
    while parents:
        below = [child for parent in parents for child in children.get(parent, ())]
        found.extend(below)
        parents = [child.pid for child in below]
    return found


def _processes() -> list[_Process]:
    found = []
    for entry in os.scandir("/proc"):
        if (name := entry.name).isdecimal():
            with contextlib.suppress(OSError):
                # The command name may hold spaces and brackets: fields follow the last bracket.
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                found.append(_Process(int(name), int(fields[1]), fields[0] in "ZX"))
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
