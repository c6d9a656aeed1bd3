"""Time as a run sees it: the wall clock, or a rehearsal's compressed one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from finsched.model.run import ClockAnchor
from finsched.node.clock import monotonic, pause, utc_now


class Clock(Protocol):
    """Time of a run; `speed` simulated seconds pass in one real second."""

    @property
    def speed(self) -> float:
        """How many of the run's seconds pass in one real second."""
        ...

    def now(self) -> datetime:
        """Return the run's present moment, aware UTC."""
        ...

    def wall(self) -> datetime:
        """Return the real present moment, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Return real seconds that never jump, and stand still while this machine sleeps."""
        ...

    def at(self, real: datetime) -> datetime:
        """Return the run's moment for a real one."""
        ...

    def real(self, moment: datetime) -> datetime:
        """Return the real moment for one of the run."""
        ...

    def pause(self, real_seconds: float) -> None:
        """Let real seconds pass."""
        ...


class AnchoredClock:
    """Simulated time tied to real time at one moment."""

    def __init__(self, anchor: ClockAnchor) -> None:
        self.anchor = anchor

    @property
    def speed(self) -> float:
        """How many of the run's seconds pass in one real second."""
        return self.anchor.speed

    def now(self) -> datetime:
        """Return the run's present moment, aware UTC."""
        return self.at(self.wall())

    def wall(self) -> datetime:
        """Return the real present moment, aware UTC."""
        return utc_now()

    def monotonic(self) -> float:
        """Return real seconds that never jump."""
        return monotonic()

    def at(self, real: datetime) -> datetime:
        """Return the run's moment for a real one."""
        passed = (real - self.anchor.real).total_seconds()
        return self.anchor.simulated + timedelta(seconds=passed * self.speed)

    def real(self, moment: datetime) -> datetime:
        """Return the real moment for one of the run."""
        passed = (moment - self.anchor.simulated).total_seconds()
        return self.anchor.real + timedelta(seconds=passed / self.speed)

    def pause(self, real_seconds: float) -> None:
        """Let real seconds pass."""
        pause(real_seconds)


class WallClock(AnchoredClock):
    """The clock of real runs: their time is the real one."""

    def __init__(self) -> None:
        now = utc_now()
        super().__init__(ClockAnchor(real=now, simulated=now, speed=1.0))

    def at(self, real: datetime) -> datetime:
        """Return the same moment, in UTC."""
        return real.astimezone(UTC)

    def real(self, moment: datetime) -> datetime:
        """Return the same moment, in UTC."""
        return moment.astimezone(UTC)


def wall_clock() -> WallClock:
    """Return the clock of real runs."""
    return WallClock()


def anchored(simulated: datetime, speed: float) -> AnchoredClock:
    """Return a clock that reads `simulated` now and runs `speed` times as fast."""
    anchor = ClockAnchor(real=utc_now(), simulated=simulated, speed=speed)
    return AnchoredClock(anchor)
