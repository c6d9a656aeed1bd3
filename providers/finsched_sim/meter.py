"""What the simulated clouds charge: written apart from the scheduler's own sums, to check them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

_MICROSECONDS = Decimal(1_000_000)
_AN_HOUR = Decimal(3600)
_MICRODOLLAR = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """How a machine is charged: its price, the shortest time and the step of the meter."""

    usd_per_hour: Decimal
    minimum_seconds: int
    step_seconds: int


class Meter:
    """The running charge of one machine; moments are seconds since the world's beginning."""

    def __init__(self, tariff: Tariff, began_s: float) -> None:
        self.tariff = tariff
        self.began_s = began_s
        self.ended_s: float | None = None
        self._owed_usd: Decimal | None = None  # once it has stopped

    @property
    def runs(self) -> bool:
        """Whether the machine is being charged for."""
        return self.ended_s is None

    def stop(self, at_s: float) -> None:
        """Charge no further; a meter stops once."""
        if self.ended_s is None:
            self.ended_s = max(at_s, self.began_s)

    def usd(self, now_s: float) -> Decimal:
        """Return what is owed by now."""
        if self.ended_s is None:
            return self._usd(max(now_s, self.began_s))
        if self._owed_usd is None:
            self._owed_usd = self._usd(self.ended_s)
        return self._owed_usd

    def _usd(self, end_s: float) -> Decimal:
        used = Decimal(round(end_s * 1e6) - round(self.began_s * 1e6)) / _MICROSECONDS
        step = Decimal(self.tariff.step_seconds)
        steps = (used / step).to_integral_value(rounding=ROUND_CEILING)
        charged = max(steps * step, Decimal(self.tariff.minimum_seconds))
        usd = charged * self.tariff.usd_per_hour / _AN_HOUR
        return usd.quantize(_MICRODOLLAR, rounding=ROUND_HALF_EVEN)

    def about_usd(self, now_s: float) -> float:
        """Return about what is owed by now, never less by more than one step: quick to ask."""
        end_s = self.ended_s if self.ended_s is not None else now_s
        used_s = max(end_s - self.began_s + self.tariff.step_seconds, self.tariff.minimum_seconds)
        return used_s * float(self.tariff.usd_per_hour) / 3600
