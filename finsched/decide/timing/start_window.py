"""Whether a run may start its first attempt now: not too early, and not too late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from finsched.model.job import StartWindow, When, as_moment

if TYPE_CHECKING:
    from finsched.model.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class TooEarly:
    """Nothing may start before `until`."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLate:
    """Nothing has started in time, and nothing may any more."""

    why: str


def opens_at(run: Run) -> datetime | None:
    """Return the moment from which the run may start, or None where it always may."""
    window = run.job.start
    if window is None or window.after is None:
        return None
    return as_moment(window.after, run.submitted_at)


def closes_at(run: Run) -> datetime | None:
    """Return the moment by which the run must have started, or None where there is none."""
    window = run.job.start
    if window is None or window.before is None:
        return None
    return as_moment(window.before, run.submitted_at)


def outside(run: Run, now: datetime) -> TooEarly | TooLate | None:
    """Return why the run may not start now; None also for good once an attempt has started.

    A live attempt was launched in time: it is left to start.
    """
    if run.live_attempt or any(attempt.started_at for attempt in run.attempts):
        return None
    closes = closes_at(run)
    if closes is not None and now >= closes:
        why = f"not started by {said(closes)}, as start.before asks; launch it with a later one"
        return TooLate(why=why)
    opens = opens_at(run)
    if opens is not None and now < opens:
        return TooEarly(until=opens, why=f"start.after asks for {said(opens)} or later")
    return None


def window_said(window: StartWindow) -> str:
    """Return a window for people: `from 8 h after launch, before 24 h after launch`."""
    parts = []
    if window.after is not None:
        parts.append(f"from {said(window.after)}")
    if window.before is not None:
        parts.append(f"before {said(window.before)}")
    return ", ".join(parts)


def said(when: When) -> str:
    """Return a time for people: `2026-12-01 22:00 UTC`, or `8 h after launch`."""
    if isinstance(when, datetime):
        return f"{when:%Y-%m-%d %H:%M} UTC"
    hours = when.total_seconds() / 3600
    return f"{hours:.4g} h after launch" if hours < 48 else f"{hours / 24:.4g} d after launch"
