"""What was recorded over time: it is read back as it was written, and a quote does without it."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from finsched.catalog import load_market
from finsched.catalog.cache import cache_path, data_dir
from finsched.catalog.history import availability, price_history
from finsched.model.history import Availability, PriceSeries
from finsched.model.market import Market, Tier
from tests.catalogs.conftest import NOW

ONE_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def series(cache_dir: Path) -> tuple[PriceSeries, ...]:
    return price_history(cache_dir)


@pytest.fixture(scope="module")
def measured(cache_dir: Path) -> tuple[Availability, ...]:
    return availability(cache_dir)


def one(series: tuple[PriceSeries, ...], *key: str) -> PriceSeries:
    [found] = [
        each
        for each in series
        if (each.provider, each.region, each.instance_type or each.gpu, each.capacity_type) == key
        and each.tier is Tier.STANDARD
    ]
    return found


def rows(table: str) -> list[dict[str, str]]:
    with (data_dir() / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_is_in_one_series(series: tuple[PriceSeries, ...]) -> None:
    written = {
        (row["provider"], row["region"], row["instance_type"], row["gpu"], row["capacity_type"],
         row["tier"], row["first_day"], float(row["usd_per_gpu_hour"]))
        for row in rows("price_history")
    }  # fmt: skip
    read = {
        (each.provider, each.region, each.instance_type, each.gpu, each.capacity_type,
         each.tier, str(span.first_day), span.usd_per_gpu_hour)
        for each in series for span in each.spans
    }  # fmt: skip
    assert read == written
    assert sum(len(each.spans) for each in series) == len(written)


def test_spans_follow_one_another(series: tuple[PriceSeries, ...]) -> None:
    for each in series:
        assert all(span.first_day <= span.last_day for span in each.spans), each
        assert all(one.last_day < next_.first_day for one, next_ in pairwise(each.spans)), each


def test_every_series_is_of_a_known_gpu_and_lies_within_its_source(
    series: tuple[PriceSeries, ...], market: Market
) -> None:
    for each in series:
        assert each.gpu in market.accelerators
        assert each.evidence.earliest is not None
        assert each.evidence.latest is not None
        assert each.evidence.earliest <= each.first.first_day
        assert each.last.last_day <= each.evidence.latest


def test_a_day_has_the_price_of_its_span(series: tuple[PriceSeries, ...]) -> None:
    for each in series:
        days = dict(each.daily_prices())
        assert bool(days) == each.daily
        day = each.first.first_day - ONE_DAY
        while day <= each.last.last_day + ONE_DAY:
            inside = [span for span in each.spans if span.first_day <= day <= span.last_day]
            if each.daily or inside:
                assert each.price_on(day) == (inside[0].usd_per_gpu_hour if inside else None)
                assert not each.daily or each.price_on(day) == days.get(day)
            day += ONE_DAY


def test_the_price_cut_of_2025_is_there(series: tuple[PriceSeries, ...]) -> None:
    h100 = one(series, "aws", "us-east-1", "p5.48xlarge", "on_demand")
    assert h100.first.usd_per_gpu_hour * h100.gpu_count == pytest.approx(98.32)
    assert h100.last.usd_per_gpu_hour * h100.gpu_count == pytest.approx(55.04)
    assert h100.change_percent == pytest.approx(-44.02, abs=0.01)
    assert (h100.last.first_day, h100.last.last_day) == (date(2025, 6, 23), date(2026, 7, 20))
    assert h100.price_on(date(2025, 5, 1)) == h100.first.usd_per_gpu_hour  # no look between
    assert h100.price_on(date(2026, 7, 21)) is None


def test_a_loosely_named_gpu_is_the_one_sold_at_that_price(
    series: tuple[PriceSeries, ...],
) -> None:
    assert one(series, "azure", "eastus", "A100-80GB", "on_demand").last.usd_per_gpu_hour == 3.673
    assert one(series, "gcp", "us-central1", "A100", "on_demand")
    assert one(series, "runpod", "*", "H200-NVL", "on_demand").last.usd_per_gpu_hour == 3.79


def test_measured_availability_is_consistent(measured: tuple[Availability, ...]) -> None:
    assert len(measured) == len(rows("availability"))
    for each in measured:
        assert 0 < each.up_share <= 1
        assert each.zone.startswith(each.region)
        assert (each.last_day - each.first_day).days == int(each.hours / 24)
        spells = each.up_share * each.hours / each.mean_up_hours
        assert spells == pytest.approx(each.losses, abs=2)


def test_a_quote_never_reads_the_history(tmp_path: Path, cache_dir: Path, market: Market) -> None:
    without = cache_path(tmp_path)
    shutil.copy(cache_path(cache_dir), without)
    with closing(sqlite3.connect(without)) as connection:
        connection.executescript("DROP TABLE price_history; DROP TABLE availability;")
    before = without.read_bytes()
    assert load_market(now=NOW, cache_dir=tmp_path).offers == market.offers
    assert without.read_bytes() == before  # not built anew: nothing was missed
