"""What our own runs saw of the spot pools, weighted by its age and by the zone it was seen in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from finsched.model.interruption import Observation
from finsched.model.market import Pool

# How these were found in recorded availability: docs/explanation/hazard.md.
OBSERVATION_HALF_LIFE_DAYS = 14.0
SIBLING_WEIGHT = 0.3

FORGOTTEN_AFTER_DAYS = 10 * OBSERVATION_HALF_LIFE_DAYS
"""What is older weighs less than a thousandth."""


class Seen(NamedTuple):
    """Interruptions in instance-hours, each counted with its weight."""

    interruptions: float = 0.0
    instance_hours: float = 0.0

    def plus(self, other: Seen, weight: float = 1.0) -> Seen:
        """Both together, the other with a weight."""
        return Seen(
            self.interruptions + weight * other.interruptions,
            self.instance_hours + weight * other.instance_hours,
        )


NOTHING_SEEN = Seen()


class Memory:
    """What was seen of every pool and of its sibling zones, as it counts on one day."""

    def __init__(self, observations: Mapping[Pool, Sequence[Observation]], today: date) -> None:
        self._own = {pool: remembered(seen, today) for pool, seen in observations.items()}
        self._regions: dict[Pool, dict[str, Seen]] = defaultdict(dict)
        for pool, seen in self._own.items():
            self._regions[pool._replace(zone="")][pool.zone] = seen

    def own(self, pool: Pool) -> Seen:
        """What was seen of the pool itself."""
        return self._own.get(pool, NOTHING_SEEN)

    def siblings(self, pool: Pool) -> Seen:
        """What was seen in the other zones of its region, at the weight of a sibling."""
        together = NOTHING_SEEN
        if self._regions:
            zones = self._regions.get(pool._replace(zone=""), {})
            for zone, seen in zones.items():
                if zone != pool.zone:
                    together = together.plus(seen, SIBLING_WEIGHT)
        return together


def remembered(observations: Sequence[Observation], today: date) -> Seen:
    """The sum of what was seen, each day's share halved with every half-life of its age."""
    together = NOTHING_SEEN
    for each in observations:
        weight = weight_of_age((today - each.day).days, OBSERVATION_HALF_LIFE_DAYS)
        together = together.plus(Seen(each.interruptions, each.instance_hours), weight)
    return together


def weight_of_age(age_days: float, half_life_days: float) -> float:
    """What is left of the weight of a figure: 1 when it is new, half after each half-life."""
    return float(0.5 ** (max(age_days, 0.0) / half_life_days))
