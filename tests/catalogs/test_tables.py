"""Every bundled table holds what its columns promise."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from finsched.catalog.cache import data_dir
from finsched.model.evidence import Quality
from finsched.model.market import CapacityType, Tier

FILES = sorted(data_dir().rglob("*.csv"))
OFFERS = sorted((data_dir() / "offers").glob("*.csv"))
POSITIVE = {
    "price_usd_per_hour", "gpu_count", "gpu_memory_gib", "vcpus", "memory_gib", "tdp_watts",
    "dense_fp16_tflops", "memory_bandwidth_gb_per_s", "prior_shape", "prior_exposure_hours",
    "gbit_per_second", "minimum_seconds", "granularity_seconds", "boot_seconds", "months",
    "storage_usd_per_gb_month", "on_demand_usd_per_hour", "grams_co2eq_per_kwh", "pue",
    "usd_per_gpu_hour", "nodes", "hours", "mean_up_hours", "mean_down_hours", "usd_per_month",
}  # fmt: skip
NOT_NEGATIVE = {"usd_per_gb", "start_gb", "losses", "up_hours", "notice_seconds"}
KEYS = {  # columns that name a row; all others are what is said of it
    "instance_types": 2, "gpus": 1, "interruption": 3, "egress": 5, "throughput": 4,
    "geography": 2, "terms": 1, "carbon": 2, "sources": 1, "commitments": 7,
    "price_history": 8, "availability": 6, "idle": 2,
}  # fmt: skip
Rows = list[dict[str, str]]


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def name(path: Path) -> str:
    return path.relative_to(data_dir()).with_suffix("").as_posix()


SOURCES = {row["id"]: row for row in rows_of(data_dir() / "sources.csv")}
GPUS = {row["name"] for row in rows_of(data_dir() / "gpus.csv")}
PLACES = {(row["provider"], row["region"]) for row in rows_of(data_dir() / "geography.csv")}
TYPES = {
    (row["provider"], row["instance_type"]) for row in rows_of(data_dir() / "instance_types.csv")
}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_rows_are_complete_and_sorted(path: Path) -> None:
    rows = rows_of(path)
    assert rows
    assert all(None not in row and None not in row.values() for row in rows)
    lines = [tuple(row.values()) for row in rows]
    assert lines == sorted(lines)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_numbers_are_in_range(path: Path) -> None:
    quarantined = name(path) == "quarantine"
    for row in rows_of(path):
        for column, text in row.items():
            if text and column in POSITIVE and not quarantined:
                assert float(text) > 0, row
            if text and column in NOT_NEGATIVE:
                assert float(text) >= 0, row


@pytest.mark.parametrize("path", [each for each in FILES if each.stem != "sources"], ids=name)
def test_every_row_names_a_known_source(path: Path) -> None:
    for row in rows_of(path):
        named = {text for column, text in row.items() if column.endswith("source") and text}
        assert named, row
        assert named <= SOURCES.keys(), row


@pytest.mark.parametrize("path", [each for each in FILES if each.stem != "quarantine"], ids=name)
def test_nothing_is_said_twice(path: Path) -> None:
    width = KEYS.get(name(path), 5)  # an offer: type, region, zone, capacity type, tier
    seen = Counter(tuple(row.values())[:width] for row in rows_of(path))
    assert [key for key, count in seen.items() if count > 1] == []


@pytest.mark.parametrize("path", OFFERS, ids=name)
def test_offers_are_of_known_machines_and_places(path: Path) -> None:
    for row in rows_of(path):
        assert (path.stem, row["instance_type"]) in TYPES
        assert row["region"] == "*" or (path.stem, row["region"]) in PLACES
        assert CapacityType(row["capacity_type"])
        assert Tier(row["tier"])


def test_every_machine_has_a_known_gpu() -> None:
    types = rows_of(data_dir() / "instance_types.csv")
    assert {row["gpu"] for row in types} <= GPUS


def test_every_source_has_sane_dates_and_a_quality() -> None:
    for row in SOURCES.values():
        assert Quality(row["quality"])
        days = [date.fromisoformat(row[bound]) for bound in ("earliest", "latest") if row[bound]]
        assert days == sorted(days)
        assert all(date(2016, 1, 1) <= day <= date(2026, 11, 22) for day in days)


def test_every_source_is_used_and_listed() -> None:
    text = (data_dir() / "SOURCES.md").read_text(encoding="utf-8")
    used = {
        value
        for path in FILES
        if path.stem != "sources"
        for row in rows_of(path)
        for column, value in row.items()
        if column.endswith("source")
    }
    for id_ in SOURCES:
        assert f"| {id_} |" in text
    assert SOURCES.keys() - used == set()


def test_egress_tiers_start_at_zero_and_climb() -> None:
    tiers: dict[tuple[str, ...], list[float]] = {}
    for row in rows_of(data_dir() / "egress.csv"):
        tiers.setdefault(tuple(row.values())[:4], []).append(float(row["start_gb"]))
    for pair, starts in tiers.items():
        assert min(starts) == 0, pair
        assert len(set(starts)) == len(starts), pair


def test_every_quarantined_price_has_a_reason() -> None:
    reasons = Counter(
        row["reason"].partition(":")[0] for row in rows_of(data_dir() / "quarantine.csv")
    )
    assert reasons.keys() == {
        "accelerator_without_host",
        "fractional_gpu",
        "local_zone",
        "not_sold_on_demand",
        "out_of_band",
        "spot_above_list",
    }
    assert reasons["out_of_band"] < 10
