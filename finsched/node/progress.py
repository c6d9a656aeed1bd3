"""The fraction done, as the job writes it into its progress file."""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path

_SAMPLES_AT_MOST = 4096


class Progress:
    """What the job has reported so far, and when."""

    def __init__(self, path: Path) -> None:
        self.latest: float | None = None
        self._path = path
        self._samples: deque[tuple[int, float]] = deque(maxlen=_SAMPLES_AT_MOST)

    def read(self) -> float | None:
        """Look at the file; what is not a fraction between 0 and 1 is ignored."""
        with contextlib.suppress(OSError, ValueError):
            written_ns = self._path.stat().st_mtime_ns
            fraction = float(self._path.read_text()[:64])
            if 0.0 <= fraction <= 1.0 and fraction != self.latest:
                self.latest = fraction
                self._samples.append((written_ns, fraction))
        return self.latest

    def at(self, moment_ns: int) -> float | None:
        """Return what had been reported when a file with this modification time was written.

        It may be less than what the file holds, never more: a resumed job is not taken for a loser.
        """
        reported = [
            fraction for written_ns, fraction in self._samples.copy() if written_ns <= moment_ns
        ]
        return reported[-1] if reported else None
