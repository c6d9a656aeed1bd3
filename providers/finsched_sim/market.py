"""What the simulated clouds sell: zones, machines, price paths, capacity that comes and goes."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from random import Random

from finsched.model.market import BillingRule, CapacityType, InstanceType, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spells:
    """A capacity that comes and goes: the moments at which it changes, beginning with some."""

    changes_s: tuple[float, ...] = ()

    def has_some(self, at_s: float) -> bool:
        """Whether there is capacity at a moment."""
        return bisect_right(self.changes_s, at_s) % 2 == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePath:
    """A price per hour that holds until the next change; the first entry begins at 0."""

    steps: tuple[tuple[float, float], ...]

    def at(self, at_s: float) -> float:
        """Return the price in USD per hour at a moment."""
        return self.steps[bisect_right(self.steps, (at_s, float("inf"))) - 1][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One pool at one way of buying: its price, its capacity, and how often machines are lost."""

    instance_type: InstanceType
    region: str
    zone: str
    capacity_type: CapacityType
    price: PricePath
    capacity: Spells = field(default_factory=Spells)
    losses_per_hour: float = 0.0
    room: int | None = None  # for so many machines at once, None for any number

    @property
    def pool(self) -> Pool:
        """The pool that it draws from."""
        return Pool(self.instance_type.provider, self.region, self.zone, self.instance_type.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPlan:
    """One simulated cloud; times in seconds.

    `list_lag_s` is how late lists and states tell of a change. With `has_timer` the cloud itself
    ends a machine at the moment that was set when it was created. `breaks_off` is the chance that
    the call for a gang ends without an answer when only a part of it is made.
    """

    name: str
    shelves: tuple[Shelf, ...]
    billing: BillingRule = field(default_factory=BillingRule)
    boot_s: tuple[float, float] = (60.0, 240.0)
    notice_s: float = 120.0
    shutdown_s: float = 20.0
    list_lag_s: float = 0.0
    has_timer: bool = False
    breaks_off: float = 0.0
    quota: dict[CapacityType, int] = field(default_factory=dict)
    poll_s: float = 15.0

    def shelf(self, pool: Pool, capacity_type: CapacityType) -> Shelf | None:
        """Return where a pool is sold in this way."""
        same = (s for s in self.shelves if s.pool == pool and s.capacity_type is capacity_type)
        return next(same, None)


def spells(dice: Random, *, until_s: float, up_s: float, down_s: float) -> Spells:
    """Draw a capacity that is there for about `up_s` and away for about `down_s`, in turn."""
    changes: list[float] = []
    at_s = 0.0
    while at_s < until_s:
        mean_s = up_s if len(changes) % 2 == 0 else down_s
        at_s += dice.expovariate(1 / mean_s)
        changes.append(at_s)
    return Spells(changes_s=tuple(changes))


def price_path(dice: Random, *, until_s: float, usd_per_hour: float, every_s: float) -> PricePath:
    """Draw a price that wanders between two thirds and three halves of its beginning."""
    steps, at_s, factor = [(0.0, usd_per_hour)], 0.0, 1.0
    while (at_s := at_s + dice.expovariate(1 / every_s)) < until_s:
        factor = min(max(factor * dice.uniform(0.9, 1.12), 2 / 3), 1.5)
        steps.append((at_s, round(usd_per_hour * factor, 4)))
    return PricePath(steps=tuple(steps))
