"""What a backtest adds up to: cost by setting and mode, every group of pools weighing the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from finsched.backtest.recorded import Window
from finsched.backtest.replay import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A replayed window, with its least cost under perfect foresight where that was asked for."""

    window: Window
    outcome: Outcome
    omniscient: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The results of one setting and mode; `norm_cost` is cost per hour of work on demand.

    `ratio_of_means` is mean cost against the mean least cost under perfect foresight.
    """

    setting: str
    mode: str
    windows: int
    norm_cost: float
    ratio_of_means: float | None
    misses: int
    starts: float


def cells(results: Sequence[Result]) -> list[Cell]:
    """One cell for every setting and mode, in the order they first appear."""
    named: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        named.setdefault((result.window.setting, result.window.mode), []).append(result)
    return [_cell(*name, of_cell) for name, of_cell in named.items()]


def _cell(setting: str, mode: str, results: Sequence[Result]) -> Cell:
    cost = _mean_of_groups((r.window.group, r.outcome.cost) for r in results)
    least = [(r.window.group, r.omniscient) for r in results if r.omniscient is not None]
    return Cell(
        setting=setting,
        mode=mode,
        windows=len(results),
        norm_cost=cost / results[0].window.work_s * 3600,
        ratio_of_means=cost / _mean_of_groups(least) if least else None,
        misses=sum(r.outcome.missed for r in results),
        starts=_mean_of_groups((r.window.group, float(r.outcome.starts)) for r in results),
    )


def _mean_of_groups(values: Iterable[tuple[str, float]]) -> float:
    groups: dict[str, list[float]] = {}
    for group, value in values:
        groups.setdefault(group, []).append(value)
    return fmean(map(fmean, groups.values()))
