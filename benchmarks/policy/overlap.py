"""A course that makes before it breaks: the old machine works on while the next one starts."""

from __future__ import annotations

from collections.abc import Sequence

from finsched.backtest.course import Course
from finsched.decide.spot.situation import Off, Placement, SpotJob


class Overlap(Course):
    """Both machines are billed until the new one has started; losing that one costs no time.

    The policy is not told: it counts every start as time without work.
    """

    def __init__(self, job: SpotJob) -> None:
        super().__init__(job)
        self._told = job
        self._working: Placement = Off.IDLE

    def take_back(self, available: Sequence[bool]) -> None:
        """Either machine can be lost; while the old one lasts, the job falls back to it."""
        if isinstance(self._working, int) and not available[self._working]:
            self._working = Off.IDLE
            self.interruptions += 1
        super().take_back(available)
        if self.placement is Off.IDLE and self._working is not Off.IDLE:
            self._return()

    def go_to(self, placement: Placement) -> None:
        """Leave the machine that works only once the next one can."""
        if placement == self.placement:
            return
        working = self._working if self.changeover_left_s > 0 else self.placement
        self._working = Off.IDLE if placement is Off.IDLE else working
        if placement != Off.IDLE and placement == working:
            self._return()
        else:
            super().go_to(placement)

    def run_for(self, time_s: float) -> bool:
        """Work and pay on both until the new machine has started."""
        if self._working is Off.IDLE:
            return super().run_for(time_s)
        both_s = min(self.changeover_left_s, time_s, self.work_left_s)
        self.work_left_s -= both_s
        self.cost += both_s / 3600 * self._price_per_hour(self._working)
        if self.work_left_s <= 0:
            self.cost += both_s / 3600 * self._price_per_hour(self.placement)
            return True
        finished = super().run_for(time_s)
        if self.changeover_left_s <= 0:
            self._working = Off.IDLE
        return finished

    def _return(self) -> None:
        self.placement, self._working = self._working, Off.IDLE
        self.changeover_left_s = 0.0

    def _price_per_hour(self, placement: Placement) -> float:
        if isinstance(placement, int):
            return self._told.pools[placement].price_per_hour
        return self._told.on_demand_price_per_hour
