"""What a backtest adds up to: cost by setting and mode, every group of pools weighing the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from finsched.backtest.recorded import Window
from finsched.backtest.replay import Outcome

Result = tuple[Window, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The results of one setting and mode; `norm_cost` is cost per hour of work on demand."""

    setting: str
    mode: str
    windows: int
    norm_cost: float
    misses: int
    starts: float


def cells(results: Sequence[Result]) -> list[Cell]:
    """One cell for every setting and mode, in the order they first appear."""
    names = dict.fromkeys((window.setting, window.mode) for window, _ in results)
    return [_cell([r for r in results if (r[0].setting, r[0].mode) == name]) for name in names]


def _cell(results: Sequence[Result]) -> Cell:
    window, _ = results[0]
    return Cell(
        setting=window.setting,
        mode=window.mode,
        windows=len(results),
        norm_cost=_mean_of_groups((w.group, o.cost / w.work_s * 3600) for w, o in results),
        misses=sum(outcome.missed for _, outcome in results),
        starts=_mean_of_groups((w.group, float(o.starts)) for w, o in results),
    )


def _mean_of_groups(values: Iterable[tuple[str, float]]) -> float:
    groups: dict[str, list[float]] = {}
    for group, value in values:
        groups.setdefault(group, []).append(value)
    return fmean(map(fmean, groups.values()))
