"""The cheapest way to finish: value iteration over time left, slack, changeover and the market.

Costs are in steps on demand, times in steps. Slack is time left beyond the work left: waiting and
changeovers use it up, working keeps it. Every table holds expected costs on a grid of slack.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from finsched.decide.spot.market_chain import (
    OFF_STATES,
    ON_STATES,
    Chain,
    off_state,
    on_pairs,
    on_state,
)
from finsched.decide.spot.spells import DOWN

Table = NDArray[np.float32]

_SLACK_GRID = 0.5  # steps
_KEPT_EVERY = 3  # steps of time left between two stored tables
_FORBIDDEN = np.float32(1e6)
_ROUNDING = 1e-9
_LARGEST_PRODUCT = 250_000  # multiplications; OpenBLAS takes threads above 262,144


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a plan is made for; `move` is the price of every start from off spot or another pool."""

    steps: int
    slack: float
    changeover: float
    spot_price: float
    move: float


class Plan:
    """Expected costs after a step, looked up by time left, slack and market state."""

    def __init__(self, terms: Terms, market: Chain) -> None:
        self.terms = terms
        self.phases = _phases(terms.changeover)
        off, on = _Iteration(terms, market, self.phases).tables()
        self._between_phases = [(low + high) / 2 for low, high in pairwise(self.phases)]
        self._width = off.shape[-1]
        self._layers = len(off) - 2
        self._off = memoryview(off.tobytes()).cast("f")
        self._on = memoryview(on.tobytes()).cast("f")
        self._off_layer = off[0].size
        self._on_layer = on[0].size

    def idle(self, state: int, time_left: float, slack: float) -> float:
        """The expected cost to the end when nothing runs in the coming step."""
        return self._off_cost(0, state, time_left - 1, slack - 1)

    def on_demand(self, state: int, time_left: float, slack: float, changeover: float) -> float:
        """The expected cost when on-demand runs, with so much of its changeover to go."""
        lost = min(changeover, 1.0)
        work = time_left - slack
        cost = min(1.0, work + lost)
        if work + lost <= 1:
            return cost
        row = 1 + self._phase(changeover - 1)
        return cost + self._off_cost(row, state, time_left - 1, slack - lost)

    def spot(self, state: int, time_left: float, slack: float, changeover: float) -> float:
        """The expected cost when the own pool of the state runs."""
        lost = min(changeover, 1.0)
        work = time_left - slack
        cost = self.terms.spot_price * min(1.0, work + lost)
        if work + lost <= 1:
            return cost
        row = self._phase(changeover - 1) * ON_STATES + state
        return cost + self._look(self._on, self._on_layer, row, time_left - 1, slack - lost)

    def _phase(self, changeover: float) -> int:
        return bisect_left(self._between_phases, changeover)

    def _off_cost(self, row: int, state: int, time_left: float, slack: float) -> float:
        row = row * OFF_STATES + state
        return self._look(self._off, self._off_layer, row, time_left, slack)

    def _look(
        self, table: memoryview[float], layer_size: int, row: int, time_left: float, slack: float
    ) -> float:
        """Linear between the stored times and slacks; at the edge of the table beyond it."""
        layer = min(max(time_left / _KEPT_EVERY, 0.0), self._layers + 1 - _ROUNDING)
        place = min(max(slack / _SLACK_GRID, 0.0), self._width - 1 - _ROUNDING)
        low, left = int(layer), int(place)
        at = low * layer_size + row * self._width + left
        part, later = place - left, layer - low
        here: float = table[at] + (table[at + 1] - table[at]) * part
        at += layer_size
        there: float = table[at] + (table[at + 1] - table[at]) * part
        return here + (there - here) * later


def _phases(changeover: float) -> tuple[float, ...]:
    """What can be left of a changeover at the beginning of a step, from none upwards."""
    whole = math.ceil(changeover - _ROUNDING)
    return (0.0, *sorted(changeover - gone for gone in range(1, whole)))


