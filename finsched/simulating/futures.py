"""Seeded futures of a market: when each pool has machines, and when it has none.

Every draw depends on the seed, the number of the future and the pool alone, so that all policies
meet the same futures.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from random import Random
from statistics import NormalDist

from finsched.decide.offers.hazard import gamma_quantile
from finsched.decide.spot.situation import Pool
from finsched.decide.spot.spells import MEASURED, Beliefs
from finsched.simulating.lifetimes import Lifetimes

_NORMAL = NormalDist()
_Z_80_PERCENT = _NORMAL.inv_cdf(0.9)


class PoolFuture:
    """The spells of one pool, drawn as far as they are asked for."""

    def __init__(self, draw: Random, up: Lifetimes, down: Lifetimes, stretch: float) -> None:
        self._draw, self._up, self._down, self._stretch = draw, up, down, stretch
        mean_up_s = up.mean_s * stretch
        share = 1.0 if math.isinf(mean_up_s) else mean_up_s / (mean_up_s + down.mean_s)
        self._begins_up = draw.random() < share
        first = (
            up.rest_s(draw.random()) * stretch if self._begins_up else down.rest_s(draw.random())
        )
        self._changes = [0.0, first]

    def spell(self, at_s: float) -> tuple[bool, float]:
        """Whether it has machines at a moment, and until when that stays so."""
        changes = self._changes
        while changes[-1] <= at_s:
            chance = self._draw.random()
            goes_up = self._begins_up is (len(changes) % 2 == 1)
            length_s = (
                self._up.whole_s(chance) * self._stretch if goes_up else self._down.whole_s(chance)
            )
            changes.append(changes[-1] + length_s)
        at = bisect_right(changes, at_s) - 1
        return self._begins_up is (at % 2 == 0), changes[at + 1]


class Futures:
    """Futures of some pools, by number.

    `shapes` are those of the Gamma posteriors of the pools' rates, None where a rate is certain.
    The pools of one region share the draw of the rate: what is known of them has one source.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        shapes: Sequence[float | None],
        *,
        seed: int,
        beliefs: Beliefs = MEASURED,
    ) -> None:
        self._pools, self._shapes, self._seed = pools, shapes, seed
        self._up, self._down = Lifetimes(beliefs.up_ends), Lifetimes(beliefs.down_ends)
        self._measured_s = 3600 / beliefs.losses_per_hour_up

    def future(self, number: int) -> list[PoolFuture]:
        """The pools of one future, the same at every call."""
        regions = sorted({pool.region for pool in self._pools})
        z = {region: self._normal(f"{number}/{region}") for region in regions}
        return [
            PoolFuture(
                _random(f"{self._seed}/{number}/{index}"),
                self._up,
                self._down,
                self._stretch(pool.hazard_ratio * rate_drawn(shape, z[pool.region])),
            )
            for index, (pool, shape) in enumerate(zip(self._pools, self._shapes, strict=True))
        ]

    def _stretch(self, ratio: float) -> float:
        """How much longer than measured its up spells are, to be as many as the pool's hazard."""
        return self._measured_s / self._up.mean_s / ratio if ratio > 0 else math.inf

    def _normal(self, name: str) -> float:
        return _NORMAL.inv_cdf(max(_random(f"{self._seed}/{name}").random(), 1e-12))


def _random(name: str) -> Random:
    return Random(name)  # noqa: S311 - seeded on purpose


def rate_drawn(shape: float | None, z: float) -> float:
    """A draw of a rate against its mean, at a standard normal draw (Wilson and Hilferty, 1931)."""
    return 1.0 if shape is None else gamma_quantile(shape, z) / shape


def shape_of(mean: float, low: float, high: float) -> float | None:
    """The shape of a Gamma posterior from its mean and central 80 %; None for a single point.

    The inverse of what gives the interval: cube roots are nearly normal, with deviation
    1 / (3 sqrt(shape)); where the interval begins at zero, its upper end tells.
    """
    if high <= low:
        return None
    upper: float = (high / mean) ** (1 / 3)
    if low > 0:
        lower: float = (low / mean) ** (1 / 3)
        return (2 * _Z_80_PERCENT / 3 / (upper - lower)) ** 2
    half = _Z_80_PERCENT / 3
    spread = math.sqrt(max(0.0, half**2 - 4 / 9 * (upper - 1)))
    least = math.sqrt(half**2 + 4 / 9) - half  # below it the interval would begin above zero
    root = half - spread if half - spread >= least else half + spread
    return 1 / (4.5 * root) ** 2
