"""Prices over time, and how much of the time spot machines were there.

A row of the price table is a span: every look from its first to its last day showed that price. A
daily list gives a span for each stretch of days without a gap; it names GPUs loosely ("H100 SXM" is
whatever was cheapest), so a series takes the GPU that the same source's full list of the last day
sells at that price, and is left out where that list sells none. The AWS table was committed now and
then: a span ends at the last commit known to us before the price changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from tools.catalogs.gpus import canonical
from tools.catalogs.interruption import ZONE_LETTER
from tools.catalogs.market import COMMITMENT, KINDS
from tools.catalogs.offers import TypeRow
from tools.catalogs.tables import RawRow, read_rows

DAILY_SOURCE = "sooddvs-daily"
CHANGES_SOURCE = "karpenter-history"
LABELS = {"A100 40GB": "A100", "A100 80GB": "A100-80GB", "H100 SXM": "H100", "H200 SXM": "H200"}
HOST_APART = "accelerator only"
HOST_NOTE = "GPU alone: the host is billed on top"
ONE_DAY = timedelta(days=1)

Types = dict[tuple[str, str], TypeRow]
SeriesKey = tuple[str, str, str, str]  # provider, region, GPU as labelled, tier
DailyPrices = dict[date, float]


class PriceRow(NamedTuple):
    """One span of days at one price."""

    provider: str
    region: str
    instance_type: str
    gpu: str
    gpu_count: int
    capacity_type: str
    tier: str
    first_day: date
    last_day: date
    usd_per_gpu_hour: float
    daily: bool
    source: str
    note: str = ""


class AvailabilityRow(NamedTuple):
    """What one trace of one zone measured."""

    provider: str
    region: str
    zone: str
    instance_type: str
    nodes: int
    first_day: date
    last_day: date
    gpu: str
    held: bool
    hours: float
    up_share: float
    losses: int
    mean_up_hours: float
    mean_down_hours: float
    source: str


def prices(raw: Path, types: Types) -> list[PriceRow]:
    """Every span of the daily list and of the AWS table."""
    return [*_daily(raw), *_aws_changes(raw, types)]


def availability(raw: Path) -> Iterator[AvailabilityRow]:
    """One row a trace."""
    for row in read_rows(raw / "interruption/spot_traces_summary.csv"):
        first_day, hours = date.fromisoformat(row["start_date"]), float(row["hours"])
        yield AvailabilityRow(
            provider=row["provider"],
            region=_region(row),
            zone=row["zone"],
            instance_type=row["instance_type"],
            nodes=int(row["nodes"]),
            first_day=first_day,
            last_day=first_day + timedelta(hours=hours),
            gpu=row["gpu_name"],
            held=row["trace_kind"] == "preemption",
            hours=hours,
            up_share=float(row["fraction_all_nodes_up"]),
            losses=int(row["losses"]),
            mean_up_hours=float(row["mean_up_hours"]),
            mean_down_hours=float(row["mean_down_hours"]),
            source="spot-traces",
        )


def _region(row: RawRow) -> str:
    if row["provider"] == "gcp":
        return row["zone"].rpartition("-")[0]
    return row["zone"].rstrip(ZONE_LETTER)


# --- the daily list ----------------------------------------------------------------------------


def _daily(raw: Path) -> Iterator[PriceRow]:
    listed = _full_list(raw)
    for (provider, region, label, tier), days in _daily_prices(raw).items():
        gpu = LABELS.get(label, label.replace(" ", "-"))
        sold = listed.get((provider, region, tier, round(days[max(days)], 3)), {})
        if gpu not in sold and len(sold) != 1:
            continue
        gpu = gpu if gpu in sold else next(iter(sold))
        capacity_type, kind = KINDS[tier]
        for first_day, last_day, price in _spans(days):
            yield PriceRow(
                provider, region, "", gpu, 1, capacity_type, kind, first_day, last_day, price,
                daily=True, source=DAILY_SOURCE, note=sold[gpu],
            )  # fmt: skip


def _daily_prices(raw: Path) -> dict[SeriesKey, DailyPrices]:
    result: dict[SeriesKey, DailyPrices] = defaultdict(dict)
    for row in read_rows(raw / "prices/history.csv"):
        if not COMMITMENT.fullmatch(row["tier"]):
            key = (row["provider"], row["region"], row["gpu_type"], row["tier"])
            result[key][date.fromisoformat(row["date"])] = float(row["usd_per_gpu_hour"])
    return result


def _full_list(raw: Path) -> dict[tuple[str, str, str, float], dict[str, str]]:
    """The GPUs sold at a price on the last day, each with its note, by place, tier and price."""
    result: dict[tuple[str, str, str, float], dict[str, str]] = defaultdict(dict)
    for row in read_rows(raw / "prices/market.csv"):
        if row["source"].startswith("sooddvs/"):
            price = round(float(row["usd_per_gpu_hour"]), 3)
            note = HOST_NOTE if row["note"].startswith(HOST_APART) else ""
            key = (row["provider"], row["region"], row["tier"], price)
            result[key][canonical(row["gpu_name"])] = note
    return result


def _spans(days: DailyPrices) -> Iterator[tuple[date, date, float]]:
    """Stretches of equal price without a gap."""
    first_day = min(days)
    for day in sorted(days):
        if days.get(day + ONE_DAY) != days[day]:
            yield first_day, day, days[day]
            first_day = min((later for later in days if later > day), default=day)


# --- the AWS table -----------------------------------------------------------------------------


def _aws_changes(raw: Path, types: Types) -> Iterator[PriceRow]:
    rows = read_rows(raw / "prices/aws_ondemand_changes.csv")
    commits = sorted({row["observed_on"] for row in rows})
    still_listed = _listed_at_the_end(raw, commits[-1])
    by_type: dict[tuple[str, str], list[RawRow]] = defaultdict(list)
    for row in rows:
        by_type[row["instance_type"], row["region"]].append(row)
    for (name, region), seen in by_type.items():
        kind = types.get(("aws", name))
        if kind is None:  # a slice of a GPU
            continue
        at_the_end = commits[-1] if (name, region) in still_listed else seen[-1]["observed_on"]
        ends = [_commit_before(row["observed_on"], commits) for row in seen[1:]] + [at_the_end]
        for row, end in zip(seen, ends, strict=True):
            yield PriceRow(
                "aws", region, name, kind.gpu, kind.gpu_count, "on_demand", "standard",
                date.fromisoformat(row["observed_on"]), date.fromisoformat(end),
                float(row["usd_per_hour"]) / kind.gpu_count, daily=False, source=CHANGES_SOURCE,
            )  # fmt: skip


def _listed_at_the_end(raw: Path, last_commit: str) -> set[tuple[str, str]]:
    return {
        (row["instance_type"], row["region"])
        for row in read_rows(raw / "prices/aws_ondemand.csv")
        if row["observed_on"] == last_commit
    }


def _commit_before(day: str, commits: Iterable[str]) -> str:
    return max(commit for commit in commits if commit < day)
