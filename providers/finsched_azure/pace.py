"""How fast and how long Azure is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an answer is waited for, and when it is asked for again.

    `operation_seconds` lie between two looks at an operation that goes on, `create_seconds` are
    the longest that a machine's creation is watched. `settle_seconds` lie between two looks for a
    machine, and within `grace_seconds` of its launch one that was never listed is not gone.
    """

    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    tries: int = 4
    retry_seconds: float = 1.0
    operation_seconds: float = 1.0
    create_seconds: float = 900.0
    delete_seconds: float = 120.0
    settle_seconds: float = 5.0
    grace_seconds: float = 60.0


class TokenBucket:
    """Lets `capacity` calls through at once and `per_second` more each second, for all threads."""

    def __init__(
        self,
        *,
        capacity: float,
        per_second: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._tokens = capacity
        self._filled_at = now()

    def take(self) -> None:
        """Take one token, and wait for it where there is none: first come, first served."""
        wait_seconds = self._reserve()
        if wait_seconds > 0:
            self._sleep(wait_seconds)

    def _reserve(self) -> float:
        with self._lock:
            now = self._now()
            gained = (now - self._filled_at) * self._per_second
            self._tokens = min(self._capacity, self._tokens + gained) - 1.0
            self._filled_at = now
            return max(0.0, -self._tokens / self._per_second)
