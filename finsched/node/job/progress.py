"""The fraction done, as the job writes it into its progress file."""

from __future__ import annotations

import contextlib
import os
import stat
from collections import deque
from pathlib import Path
from typing import NamedTuple

_SAMPLES_AT_MOST = 4096
_LONGEST_REPORT_BYTES = 64


class Report(NamedTuple):
    """What the progress file says, and when it was written."""

    fraction: float
    written_ns: int


def read_report(path: Path) -> Report | None:
    """Return what the job reports; None for anything but a number from 0 to 1 in a plain file."""
    with contextlib.suppress(OSError, ValueError):
        # The job decides what lies here: a FIFO must not hold us up, nor a huge file fill us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            fraction = float(os.read(descriptor, _LONGEST_REPORT_BYTES))
        finally:
            os.close(descriptor)
        return Report(fraction, status.st_mtime_ns) if 0.0 <= fraction <= 1.0 else None
    return None


class Progress:
    """What the job has reported so far, and when."""

    def __init__(self, path: Path) -> None:
        self.latest: float | None = None
        self._path = path
        self._samples: deque[tuple[int, float]] = deque(maxlen=_SAMPLES_AT_MOST)

    def read(self) -> float | None:
        """Look at the file; what is not a fraction between 0 and 1 is ignored."""
        report = read_report(self._path)
        if report and report.fraction != self.latest:
            self.latest = report.fraction
            self._samples.append((report.written_ns, report.fraction))
        return self.latest

    def at(self, moment_ns: int) -> float | None:
        """Return what had been reported when a file with this modification time was written.

        It may be less than what the file holds, never more: a resumed job is not taken for a loser.
        """
        reported = [
            fraction for written_ns, fraction in self._samples.copy() if written_ns <= moment_ns
        ]
        return reported[-1] if reported else None
