"""Whether the job stands still: no progress, no work of the GPUs, hardly any of the processor.

A job that hangs costs as much as one that works, and says nothing. What it does not do is enough to
warn of it; whether it is given up is for the supervisor, which knows what is kept.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from finsched.node.job.process_tree import descendants

STILL_AFTER_SECONDS = 900.0
LOOK_EVERY_SECONDS = 30.0
LEAST_CPU_SHARE = 0.02
"""Of one core: less is a process that only waits."""

_ANSWER_SECONDS = 10.0
_GPU_QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")


@dataclass(frozen=True, slots=True)
class Signs:
    """What the job shows at a moment: its processor time, its GPUs' load, its own word."""

    at_seconds: float
    cpu_seconds: float
    gpu_percent: float
    progress: float | None


class Stillness:
    """Remembers since when nothing has moved."""

    def __init__(self, still_after_seconds: float = STILL_AFTER_SECONDS) -> None:
        self._still_after = still_after_seconds
        self._since: Signs | None = None
        self._last: Signs | None = None
        self._told = False

    def begins_with(self, signs: Signs) -> bool:
        """Take a look into account; True once for every spell, when it has lasted long enough."""
        last, self._last = self._last, signs
        if last is None or self._since is None or _moved(last, signs):
            self._since, self._told = signs, False
            return False
        lasted = signs.at_seconds - self._since.at_seconds
        if self._told or lasted < self._still_after:
            return False
        self._told = True
        return True


def _moved(last: Signs, now: Signs) -> bool:
    passed = max(now.at_seconds - last.at_seconds, 1e-9)
    cpu_share = abs(now.cpu_seconds - last.cpu_seconds) / passed
    return now.progress != last.progress or now.gpu_percent > 0 or cpu_share >= LEAST_CPU_SHARE


@contextmanager
def told_of_stillness(
    progress: Callable[[], float | None],
    tell: Callable[[float], None],
    *,
    still_after_seconds: float = STILL_AFTER_SECONDS,
    look_every_seconds: float = LOOK_EVERY_SECONDS,
) -> Iterator[None]:
    """Look at the processes below this one meanwhile; `tell` hears after how many seconds."""
    stillness, over = Stillness(still_after_seconds), threading.Event()

    def look() -> None:
        while not over.wait(look_every_seconds):
            if stillness.begins_with(_signs(progress())):
                tell(still_after_seconds)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()


def _signs(progress: float | None) -> Signs:
    cpu_seconds = sum(map(_cpu_seconds, descendants()))
    return Signs(time.monotonic(), cpu_seconds, _gpu_percent(), progress)


def _cpu_seconds(pid: int) -> float:
    """Of a process and of its children that have ended."""
    with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _gpu_percent() -> float:
    """The load of the busiest GPU; 0 where there is none, or nobody can tell."""
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        told = subprocess.run(  # noqa: S603 - our own words
            _GPU_QUERY, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=True
        )
        return max(map(float, told.stdout.split()), default=0.0)
    return 0.0
