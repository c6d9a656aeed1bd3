"""What a person is told of a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class About(StrEnum):
    """What a notification is about."""

    INTERRUPTION = "interruption"  # a machine was lost
    FALLBACK = "fallback"  # on demand after spot
    BUDGET = "budget"  # half, most or all of it is spent
    STALE_CHECKPOINT = "stale_checkpoint"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Something that a person wants to hear of at once; `good` is None for neither good nor bad."""

    about: About
    run: str
    title: str
    text: str
    good: bool | None = False
