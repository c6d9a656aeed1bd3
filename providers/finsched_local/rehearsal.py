"""When a rehearsal's machine takes itself back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(slots=True, kw_only=True)
class PlannedInterruption:
    """At a point of the job's progress, or of time while the job reports no progress at all."""

    at_progress: float | None
    after_seconds: float
    notice_seconds: float
    _job_seen_at: float | None = None

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
        """Say whether the moment has come; `started` and `progress` are the node agent's files."""
        if self._job_seen_at is None and (scratch / "started").exists():
            self._job_seen_at = time.monotonic()
        if self._job_seen_at is None:
            return False
        progress = _read_progress(scratch / "progress")
        if self.at_progress is not None and progress is not None:
            return progress >= self.at_progress
        return time.monotonic() - self._job_seen_at >= self.after_seconds


def _read_progress(path: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError):
        fraction = float(path.read_text()[:64])
        return fraction if 0.0 <= fraction <= 1.0 else None
    return None
