"""Reads what was recorded over time: prices, bundled and asked live, and spot availability."""

from __future__ import annotations

import sqlite3
from datetime import date
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from finsched.catalog.cache import read
from finsched.catalog.evidence import load_evidence
from finsched.catalog.live import store_path
from finsched.model.evidence import Evidence
from finsched.model.history import Availability, PriceSeries, PriceSpan
from finsched.model.market import CapacityType, Tier

_SERIES = "provider, region, instance_type, gpu, gpu_count, capacity_type, tier, daily, evidence"
PRICES = f"""
    SELECT {_SERIES}, first_day, last_day, usd_per_gpu_hour
    FROM price_history ORDER BY {_SERIES}, first_day"""  # noqa: S608
_of_one_series = itemgetter(slice(0, 9))


def price_history(
    cache_dir: Path | None = None, state_dir: Path | None = None
) -> tuple[PriceSeries, ...]:
    """Return every price that was followed over time, those that were asked live included."""
    bundled = read(_price_history, cache_dir)
    if state_dir is None or not store_path(state_dir).exists():
        return bundled
    from finsched.catalog.live_history import live_price_history  # noqa: PLC0415 - few have any

    return bundled + live_price_history(state_dir)


def availability(cache_dir: Path | None = None) -> tuple[Availability, ...]:
    """Return every measurement of how long spot machines were there."""
    return read(_availability, cache_dir)


def _price_history(connection: sqlite3.Connection) -> tuple[PriceSeries, ...]:
    evidence = load_evidence(connection, "price history")
    rows = connection.execute(PRICES)
    return tuple(
        _price_series(of_series, [row[9:] for row in spans], evidence)
        for of_series, spans in groupby(rows, _of_one_series)
    )


def _price_series(
    of_series: tuple[Any, ...],
    spans: list[tuple[str, str, float]],
    evidence: dict[int, Evidence],
) -> PriceSeries:
    provider, region, instance_type, gpu, gpu_count, capacity_type, tier, daily, source = of_series
    return PriceSeries(
        provider=provider,
        region=region,
        instance_type=instance_type,
        gpu=gpu,
        gpu_count=gpu_count,
        capacity_type=CapacityType(capacity_type),
        tier=Tier(tier),
        daily=bool(daily),
        spans=tuple(
            PriceSpan(
                first_day=date.fromisoformat(first_day),
                last_day=date.fromisoformat(last_day),
                usd_per_gpu_hour=price,
            )
            for first_day, last_day, price in spans
        ),
        evidence=evidence[source],
    )


def _availability(connection: sqlite3.Connection) -> tuple[Availability, ...]:
    evidence = load_evidence(connection, "availability")
    rows = connection.execute("SELECT * FROM availability ORDER BY rowid")
    return tuple(_measured(row, evidence) for row in rows)


def _measured(row: tuple[Any, ...], evidence: dict[int, Evidence]) -> Availability:
    provider, region, zone, instance_type, gpu, nodes, held, first_day, last_day, *figures = row
    hours, up_share, losses, mean_up_hours, mean_down_hours, source = figures
    return Availability(
        provider=provider,
        region=region,
        zone=zone,
        instance_type=instance_type,
        gpu=gpu,
        nodes=nodes,
        held=bool(held),
        first_day=date.fromisoformat(first_day),
        last_day=date.fromisoformat(last_day),
        hours=hours,
        up_share=up_share,
        losses=losses,
        mean_up_hours=mean_up_hours,
        mean_down_hours=mean_down_hours,
        evidence=evidence[source],
    )
