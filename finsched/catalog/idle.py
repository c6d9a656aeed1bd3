"""What disks, snapshots and addresses cost a month, used or not."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache

from finsched.catalog.cache import data_dir


@cache
def idle_usd_per_month() -> Mapping[tuple[str, str], float]:
    """Return the price of one unit by provider and item, in the units of `idle.csv`."""
    with (data_dir() / "idle.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return {(row["provider"], row["item"]): float(row["usd_per_month"]) for row in rows}
