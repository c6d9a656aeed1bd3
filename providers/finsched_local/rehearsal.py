"""When a rehearsal's machine takes itself back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finsched.node.job.progress import read_report

# A job that reports progress may load its libraries for this long before it does.
PATIENCE_SECONDS = 15.0
# An interruption before the first commit proves nothing: it waits for one up to here.
LATEST_PROGRESS = 0.95


@dataclass(slots=True, kw_only=True)
class PlannedInterruption:
    """At a point of the job's progress; of time where no point is given or no progress reported.

    With a point, time counts from the first commit, a sign of work without reports, or from the
    end of our patience; without one, from the job's start or from a standby's readiness. At that
    moment comes the hint, if `rebalance_seconds` is above 0; that much later comes the notice,
    and `notice_seconds` after that the end.
    """

    at_progress: float | None
    after_seconds: float
    notice_seconds: float
    rebalance_seconds: float = 0.0
    _counting_from: float | None = None
    _started_at: float | None = None
    _progress: float | None = None
    _due_since: float | None = None

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
            rebalance_seconds=float(plan.get("rebalance_seconds", 0.0)),
        )

    def hint_due(self, scratch: Path) -> bool:
        """Say whether it is time for a hint, if there is to be one."""
        return self.rebalance_seconds > 0 and self._has_come(scratch)

    def due(self, scratch: Path) -> bool:
        """Say whether it is time for the notice, or for the end where there is none."""
        if not self._has_come(scratch) or self._due_since is None:
            return False
        return time.monotonic() - self._due_since >= self.rebalance_seconds

    def _has_come(self, scratch: Path) -> bool:
        if self._due_since is None and self._is_reached(scratch):
            self._due_since = time.monotonic()
        return self._due_since is not None

    def _is_reached(self, scratch: Path) -> bool:
        """Say whether the planned moment is here, by the files that the agent and the job keep."""
        now = time.monotonic()
        if self._started_at is None and self._has_begun(scratch):
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

    def _has_begun(self, scratch: Path) -> bool:
        waits = self.at_progress is None and (scratch / "ready").exists()
        return waits or (scratch / "started").exists()

    def _counts(self, scratch: Path, running_seconds: float) -> bool:
        patient = self.at_progress is not None and running_seconds < PATIENCE_SECONDS
        return not patient or _has_committed(scratch)

    def _reached(self, progress: float, point: float, scratch: Path) -> bool:
        return progress >= LATEST_PROGRESS or (progress >= point and _has_committed(scratch))


def _has_committed(scratch: Path) -> bool:
    return (scratch / "committed").exists()