class _Iteration:
    """Backward in time: what the best decision costs, for every market state and slack."""

    def __init__(self, terms: Terms, market: Chain, phases: Sequence[float]) -> None:
        self._terms = terms
        self._market = market
        self._phases = phases
        self._slack = np.arange(0, terms.slack + 1, _SLACK_GRID)
        self._starts, self._restarts = _start_states(), _on_to_off()
        width = len(self._slack)
        off, on = (np.zeros((states, width), np.float32) for states in (OFF_STATES, ON_STATES))
        self._idle, self._on_demand, self._spot = off, [off] * len(phases), [on] * len(phases)

    def tables(self) -> tuple[Table, Table]:
        """Expected costs after a step: [time, idle and on-demand phases], [time, spot phases]."""
        kept_off, kept_on = [], []
        layers = math.ceil(self._terms.steps / _KEPT_EVERY) + 2
        for time_left in range(layers * _KEPT_EVERY):
            off, on = self._expected()
            if time_left % _KEPT_EVERY == 0:
                kept_off.append(off)
                kept_on.append(on)
            self._decide(time_left + 1, off, on)
        return np.stack(kept_off), np.stack(kept_on)

    def _expected(self) -> tuple[Table, Table]:
        off = np.stack([_product(self._market.off, v) for v in (self._idle, *self._on_demand)])
        lost = _product(self._market.lost, self._idle)
        on = np.stack([_product(self._market.lasts, value) + lost for value in self._spot])
        return off, on

    def _decide(self, time_left: int, off: Table, on: Table) -> None:
        """The best action of every state with so many steps left."""
        terms, done = self._terms, time_left - self._slack <= _ROUNDING
        idle = np.where(self._slack - 1 >= terms.changeover, self._shift(off[0], 1.0), _FORBIDDEN)
        on_demand = self._run(time_left, off[1:], terms.changeover, 1.0)
        spot = self._on_spot(time_left, on, terms.changeover)
        starts = spot[self._starts] + np.float32(terms.move)
        starts[off_state(DOWN, DOWN, 0) :] = _FORBIDDEN
        leaves = np.minimum(idle, starts)
        gives_up = np.minimum(idle, on_demand)[self._restarts]
        self._idle = np.where(done, 0, np.minimum(leaves, on_demand))
        self._on_demand = [
            np.where(done, 0, np.minimum(leaves, self._run(time_left, off[1:], phase, 1.0)))
            for phase in self._phases
        ]
        self._spot = [
            np.where(done, 0, np.minimum(gives_up, self._on_spot(time_left, on, phase)))
            for phase in self._phases
        ]

    def _on_spot(self, time_left: int, on: Table, changeover: float) -> Table:
        """Forbidden where a loss would leave too little slack for a start on demand."""
        cost = self._run(time_left, on, changeover, self._terms.spot_price)
        after = self._slack - min(changeover, 1.0)
        return np.where(after >= self._terms.changeover - _ROUNDING, cost, _FORBIDDEN)

    def _run(self, time_left: int, after: Table, changeover: float, price: float) -> Table:
        lost = min(changeover, 1.0)
        billed = np.clip(time_left - self._slack + lost, 0, 1).astype(np.float32)
        phase = self._phases.index(max(changeover - 1, 0.0))
        cost: Table = np.float32(price) * billed + self._shift(after[phase], lost)
        return cost

    def _shift(self, table: Table, lost: float) -> Table:
        """The table at a slack that is `lost` smaller."""
        if lost <= 0:
            return table
        place = np.clip(self._slack - lost, 0, None) / _SLACK_GRID
        left = np.floor(place + _ROUNDING).astype(int)
        part = (place - left).astype(np.float32)
        right = np.minimum(left + 1, len(place) - 1)
        shifted: Table = table[:, left] * (1 - part) + table[:, right] * part
        return shifted


def _product(chances: Table, values: Table) -> Table:
    """The matrix product, in pieces so small that BLAS starts no threads that wait for a core."""
    width = max(_LARGEST_PRODUCT // chances.size, 1)
    pieces = range(0, values.shape[1], width)
    return np.concatenate([chances @ values[:, at : at + width] for at in pieces], axis=1)


def _start_states() -> NDArray[np.intp]:
    """For every state off spot, the state after a start in its oldest pool."""
    starts = np.zeros(OFF_STATES, np.intp)
    for own, other in on_pairs():
        if other <= own:
            starts[off_state(own, other, 0)] = on_state(own, other)
    return starts


def _on_to_off() -> NDArray[np.intp]:
    """For every state on spot, the same market seen from off spot."""
    return np.array([off_state(own, other, 0) for own, other in on_pairs()], np.intp)
