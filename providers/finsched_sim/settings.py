"""The table `[sim]` of the config file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finsched.settings_values import number, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSettings:
    """What the simulated cloud is like, and how long a job works there."""

    seed: int = 1
    boot_seconds: float = 1.0
    work_seconds: float = 60.0
    losses_per_hour: float = 0.0


def sim_settings(table: Mapping[str, Any]) -> SimSettings:
    """Read the table; raises SpecError naming the key."""
    return SimSettings(**read_table("sim", table, _READERS))


def _seed(value: Any) -> int:
    return int(number(value))


_READERS = {
    "seed": _seed,
    "boot_seconds": number,
    "work_seconds": number,
    "losses_per_hour": number,
}
