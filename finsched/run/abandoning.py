"""The way out when this machine fails: the nodes save, then their machines are switched off."""

from __future__ import annotations

from collections.abc import Sequence

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
        longest = max((each.seconds_to_save for each in attendants), default=0.0)
        self._until = clock.monotonic() + longest

    def tick(self) -> float:
        """Return in how many real seconds to look again; raises the problem once all is done."""
        in_time = self._clock.monotonic() < self._until
        if in_time and not all(each.is_gone for each in self._attendants):
            return min(each.seconds_to_next_look for each in self._attendants)
        for attendant in self._attendants:
            attendant.switch_off()
        raise self._problem
