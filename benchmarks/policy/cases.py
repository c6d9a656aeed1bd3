"""The jobs to replay: a window of recorded availability, the series it is from, stored costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finsched.backtest.recorded import Series, Window, read_series, read_windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One job; `stored` holds what others found that a policy costs on it, in hours on demand."""

    window: Window
    traces: tuple[str, ...]
    stored: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The whole series of one pool."""

    name: str
    tick_s: float
    available: Sequence[bool]

    @property
    def period(self) -> str:
        """The collection it belongs to."""
        return self.name.split("/")[0]

    @property
    def zone(self) -> str:
        """The zone of the pool."""
        return self.name.split("/")[2]


def read_cases(
    traces: Path, windows: Path, stored: str | None = None
) -> tuple[list[Case], list[Recording]]:
    """The jobs of a file of windows and every series that they use."""
    series = read_series(traces)
    entries = json.loads(windows.read_text("utf-8"))["windows"]
    cases = [
        Case(window=window, traces=tuple(entry["traces"]), stored=entry[stored] if stored else {})
        for window, entry in zip(read_windows(windows, series), entries, strict=True)
    ]
    return cases, _recordings(entries, series)


def _recordings(entries: list[dict[str, Any]], series: dict[str, Series]) -> list[Recording]:
    ticks = {name: entry["gap_s"] for entry in entries for name in entry["traces"]}
    return [
        Recording(name=name, tick_s=tick_s, available=series[name].available)
        for name, tick_s in sorted(ticks.items())
    ]
