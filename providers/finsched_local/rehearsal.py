"""When a rehearsal's machine takes itself back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finsched.node.progress import read_report

# A job that reports progress may load its libraries for this long before it does.
PATIENCE_SECONDS = 15.0
# An interruption before the first commit proves nothing: it waits for one up to here.
LATEST_PROGRESS = 0.95


@dataclass(slots=True, kw_only=True)
class PlannedInterruption:
    """At a point of the job's progress; of time where no point is given or no progress reported.

    With a point, time counts from the first commit, a sign of work without reports, or from the
    end of our patience; without one, from the job's start.
    """

    at_progress: float | None
    after_seconds: float
    notice_seconds: float
    _counting_from: float | None = None
    _started_at: float | None = None
    _progress: float | None = None

    @classmethod
    def from_hints(cls, hints: Mapping[str, Any]) -> PlannedInterruption | None:
        """Read the plan of a launch request, if it has one."""
        plan = hints.get("interruption")
        if not plan:
            return None
        return cls(
            at_progress=plan.get("at_progress"),
            after_seconds=float(plan["after_seconds"]),
            notice_seconds=float(plan["notice_seconds"]),
        )

    def due(self, scratch: Path) -> bool:
        """Say whether the moment has come, by the files that the agent and the job keep."""
        now = time.monotonic()
        if self._started_at is None and (scratch / "started").exists():
            self._started_at = now
        if self._started_at is None:
            return False
        if report := read_report(scratch / "progress"):
            self._progress = report.fraction
        if self.at_progress is not None and self._progress is not None:
            return self._reached(self._progress, self.at_progress, scratch)
        if self._counting_from is None and self._counts(scratch, now - self._started_at):
            self._counting_from = now
        return self._counting_from is not None and now - self._counting_from >= self.after_seconds

    def _counts(self, scratch: Path, running_seconds: float) -> bool:
        patient = self.at_progress is not None and running_seconds < PATIENCE_SECONDS
        return not patient or _has_committed(scratch)

    def _reached(self, progress: float, point: float, scratch: Path) -> bool:
        return progress >= LATEST_PROGRESS or (progress >= point and _has_committed(scratch))


def _has_committed(scratch: Path) -> bool:
    return (scratch / "committed").exists()
