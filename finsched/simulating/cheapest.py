"""What production does where there is nothing to weigh: the cheapest placement that is not cooling.

That is a job without a deadline, or one that may not run on demand.
"""

from __future__ import annotations

from collections.abc import Sequence

from finsched.decide.spot.situation import Off, Placement, Situation


class Cheapest:
    """Takes placements in the order of their quotes, and stays."""

    def __init__(self, order: Sequence[Placement]) -> None:
        self._order = order

    def decide(self, now: Situation) -> Placement:
        """The first that can be asked; nothing while all of them cool down."""
        if now.placement is not Off.IDLE:
            return now.placement
        return next((each for each in self._order if _can_be_asked(each, now)), Off.IDLE)


def _can_be_asked(placement: Placement, now: Situation) -> bool:
    return not isinstance(placement, int) or now.available[placement]
