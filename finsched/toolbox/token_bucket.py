"""How fast a cloud is asked: a few calls at once, then so many a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


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
