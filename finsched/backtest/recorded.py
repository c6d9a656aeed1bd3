"""Recorded availability: series from files, and the windows of them that jobs are replayed in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finsched.errors import SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Whether a pool had machines to give, tick by tick."""

    region: str
    available: Sequence[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One job on some pools; prices are in hours on demand."""

    id: str
    setting: str
    mode: str
    group: str
    tick_s: float
    work_s: float
    changeover_s: float
    spot_price: float
    egress: float
    regions: tuple[str, ...]
    available: tuple[tuple[bool, ...], ...]

    @property
    def ticks(self) -> int:
        """Ticks until the deadline."""
        return len(self.available[0])


def read_series(folder: Path) -> dict[str, Series]:
    """Every `<collection>/<pool>.json` below a folder, by the name that windows use."""
    files = sorted(folder.glob("*/*.json"))
    if not files:
        raise SpecError(
            f"there are no traces in {folder}",
            fix="name the folder that holds <collection>/<pool>.json",
        )
    return dict(map(_series, files))


def read_windows(file: Path, series: dict[str, Series]) -> list[Window]:
    """The windows of a file, with their part of each series."""
    try:
        document = json.loads(file.read_text("utf-8"))
        return [_window(entry, series) for entry in document["windows"]]
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot read {file}: {error}", fix="name a file of windows") from error
    except KeyError as error:
        raise SpecError(
            f"{file} names {error}, which is not there",
            fix="give the traces that the windows were drawn from",
        ) from error


def _series(file: Path) -> tuple[str, Series]:
    entry = json.loads(file.read_text("utf-8"))
    gang = f"@{entry['nodes']}n" if entry["nodes"] > 1 else ""
    zone = entry["pool"].split("/")[1]
    flags = [value == 1 for value, ticks in entry["available"] for _ in range(ticks)]
    name = f"{entry['collection']}/{entry['pool']}{gang}"
    return name, Series(region=zone[:-1], available=flags)


def _window(entry: dict[str, Any], series: dict[str, Series]) -> Window:
    first, ticks = entry["start_tick"], entry["ticks"]
    pools = [series[name] for name in entry["traces"]]
    return Window(
        id=entry["id"],
        setting=entry["setting"],
        mode=entry["mode"],
        group=entry["group"],
        tick_s=entry["gap_s"],
        work_s=entry["work_s"],
        changeover_s=entry["changeover_s"],
        spot_price=entry["spot_price"],
        egress=entry["egress"],
        regions=tuple(pool.region for pool in pools),
        available=tuple(tuple(pool.available[first : first + ticks]) for pool in pools),
    )
