"""What a disk, a snapshot or an address costs a month, whether anybody uses it or not."""

from __future__ import annotations

from collections.abc import Iterator

COLUMNS = ("provider", "item", "unit", "usd_per_month", "source", "note")
_GIB, _EACH = "GiB", "each"
_WITHOUT_IOPS = "without provisioned operations"
_EBS = {  # USD for a GiB and month in us-east-1
    "gp2": 0.10,
    "gp3": 0.08,
    "io1": 0.125,
    "io2": 0.125,
    "sc1": 0.015,
    "st1": 0.045,
    "standard": 0.05,
}
_SNAPSHOT_USD_PER_GIB = 0.05
_ADDRESS_USD_PER_HOUR = 0.005
_GOOGLE_DISKS = {  # USD for a GiB and month in us-central1
    "hyperdisk-extreme": (0.125, "infracost-disks"),
    "pd-balanced": (0.10, "vendor"),
    "pd-extreme": (0.125, "infracost-disks"),
    "pd-ssd": (0.17, "infracost-disks"),
    "pd-standard": (0.04, "infracost-disks"),
}
_GOOGLE_ADDRESS_USD_PER_HOUR = 0.01  # while nobody uses it
_HOURS_PER_MONTH = 730


def idle() -> Iterator[tuple[object, ...]]:
    """What clouds bill beside machines, by the names that their APIs give."""
    yield from _aws()
    yield from _google()


def _google() -> Iterator[tuple[object, ...]]:
    for item, (usd, source) in _GOOGLE_DISKS.items():
        note = _WITHOUT_IOPS if item.endswith("extreme") else ""
        yield "gcp", item, _GIB, usd, source, note
    usd = _GOOGLE_ADDRESS_USD_PER_HOUR * _HOURS_PER_MONTH
    yield "gcp", "address", _EACH, usd, "infracost-disks", "unused; one in use costs half"


def _aws() -> Iterator[tuple[object, ...]]:
    for item, usd in _EBS.items():
        note = _WITHOUT_IOPS if item in {"io1", "io2"} else ""
        yield "aws", item, _GIB, usd, "infracost-ebs", note
    yield "aws", "snapshot", _GIB, _SNAPSHOT_USD_PER_GIB, "infracost-ebs", ""
    yield "aws", "address", _EACH, _ADDRESS_USD_PER_HOUR * _HOURS_PER_MONTH, "aws-ipv4", ""
