"""How soon a run in a process with many others is worth another look."""

from __future__ import annotations

from datetime import datetime

from finsched.model.run import AttemptState, Run

QUIET_LOOKS = 8
LONGEST_STRETCH = 4.0
LONGEST_SECONDS = 60.0
LOOKS_IN_A_LEASE = 6.0


def seconds_to_next_look(
    run: Run,
    wanted_seconds: float,
    *,
    quiet_looks: int,
    lease_seconds: float,
    now: datetime,
    limit_at: datetime | None = None,
) -> float:
    """Return in how many seconds to look at a run again, at most what it asked for where it stirs.

    A run that works and had no news for some looks is looked at less often: up to four times less,
    six times a lease at least, and in time for `limit_at`, its own next limit.
    """
    if quiet_looks < QUIET_LOOKS or not _works_calmly(run):
        return wanted_seconds
    stretch = min(quiet_looks / QUIET_LOOKS, LONGEST_STRETCH)
    longest = min(LONGEST_SECONDS, lease_seconds / LOOKS_IN_A_LEASE)
    if limit_at is not None:
        longest = min(longest, (limit_at - now).total_seconds())
    return max(min(wanted_seconds * stretch, longest), wanted_seconds)


def _works_calmly(run: Run) -> bool:
    live = run.live_attempts
    return (
        len(live) == 1
        and live[0].state is AttemptState.RUNNING
        and live[0].notice_at is None
        and run.stop_requested is None
    )
