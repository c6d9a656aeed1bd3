"""What a person may be told about."""

from __future__ import annotations

from enum import StrEnum


class About(StrEnum):
    """What a notification is about."""

    INTERRUPTION = "interruption"  # a machine was lost
    FALLBACK = "fallback"  # on demand after spot
    BUDGET = "budget"  # half, most or all of it is spent
    STALE_CHECKPOINT = "stale_checkpoint"
    STALLED_JOB = "stalled_job"
    END = "end"
