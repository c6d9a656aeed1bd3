"""How often to save: by the age of the machine, for the job and for the committer."""

from __future__ import annotations

import contextlib
import math
import time
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Cadence:
    """The interval between saves from each age of the machine on: (age, interval) in seconds."""

    steps: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        ages = [age_seconds for age_seconds, _ in self.steps]
        if not ages or ages[0] != 0 or ages != sorted(set(ages)):
            raise ValueError("the ages of checkpoint.every_seconds must begin with 0 and rise")
        if not all(0 < every_seconds < math.inf for _, every_seconds in self.steps):
            raise ValueError("checkpoint.every_seconds must be above zero")

    @classmethod
    def read(cls, value: Any) -> Cadence:
        """Read a number or a table of the node's document; raises ValueError, TypeError, KeyError.

        A row of the table is `{"age_seconds": …, "every_seconds": …}`.
        """
        if isinstance(value, int | float):
            return cls(((0.0, float(value)),))
        return cls(tuple((float(row["age_seconds"]), float(row["every_seconds"])) for row in value))

    @property
    def by_age(self) -> bool:
        """Whether the interval changes while the machine lives."""
        return len(self.steps) > 1

    @property
    def shortest_seconds(self) -> float:
        """The interval of the age that needs most saves."""
        return min(every_seconds for _, every_seconds in self.steps)

    def at(self, age_seconds: float) -> float:
        """Return the interval at an age."""
        place = bisect_right(self.steps, (max(age_seconds, 0.0), math.inf)) - 1
        return self.steps[place][1]


class Pace:
    """The cadence as it stands on this machine now, hints of its end included."""

    def __init__(self, cadence: Cadence, *, age_seconds: float) -> None:
        self._cadence = cadence
        self._began_at = time.monotonic() - age_seconds
        self._hinted = False
        self._save_wanted = False

    @property
    def every_seconds(self) -> float:
        """The interval between saves; after a hint that of the riskiest age."""
        if self._hinted:
            return self._cadence.shortest_seconds
        return self._cadence.at(time.monotonic() - self._began_at)

    @property
    def told_seconds(self) -> float:
        """What the job reads: the interval, or 0 where a save is wanted at once."""
        return 0.0 if self._save_wanted else self.every_seconds

    @property
    def thrifty(self) -> bool:
        """Whether a save may go without an upload, because the next one comes in time.

        Where the interval is one number, the job alone decides when it saves.
        """
        return self._cadence.by_age and not self._hinted

    def hint(self) -> None:
        """The machine may be taken back soon: want a save at once, and then many."""
        self._hinted = self._save_wanted = True

    def save_began(self) -> None:
        """The job has written something: the save that was wanted is on its way."""
        self._save_wanted = False


class Thrift:
    """Spares the uploads of a job that saves more often than its machine's age asks for.

    A save is left out where the next one, as far from it as it was from the one before, comes
    before an interval has passed since the last that was kept: no more is at risk than that.
    Moments are of the monotonic clock.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._seen: object = None
        self._seen_at = -math.inf
        self._kept_at = -math.inf
        self._waits_until = -math.inf

    def is_due(self, save: object, now: float) -> bool:
        """Say whether this save, which is at rest, is to be uploaded now."""
        if save != self._seen:
            since_last, since_kept = now - self._seen_at, now - self._kept_at
            every_seconds = self._pace.every_seconds
            waits = since_kept + since_last <= every_seconds
            self._waits_until = self._kept_at + every_seconds if waits else now
            self._seen, self._seen_at = save, now
        return now >= self._waits_until or not self._pace.thrifty

    def keep(self) -> None:
        """The last save that was due is committed."""
        self._kept_at = self._seen_at


class PaceFile:
    """The file in which the job finds the present interval."""

    def __init__(self, path: Path, pace: Pace) -> None:
        self._path = path
        self._pace = pace
        self._told: float | None = None

    def update(self) -> None:
        """Write the interval where it has changed; a full disk leaves the old one."""
        if (told := self._pace.told_seconds) != self._told:
            temporary = self._path.with_suffix(".tmp")
            with contextlib.suppress(OSError):
                temporary.write_text(f"{told:g}\n")
                temporary.replace(self._path)
                self._told = told
