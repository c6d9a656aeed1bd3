"""Compiles the bundled CSV tables into SQLite: numbers for names, evidence shared by its text."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

SCHEMA = """
CREATE TABLE evidence (
    id INTEGER PRIMARY KEY, what TEXT, source TEXT, quality TEXT, earliest TEXT, latest TEXT,
    note TEXT);
CREATE TABLE gpu (
    name TEXT, vendor TEXT, memory_gib REAL, tdp_watts REAL, dense_fp16_tflops REAL,
    memory_bandwidth_gb_per_s REAL, interconnect TEXT, aliases TEXT, evidence INTEGER);
CREATE TABLE instance_type (
    id INTEGER PRIMARY KEY, provider TEXT, name TEXT, gpu TEXT, gpu_count INTEGER,
    gpu_memory_gib REAL, vcpus REAL, memory_gib REAL);
CREATE TABLE offer (
    instance_type INTEGER, provider TEXT, region TEXT, zone TEXT, capacity_type TEXT, tier TEXT,
    price_usd_per_hour REAL, evidence INTEGER);
CREATE TABLE hazard (
    provider TEXT, region TEXT, instance_type INTEGER, shape REAL, exposure_hours REAL,
    saturated INTEGER, evidence INTEGER, PRIMARY KEY (instance_type, region));
CREATE TABLE egress (
    source_provider TEXT, source_region TEXT, destination_provider TEXT, destination_region TEXT,
    start_gb REAL, usd_per_gb REAL, evidence INTEGER);
CREATE TABLE throughput (
    source_provider TEXT, source_region TEXT, destination_provider TEXT, destination_region TEXT,
    gbit_per_second REAL, evidence INTEGER);
CREATE TABLE terms (
    provider TEXT, minimum_seconds INTEGER, granularity_seconds INTEGER, first_hour_free INTEGER,
    billing_evidence INTEGER, notice_seconds INTEGER, storage_usd_per_gb_month REAL,
    storage_evidence INTEGER, boot_seconds INTEGER, boot_evidence INTEGER);
CREATE TABLE geography (
    provider TEXT, region TEXT, area TEXT, country TEXT, in_eu INTEGER);
CREATE TABLE price_history (
    provider TEXT, region TEXT, instance_type TEXT, gpu TEXT, gpu_count INTEGER,
    capacity_type TEXT, tier TEXT, first_day TEXT, last_day TEXT, usd_per_gpu_hour REAL,
    daily INTEGER, evidence INTEGER);
CREATE TABLE availability (
    provider TEXT, region TEXT, zone TEXT, instance_type TEXT, gpu TEXT, nodes INTEGER,
    held INTEGER, first_day TEXT, last_day TEXT, hours REAL, up_share REAL, losses INTEGER,
    mean_up_hours REAL, mean_down_hours REAL, evidence INTEGER);
