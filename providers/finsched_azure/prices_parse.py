"""What Azure answers about prices, read: pure, from recorded answers as from live ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from finsched.model.market import CapacityType
from finsched.settings_values import number, text

Sale = tuple[str, CapacityType]
"""A machine size and a way of buying it."""

_WINDOWS = re.compile(r"\bWin(dows)?\b")
_OTHER_PRODUCTS = re.compile(r"Dedicated|Cloud ?Services|Promo", re.IGNORECASE)
_OTHER_METERS = re.compile(r"Low Priority|Promo|Expired", re.IGNORECASE)
_SPOT = re.compile(r"\bSpot$")


class SpotPrice(NamedTuple):
    """What a machine costs as spot in a region from a moment on."""

    instance_type: str
    region: str
    at: datetime
    usd_per_hour: float


def vm_prices(rows: Iterable[Mapping[str, Any]]) -> dict[Sale, float]:
    """Return USD per hour of plain Linux machines, on demand and spot.

    Left out are Windows, the retired Low Priority, promotions, DevTest and reserved rates, and
    dedicated hosts. Of two rows for one sale the newer counts, and the dearer of one day. Raises
    KeyError, TypeError or ValueError for rows of another form or currency.
    """
    chosen: dict[Sale, tuple[tuple[bool, str, float], float]] = {}
    for row in rows:
        if not _is_plain(row):
            continue
        usd = _usd_per_hour(row)
        rank = (bool(row.get("isPrimaryMeterRegion")), text(row["effectiveStartDate"]), usd)
        sale = (text(row["armSkuName"]), _capacity_type(row))
        if sale not in chosen or rank > chosen[sale][0]:
            chosen[sale] = (rank, usd)
    return {sale: usd for sale, (_, usd) in chosen.items()}


def _is_plain(row: Mapping[str, Any]) -> bool:
    return (
        row["type"] == "Consumption"
        and not row.get("reservationTerm")
        and not row.get("tierMinimumUnits")
        and not _WINDOWS.search(row["productName"])
        and not _OTHER_PRODUCTS.search(row["productName"])
        and not _OTHER_METERS.search(f"{row['meterName']} {row['skuName']} {row['armSkuName']}")
    )


def _capacity_type(row: Mapping[str, Any]) -> CapacityType:
    spot = _SPOT.search(row["meterName"]) or _SPOT.search(row["skuName"])
    return CapacityType.SPOT if spot else CapacityType.ON_DEMAND


def _usd_per_hour(row: Mapping[str, Any]) -> float:
    if row["currencyCode"] != "USD":
        raise ValueError(f"a price in {row['currencyCode']}, not in USD")
    if row["unitOfMeasure"] != "1 Hour":
        raise ValueError(f"a machine is sold by {row['unitOfMeasure']}")
    return number(row["retailPrice"])


def spot_changes(rows: Iterable[Mapping[str, Any]]) -> list[SpotPrice]:
    """Return every change of a spot price that Resource Graph tells, in the order of time."""
    changes = [
        SpotPrice(
            size_name(row["skuName"]),
            text(row["location"]),
            _moment(told["effectiveDate"]),
            number(told["priceUSD"]),
        )
        for row in rows
        for told in row["spotPrices"]
    ]
    return sorted(changes, key=lambda change: change.at)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def size_name(told: str) -> str:
    """Spell a size as the price list does; Resource Graph writes all of it small.

    A size is Standard, a family with its figure, accelerators, and a version:
    `standard_nd96isr_h100_v5` is `Standard_ND96isr_H100_v5`.
    """
    first, family, *more = told.lower().split("_")
    letters = re.match(r"[a-z]+", family)
    family = family.upper()[: letters.end()] + family[letters.end() :] if letters else family
    return "_".join([first.capitalize(), family, *map(_upper_unless_version, more)])


def _upper_unless_version(part: str) -> str:
    return part if re.fullmatch(r"v\d+", part) else part.upper()
