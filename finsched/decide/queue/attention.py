"""How soon a run in a process with many others is worth another look."""

from __future__ import annotations

from datetime import datetime

from finsched.model.run import AttemptState, Run

QUIET_LOOKS = 8
LONGEST_STRETCH = 4.0
LONGEST_SECONDS = 60.0
LOOKS_IN_A_LEASE = 6.0
LOOKS_PER_SECOND = 300.0
"""What all calm runs of a process may take together; their machines are polled all the same."""


def seconds_to_next_look(
    run: Run,
    wanted_seconds: float,
    *,
    quiet_looks: int,
    runs: int,
    lease_seconds: float,
    now: datetime,
    limit_at: datetime | None = None,
) -> float:
    """Return in how many seconds to look at a run again, at most what it asked for where it stirs.

    A run that works is looked at as often as so many `runs` leave time for. One that had no news
    for some looks is looked at up to four times less often. That is six times a lease at least,
    and in time for `limit_at`, its own next limit.
    """
    if not _works_calmly(run):
        return wanted_seconds
    stretch = min(max(quiet_looks / QUIET_LOOKS, 1.0), LONGEST_STRETCH)
    wished = max(wanted_seconds * stretch, runs / LOOKS_PER_SECOND)
    longest = min(LONGEST_SECONDS, lease_seconds / LOOKS_IN_A_LEASE)
    if limit_at is not None:
        longest = min(longest, (limit_at - now).total_seconds())
    return max(min(wished, longest), wanted_seconds)


def _works_calmly(run: Run) -> bool:
    live = run.live_attempts
    return (
        len(live) == 1
        and live[0].state is AttemptState.RUNNING
        and live[0].notice_at is None
        and run.stop_requested is None
    )
