"""What was recorded of prices and of spot availability in the past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from finsched.model.evidence import Evidence
from finsched.model.market import CapacityType, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSpan:
    """A price that every look from `first_day` to `last_day` showed, per GPU."""

    first_day: date
    last_day: date
    usd_per_gpu_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSeries:
    """The price of one GPU over time, in one place and way of buying; spans are in order.

    `instance_type` is "" for a list that prices GPUs, not machines; `zone` is "" where the price is
    its region's. A `daily` series was looked at
    every day of its spans; any other only at a few moments, so its price holds until the next span.
    """

    provider: str
    region: str
    instance_type: str
    gpu: str
    gpu_count: int
    capacity_type: CapacityType
    tier: Tier
    daily: bool
    spans: tuple[PriceSpan, ...]
    evidence: Evidence
    zone: str = ""

    @property
    def first(self) -> PriceSpan:
        """The span that was recorded first."""
        return self.spans[0]

    @property
    def last(self) -> PriceSpan:
        """The span that was recorded last."""
        return self.spans[-1]

    @property
    def lowest(self) -> PriceSpan:
        """The span with the lowest price, the first of them."""
        return min(self.spans, key=lambda span: span.usd_per_gpu_hour)

    @property
    def highest(self) -> PriceSpan:
        """The span with the highest price, the first of them."""
        return max(self.spans, key=lambda span: span.usd_per_gpu_hour)

    @property
    def change_percent(self) -> float:
        """What the last price is above the first, in percent of the first."""
        return 100 * (self.last.usd_per_gpu_hour / self.first.usd_per_gpu_hour - 1)

    @property
    def changes(self) -> int:
        """How often a span's price differs from the one before."""
        prices = [span.usd_per_gpu_hour for span in self.spans]
        return sum(one != other for one, other in pairwise(prices))

    def price_on(self, day: date) -> float | None:
        """Return the price of a day, or None where nobody looked."""
        begun = [span for span in self.spans if span.first_day <= day]
        if not begun or day > self.last.last_day:
            return None
        if self.daily and day > begun[-1].last_day:
            return None
        return begun[-1].usd_per_gpu_hour

    def daily_prices(self) -> list[tuple[date, float]]:
        """Return every day that was looked at, with its price; empty unless the series is daily."""
        if not self.daily:
            return []
        return [
            (span.first_day + timedelta(days=number), span.usd_per_gpu_hour)
            for span in self.spans
            for number in range((span.last_day - span.first_day).days + 1)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """How much of the time spot machines were there, measured in one zone.

    `up_share` is the share of the time in which all `nodes` machines were there, `losses` how often
    that ended. `held` machines ran; others were only asked for, again and again. Zone names of AWS
    differ between accounts.
    """

    provider: str
    region: str
    zone: str
    instance_type: str
    gpu: str
    nodes: int
    held: bool
    first_day: date
    last_day: date
    hours: float
    up_share: float
    losses: int
    mean_up_hours: float
    mean_down_hours: float
    evidence: Evidence
