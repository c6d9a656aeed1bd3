"""How far a checkpoint has come on its way to or from the store, told while that takes long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SILENT_SECONDS = 1.5
"""What is done sooner is not worth a word."""

_LEAST_SHARE = 0.05
_EVERY_SECONDS = 15.0

Tell = Callable[[int, int, float], None]
"""Takes the bytes that have passed, all bytes, and the seconds since the beginning."""


class Meter:
    """Counts bytes, and tells of them after each twentieth or, where that takes longer, regularly.

    Bytes count when they are handed over for sending: some parts of them are still on their way.
    Several threads may use it.
    """

    def __init__(self, total_bytes: int, tell: Tell) -> None:
        self._total_bytes = total_bytes
        self._tell = tell
        self._passed_bytes = 0
        self._began_at = time.monotonic()
        self._told_bytes = 0
        self._told_at = self._began_at
        self._lock = threading.Lock()

    def passed(self, size_bytes: int) -> None:
        """Count some bytes more."""
        with self._lock:
            self._passed_bytes += size_bytes
            now = time.monotonic()
            if now - self._began_at >= SILENT_SECONDS and self._is_news(now):
                self._told_bytes, self._told_at = self._passed_bytes, now
                self._tell(self._passed_bytes, self._total_bytes, now - self._began_at)

    def _is_news(self, now: float) -> bool:
        step_bytes = _LEAST_SHARE * self._total_bytes
        is_far = self._passed_bytes - self._told_bytes >= step_bytes
        return is_far or now - self._told_at >= _EVERY_SECONDS
