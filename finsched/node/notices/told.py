"""What a provider says to a machine that it takes back, or may take back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class InterruptionNotice:
    """The machine will be taken back; `ends_at` is None where the endpoint names no moment."""

    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class RebalanceHint:
    """The machine is more likely than before to be taken back; it may also stay."""

    given_at: datetime | None


Hearing = Callable[[], InterruptionNotice | RebalanceHint | None]
"""Asks once, and returns what was said."""
