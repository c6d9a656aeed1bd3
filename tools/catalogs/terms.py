"""What holds for every machine of a provider: billing, notice, object storage, boot time.

These are facts of the vendors' documentation known in general, not copied from a file. Where a
vendor's own pages disagree the dearer reading is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

COLUMNS = (
    "provider",
    "minimum_seconds",
    "granularity_seconds",
    "first_hour_free_when_interrupted",
    "billing_source",
    "billing_note",
    "notice_seconds",
    "storage_usd_per_gb_month",
    "storage_source",
    "boot_seconds",
    "boot_source",
)
ASSUMED_MINIMUM_SECONDS = 60
ASSUMED_BOOT_SECONDS = 180


class Known(NamedTuple):
    """What is known of one provider; None where it is not."""

    minimum_seconds: int
    granularity_seconds: int
    note: str = ""
    first_hour_free: bool = False
    notice_seconds: int | None = None
    storage_usd_per_gb_month: float | None = None


KNOWN = {
    "aws": Known(
        60,
        1,
        "spot taken back in its first hour is free",
        first_hour_free=True,
        notice_seconds=120,
        storage_usd_per_gb_month=0.023,
    ),
    "gcp": Known(60, 1, notice_seconds=30, storage_usd_per_gb_month=0.020),
    "azure": Known(
        300,
        1,
        "disputed: 60 s or 300 s, the dearer is taken",
        notice_seconds=30,
        storage_usd_per_gb_month=0.0184,
    ),
    "oci": Known(
        3600, 1, "bare metal; virtual machines have 60 s", storage_usd_per_gb_month=0.0255
    ),
    "lambda": Known(60, 60, "by the minute"),
}


class TermsRow(NamedTuple):
    """One provider's terms as the catalog writes them."""

    provider: str
    minimum_seconds: int
    granularity_seconds: int
    first_hour_free_when_interrupted: bool
    billing_source: str
    billing_note: str
    notice_seconds: int | None
    storage_usd_per_gb_month: float | None
    storage_source: str
    boot_seconds: int
    boot_source: str


def terms(providers: Iterable[str]) -> list[TermsRow]:
    """One row per provider; what is not known is assumed and labelled so."""
    return [_row(provider, KNOWN.get(provider)) for provider in sorted(set(providers))]


def _row(provider: str, known: Known | None) -> TermsRow:
    source = "vendor" if known else "assumed"
    facts = known or Known(ASSUMED_MINIMUM_SECONDS, 1)
    return TermsRow(
        provider,
        facts.minimum_seconds,
        facts.granularity_seconds,
        facts.first_hour_free,
        source,
        facts.note,
        facts.notice_seconds,
        facts.storage_usd_per_gb_month,
        "vendor" if facts.storage_usd_per_gb_month is not None else "",
        ASSUMED_BOOT_SECONDS,
        "assumed",
    )
