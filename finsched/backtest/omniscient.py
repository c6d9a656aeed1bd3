"""The least a job could cost had it known the availability: exact, by dynamic programming.

A start that is given up within its changeover buys nothing. So a best course is a list of stays,
each through its whole changeover, and progress is the ticks run less one changeover a start: a
table of costs by (starts, ticks run) for every place holds all that matters.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finsched.backtest.recorded import Window

Costs = NDArray[np.float64]
_MOST_STARTS = 64
_NOWHERE = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """A spot pool by its index, or on-demand (`pool` is None), where the data then is."""

    pool: int | None
    region: str
    price: float


def least_cost(window: Window) -> float:
    """The least cost with perfect foresight, in hours on demand; infinite if the job cannot end."""
    return _Foresight(window).least_cost()


class _Foresight:
    """Forward over the ticks: off every machine by region of the data, or running at a place."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._block = int(window.changeover_s // window.tick_s) + 1
        needed_s = window.work_s + _MOST_STARTS * window.changeover_s
        self._most_run = min(math.ceil(needed_s / window.tick_s), window.ticks) + 1
        starts = np.arange(_MOST_STARTS + 1)[:, None]
        run = np.arange(self._most_run + 1)[None, :]
        self._left_s = window.work_s + starts * window.changeover_s - run * window.tick_s
        regions = dict.fromkeys(window.regions)
        spot = [_Place(i, region, window.spot_price) for i, region in enumerate(window.regions)]
        self._places = [*spot, *(_Place(None, region, 1.0) for region in regions)]
        self._off = {region: self._nothing() for region in (_NOWHERE, *regions)}
        self._off[_NOWHERE][0, 0] = 0.0
        self._running: defaultdict[tuple[_Place, int], Costs] = defaultdict(self._nothing)
        self._best = math.inf

    def least_cost(self) -> float:
        """Go through the window once."""
        for tick in range(self._window.ticks):
            running = {place: self._running.pop((place, tick), None) for place in self._places}
            for place, costs in running.items():
                if costs is not None:
                    np.minimum(self._off[place.region], costs, out=self._off[place.region])
            for place, costs in running.items():
                if costs is not None and self._lasts(place, tick, 1):
                    self._go_on(place, tick, costs)
                if self._lasts(place, tick, self._block):
                    self._start(place, tick)
        return self._best

    def _nothing(self) -> Costs:
        return np.full((_MOST_STARTS + 1, self._most_run + 1), np.inf)

    def _lasts(self, place: _Place, tick: int, ticks: int) -> bool:
        """Whether the place can be had from `tick` on for so many ticks."""
        if tick + ticks > self._window.ticks:
            return False
        return place.pool is None or all(self._window.available[place.pool][tick : tick + ticks])

    def _go_on(self, place: _Place, tick: int, costs: Costs) -> None:
        """One more tick at the same place."""
        self._finish(costs, place, self._left_s, self._window.tick_s)
        self._run(place, tick, 1, costs)

    def _start(self, place: _Place, tick: int) -> None:
        """The whole changeover, and the rest of its last tick."""
        window = self._window
        costs = np.full_like(self._off[_NOWHERE], np.inf)
        costs[1:] = self._before(place)[:-1]
        done_s = self._block * window.tick_s
        self._finish(costs, place, self._left_s, done_s)
        self._run(place, tick, self._block, costs)

    def _before(self, place: _Place) -> Costs:
        """The least cost of being off with the data where the place needs it."""
        if place.pool is None:
            first = place.region == self._window.regions[0]
            here = self._off[place.region]
            return np.minimum(here, self._off[_NOWHERE]) if first else here
        moves = [
            costs + (self._window.egress if region not in (_NOWHERE, place.region) else 0.0)
            for region, costs in self._off.items()
        ]
        least: Costs = np.minimum.reduce(moves)
        return least

    def _finish(self, costs: Costs, place: _Place, left_s: Costs, within_s: float) -> None:
        """Remember the cheapest course that ends now."""
        bill = np.where(left_s <= within_s, costs + left_s / 3600 * place.price, np.inf)
        self._best = min(self._best, float(bill.min()))

    def _run(self, place: _Place, tick: int, ticks: int, costs: Costs) -> None:
        """Arrive so many ticks later, having run and paid them; finished courses go no further."""
        alive = np.where(self._left_s > ticks * self._window.tick_s, costs, np.inf)
        paid = alive[:, :-ticks] + ticks * self._window.tick_s / 3600 * place.price
        later = self._running[place, tick + ticks]
        np.minimum(later[:, ticks:], paid, out=later[:, ticks:])
