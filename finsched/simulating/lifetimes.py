"""How long a spell lasts, where its chance to end depends on its age."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from finsched.decide.spot.spells import AGE_EDGES_S, STEP_S


class Lifetimes:
    """Lengths of spells in seconds; within an age class the hazard is constant.

    `ends` are the chances to end within one step, by age class; 1 ends a spell at once.
    """

    def __init__(self, ends: Sequence[float]) -> None:
        self._ages = (0.0, *AGE_EDGES_S)
        self._rates = [-math.log1p(-end) / STEP_S if end < 1 else math.inf for end in ends]
        self._hazards, self._alive, self._areas = [0.0], [1.0], [0.0]
        widths = [later - age for age, later in zip(self._ages, AGE_EDGES_S, strict=False)]
        for width, rate in zip((*widths, math.inf), self._rates, strict=True):
            survives = math.exp(-rate * width)
            self._areas.append(self._areas[-1] + self._alive[-1] * (1 - survives) / rate)
            self._alive.append(self._alive[-1] * survives)
            self._hazards.append(self._hazards[-1] + rate * width)
        self.mean_s = self._areas[-1]

    def whole_s(self, chance: float) -> float:
        """The length of a new spell at a uniform draw from [0, 1)."""
        hazard = -math.log1p(-chance)
        at = min(bisect_right(self._hazards, hazard), len(self._rates)) - 1
        return self._ages[at] + (hazard - self._hazards[at]) / self._rates[at]

    def rest_s(self, chance: float) -> float:
        """What is left of a spell that is met at a random moment: density S(t) over the mean."""
        area = chance * self.mean_s
        at = min(bisect_right(self._areas, area), len(self._rates)) - 1
        share = (area - self._areas[at]) / self._alive[at]
        return self._ages[at] - math.log1p(-share * self._rates[at]) / self._rates[at]
