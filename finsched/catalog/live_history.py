"""The prices that refreshes have seen over time, as series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

from finsched.catalog.live import rows
from finsched.model.evidence import Evidence, Quality
from finsched.model.history import PriceSeries, PriceSpan
from finsched.model.market import CapacityType, Tier

SOURCE = "asked by finsched"
ONE_DAY = timedelta(days=1)
_SERIES = (
    "provider, region, zone, instance_type, gpu, gpu_count, capacity_type, tier"  # the first eight
)
_HISTORY = f"""
    SELECT {_SERIES}, date(first_at), date(last_at), price_usd_per_hour, watched
    FROM history JOIN machine USING (provider)
    WHERE machine.name = history.instance_type AND machine.gpu_count > 0
    ORDER BY {_SERIES}, first_at"""  # noqa: S608
_of_one_series = itemgetter(slice(0, 8))


def live_price_history(state_dir: Path) -> tuple[PriceSeries, ...]:
    """Return every series of live prices, per GPU. Raises MachineProblem."""
    told = rows(state_dir, _HISTORY)
    return tuple(_series(key, list(group)) for key, group in groupby(told, _of_one_series))


def _series(key: tuple[Any, ...], told: Sequence[tuple[Any, ...]]) -> PriceSeries:
    provider, region, zone, instance_type, gpu, gpu_count, capacity_type, tier = key
    spans = _by_day([_span(row[8:11], gpu_count) for row in told])
    return PriceSeries(
        provider=provider,
        region=region,
        zone=zone,
        instance_type=instance_type,
        gpu=gpu or "",
        gpu_count=gpu_count,
        capacity_type=CapacityType(capacity_type),
        tier=Tier(tier),
        daily=all(row[11] for row in told),
        spans=tuple(spans),
        evidence=Evidence(
            what="price history",
            source=SOURCE,
            quality=Quality.MEASURED,
            earliest=spans[0].first_day,
            latest=spans[-1].last_day,
        ),
    )


def _span(row: tuple[str, str, float], gpu_count: int) -> PriceSpan:
    first_day, last_day, usd_per_hour = row
    return PriceSpan(
        first_day=date.fromisoformat(first_day),
        last_day=date.fromisoformat(last_day),
        usd_per_gpu_hour=usd_per_hour / gpu_count,
    )


def _by_day(spans: Sequence[PriceSpan]) -> list[PriceSpan]:
    """A day has one price: the last that began on it."""
    ended = [
        replace(span, last_day=min(span.last_day, following.first_day - ONE_DAY))
        for span, following in pairwise(spans)
    ]
    return [span for span in (*ended, spans[-1]) if span.first_day <= span.last_day]