CREATE INDEX offer_provider ON offer (provider);
CREATE INDEX egress_source ON egress (source_provider, source_region);
CREATE INDEX throughput_source ON throughput (source_provider, source_region);
CREATE INDEX throughput_destination ON throughput (destination_provider, destination_region);
"""

Row = dict[str, str]


class Evidence(NamedTuple):
    """A column that numbers the evidence named by other columns of the same row."""

    what: str
    source: str = "source"
    note: str = ""


COLUMNS: dict[str, tuple[str | Evidence, ...]] = {
    "instance_type": (
        "id",
        "provider",
        "instance_type",
        "gpu",
        "gpu_count",
        "gpu_memory_gib",
        "vcpus",
        "memory_gib",
    ),
    "gpu": (
        "name",
        "vendor",
        "memory_gib",
        "tdp_watts",
        "dense_fp16_tflops",
        "memory_bandwidth_gb_per_s",
        "interconnect",
        "aliases",
        Evidence("gpu", note="note"),
    ),
    "offer": (
        "type_id",
        "provider",
        "region",
        "zone",
        "capacity_type",
        "tier",
        "price_usd_per_hour",
        Evidence("price", note="note"),
    ),
    "hazard": (
        "provider",
        "region",
        "type_id",
        "prior_shape",
        "prior_exposure_hours",
        "saturated",
        Evidence("hazard"),
    ),
    "egress": (
        "source_provider",
        "source_region",
        "destination_provider",
        "destination_region",
        "start_gb",
        "usd_per_gb",
        Evidence("egress", note="note"),
    ),
    "throughput": (
        "source_provider",
        "source_region",
        "destination_provider",
        "destination_region",
        "gbit_per_second",
        Evidence("throughput"),
    ),
    "terms": (
        "provider",
        "minimum_seconds",
        "granularity_seconds",
        "first_hour_free_when_interrupted",
        Evidence("billing", "billing_source", "billing_note"),
        "notice_seconds",
        "storage_usd_per_gb_month",
        Evidence("storage", "storage_source"),
        "boot_seconds",
        Evidence("boot", "boot_source"),
    ),
    "geography": ("provider", "region", "area", "country", "in_eu"),
    "price_history": (
        "provider",
        "region",
        "instance_type",
        "gpu",
        "gpu_count",
        "capacity_type",
        "tier",
        "first_day",
        "last_day",
        "usd_per_gpu_hour",
        "daily",
        Evidence("price history", note="note"),
    ),
    "availability": (
        "provider",
        "region",
        "zone",
        "instance_type",
        "gpu",
        "nodes",
        "held",
        "first_day",
        "last_day",
        "hours",
        "up_share",
        "losses",
        "mean_up_hours",
        "mean_down_hours",
        Evidence("availability"),
    ),
}
AS_THEY_ARE = ("egress", "throughput", "terms", "geography", "price_history", "availability")


def compile_tables(folder: Path, connection: sqlite3.Connection) -> None:
    """Fill an empty database from the tables below `folder`."""
    connection.executescript(SCHEMA)
    numbers = _EvidenceNumbers(folder)
    types = [row | {"id": str(index)} for index, row in enumerate(_rows(folder, "instance_types"))]
    type_ids = {(row["provider"], row["instance_type"]): row["id"] for row in types}
    tables = {
        "instance_type": types,
        "gpu": _rows(folder, "gpus"),
        "offer": _offers(folder, type_ids),
        "hazard": _hazards(folder, type_ids),
        **{name: _rows(folder, name) for name in AS_THEY_ARE},
    }
    for table, rows in tables.items():
        _insert(connection, table, (numbers.values(row, COLUMNS[table]) for row in rows))
    _insert(connection, "evidence", numbers.rows())
    connection.commit()


class _EvidenceNumbers:
    """Numbers each distinct piece of evidence: what it is for, its source and a row's own note."""

    def __init__(self, folder: Path) -> None:
        self._sources = {row["id"]: row for row in _rows(folder, "sources")}
        self._numbers: dict[tuple[str, str, str], int] = {}

    def values(self, row: Row, columns: tuple[str | Evidence, ...]) -> list[str | int | None]:
        """Return a row's values in the order of its table; an empty source means no evidence."""
        return [
            self._number(row, each) if isinstance(each, Evidence) else row[each] for each in columns
        ]

    def rows(self) -> Iterator[list[str | int | None]]:
        """Every numbered piece, in the columns of its table."""
        for (what, source, note), number in self._numbers.items():
            row = self._sources[source]
            notes = "; ".join(text for text in (note, row["note"]) if text)
            yield [number, what, row["text"], row["quality"], row["earliest"], row["latest"], notes]

    def _number(self, row: Row, evidence: Evidence) -> int | None:
        source = row[evidence.source]
        if not source:
            return None
        key = (evidence.what, source, row[evidence.note] if evidence.note else "")
        return self._numbers.setdefault(key, len(self._numbers))


def _offers(folder: Path, type_ids: dict[tuple[str, str], str]) -> Iterator[Row]:
    for path in sorted((folder / "offers").glob("*.csv")):
        provider = path.stem
        for row in _rows(folder / "offers", provider):
            type_id = type_ids[provider, row["instance_type"]]
            yield row | {"provider": provider, "type_id": type_id}


def _hazards(folder: Path, type_ids: dict[tuple[str, str], str]) -> Iterator[Row]:
    for row in _rows(folder, "interruption"):
        type_id = type_ids.get((row["provider"], row["instance_type"]))
        if type_id is not None:  # what nobody offers cannot be interrupted
            yield row | {"type_id": type_id}


def _insert(
    connection: sqlite3.Connection, table: str, rows: Iterable[list[str | int | None]]
) -> None:
    """Insert rows; an empty number is NULL, an empty text stays empty."""
    kinds = [column[2] for column in connection.execute(f"PRAGMA table_info({table})")]
    marks = ", ".join("?" if kind == "TEXT" else "NULLIF(?, '')" for kind in kinds)
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608


def _rows(folder: Path, name: str) -> Iterator[Row]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
