"""A run's own now."""

from __future__ import annotations

from datetime import datetime

from finsched.model.run import Run
from finsched.run.clock import AnchoredClock, wall_clock


def present_moment(run: Run) -> datetime:
    """Return the run's own now: a rehearsal's compressed time stands still between attempts."""
    if run.outcome is not None and run.ended_at is not None:
        return run.ended_at
    if run.anchor is None:
        return wall_clock().now()
    if not run.live_attempts and run.attempts and run.attempts[-1].ended_at:
        return run.attempts[-1].ended_at
    return AnchoredClock(run.anchor).now()
