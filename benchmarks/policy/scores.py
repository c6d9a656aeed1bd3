"""Costs against perfect foresight: ratios of means over pools, and how sure they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.policy.cases import Case

FORESIGHT = "foresight"
_SEED = 20261122
_DRAWS = 2000
_INTERVAL = (2.5, 97.5)

Array = NDArray[np.float64]
Costs = Mapping[str, Mapping[str, float]]
Interval = tuple[float, float]
CellName = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its 95 % bootstrap interval."""

    value: float
    interval: Interval


class Scores:
    """Costs by policy and job, averaged by group of pools; every group weighs the same.

    Draws take groups with replacement, the same for all policies and settings of a mode.
    """

    def __init__(self, cases: Sequence[Case], costs: Costs) -> None:
        self.policies = [name for name in costs if name != FORESIGHT]
        self._columns = [*self.policies, FORESIGHT]
        self._cells = dict(_by_cell(cases, [costs[name] for name in self._columns]))
        chance = np.random.default_rng(_SEED)
        groups = {mode: len(table) for (_, mode), table in self._cells.items()}
        self._draws = {
            mode: chance.integers(0, count, (_DRAWS, count)) for mode, count in groups.items()
        }

    @property
    def cells(self) -> list[CellName]:
        """(setting, mode), in the order of the jobs."""
        return list(self._cells)

    def ratio(self, cell: CellName, policy: str) -> Figure:
        """Mean cost against the mean cost with perfect foresight."""
        values, draws = self._ratios(cell, policy)
        return _figure(values, draws)

    def excess(self, policy: str, cells: Iterable[CellName] | None = None) -> Figure:
        """The mean over cells of the ratio, less one."""
        value, draws = self._excess(policy, cells)
        return _figure(value, draws)

    def saves(self, policy: str, against: str) -> Figure:
        """How much lower the mean excess of a policy is than another's, drawn in pairs."""
        (ours, our_draws), (theirs, their_draws) = self._excess(policy), self._excess(against)
        return _figure(theirs - ours, their_draws - our_draws)

    def gap_closed(self, policy: str, against: str) -> float:
        """The mean share of another policy's distance to foresight that this one saves."""
        shares = []
        for cell in self.cells:
            ours, theirs = self._ratios(cell, policy)[0], self._ratios(cell, against)[0]
            if theirs > 1:
                shares.append((theirs - ours) / (theirs - 1))
        return float(np.mean(shares))

    def _excess(self, policy: str, cells: Iterable[CellName] | None = None) -> tuple[float, Array]:
        found = [self._ratios(cell, policy) for cell in cells or self.cells]
        mean_of_draws: Array = np.mean([draws for _, draws in found], axis=0)
        return float(np.mean([value for value, _ in found])) - 1, mean_of_draws - 1

    def _ratios(self, cell: CellName, policy: str) -> tuple[float, Array]:
        table, column = self._cells[cell], self._columns.index(policy)
        means = table.mean(axis=0)
        drawn = table[self._draws[cell[1]]].mean(axis=1)
        return float(means[column] / means[-1]), drawn[:, column] / drawn[:, -1]


def _figure(value: float, draws: Array) -> Figure:
    low, high = np.percentile(draws, _INTERVAL)
    return Figure(value=value, interval=(float(low), float(high)))


def _by_cell(
    cases: Sequence[Case], columns: Sequence[Mapping[str, float]]
) -> Iterable[tuple[CellName, Array]]:
    """Mean costs of every cell: a row for each group, in alphabetical order."""
    rows: dict[CellName, dict[str, list[list[float]]]] = {}
    for case in cases:
        window = case.window
        groups = rows.setdefault((window.setting, window.mode), {})
        costs = [column[window.id] for column in columns]
        groups.setdefault(window.group, []).append(costs)
    for cell, groups in rows.items():
        yield cell, np.array([np.mean(groups[name], axis=0) for name in sorted(groups)])
