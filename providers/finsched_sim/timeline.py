"""Virtual time: what happens in a simulated world, moment by moment, in one order."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count


class Appointment:
    """Something that will happen, unless it is called off."""

    __slots__ = ("act", "at_s", "called_off")

    def __init__(self, at_s: float, act: Callable[[], None]) -> None:
        self.at_s = at_s
        self.act = act
        self.called_off = False

    def call_off(self) -> None:
        """It will not happen."""
        self.called_off = True


class Timeline:
    """The moments of a world in seconds since its beginning, and what is due at each."""

    def __init__(self, began_at: datetime) -> None:
        self.began_at = began_at
        self.now_s = 0.0
        self.observer: Callable[[], None] | None = None  # looks after everything that happened
        self._due: list[tuple[float, int, Appointment]] = []
        self._numbers = count()

    def now(self) -> datetime:
        """Return the present moment, aware UTC."""
        return self.moment(self.now_s)

    def moment(self, at_s: float) -> datetime:
        """Return the moment so many seconds after the beginning."""
        return self.began_at + timedelta(seconds=at_s)

    def seconds(self, moment: datetime) -> float:
        """Return how many seconds after the beginning a moment is."""
        return (moment - self.began_at).total_seconds()

    def after(self, seconds: float, act: Callable[[], None]) -> Appointment:
        """Do something so many seconds from now; what is due at one moment keeps its order."""
        appointment = Appointment(self.now_s + max(seconds, 0.0), act)
        heapq.heappush(self._due, (appointment.at_s, next(self._numbers), appointment))
        return appointment

    def run_until(self, end_s: float) -> None:
        """Let everything happen that is due until then; what happens may let time pass itself."""
        due = self._due
        while due and due[0][0] <= end_s:
            at_s, _, appointment = heapq.heappop(due)
            if not appointment.called_off:
                self.now_s = max(self.now_s, at_s)
                appointment.act()
                if self.observer:
                    self.observer()
        self.now_s = max(self.now_s, end_s)

    def let_pass(self, seconds: float) -> None:
        """Let time pass, and with it what is due meanwhile."""
        self.run_until(self.now_s + seconds)
