"""The way out when this machine fails: the nodes save, then their machines are switched off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from finsched.errors import MachineProblem
from finsched.run.attendant import Attendant
from finsched.run.clock import Clock


class Abandonment:
    """Ends attempts without a ledger to write to."""

    def __init__(
        self, problem: MachineProblem, attendants: Sequence[Attendant], clock: Clock
    ) -> None:
        self._problem = problem
        self._attendants = attendants
        self._clock = clock
        for attendant in attendants:
            attendant.wind_down("stopped")
        longest = max((each.seconds_to_save for each in attendants), default=timedelta())
        self._until = clock.wall() + longest

    def tick(self) -> float:
        """Return in how many real seconds to look again; raises the problem once all is done."""
        if self._clock.wall() < self._until and not all(each.is_gone for each in self._attendants):
            return min(each.poll_interval.total_seconds() for each in self._attendants)
        for attendant in self._attendants:
            attendant.switch_off()
        raise self._problem
