"""Where a number comes from and how old it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Quality(StrEnum):
    """How much a figure is worth, best first."""

    LIVE = "live"  # asked of the provider's API just now
    MEASURED = "measured"  # observed, by us or by a published measurement
    LISTED = "listed"  # printed in a price list or datasheet
    DERIVED = "derived"  # computed from other listed figures
    DECLARED = "declared"  # said by the user in the job file
    ESTIMATED = "estimated"  # our own assumption


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a number comes from and how old it is.

    `earliest` and `latest` bound the day of observation; they are equal when it is known
    and None where the source does not say.
    """

    what: str
    source: str
    quality: Quality
    earliest: date | None = None
    latest: date | None = None
    note: str = ""

    @property
    def as_of(self) -> date | None:
        """The day the figure was certainly already known: the pessimistic bound of its age."""
        return self.earliest or self.latest

    def age_days(self, today: date) -> int | None:
        """Whole days since `as_of`, or None for an undated figure."""
        return None if self.as_of is None else (today - self.as_of).days
