"""Text with a unit -> a number in ours: sizes, durations, money and plain numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from finsched.jobfile.problems import Wrong, nearest, shown

GB = 10**9
GIB = 2**30
_SIZE_UNITS = {
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "PB": 10**15,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "PiB": 2**50,
}
_SIZE_UNITS_LOWER = {unit.lower(): factor for unit, factor in _SIZE_UNITS.items()}
_DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NUMBER = r"(\d{1,15}(?:\.\d{1,15})?|\.\d{1,15})"
_SIZE = re.compile(rf"{_NUMBER} ?([A-Za-z]{{1,12}})", re.ASCII)
_BARE_NUMBER = re.compile(r"[-+]?[\d.,_]+(?:e[-+]?\d+)?", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(rf"(?:{_NUMBER} ?([A-Za-z]{{1,12}}) ?)+", re.ASCII)
_DURATION_PART = re.compile(rf"{_NUMBER} ?([A-Za-z]{{1,12}})", re.ASCII)
_MONEY = re.compile(r"(?:USD|\$)? ?(\d{1,3}(?:,\d{3})+|\d{1,15})(\.\d{1,15})?(?: ?USD)?", re.ASCII)
_CURRENCY = re.compile(r"[€£¥₹]|\b(?!USD)[A-Z]{3}\b")
_MAX_USD = 1e9
_MAX_DURATION = timedelta(days=3650)


def text_of(value: Any) -> str:
    """Return the scalar's text; lists, mappings and empty values are refused."""
    if value is None:
        raise Wrong("has no value", "give it one or remove the key")
    if not isinstance(value, str):
        kind = "a list" if isinstance(value, list | tuple) else "a mapping"
        raise Wrong(f"is {kind}, not a single value", "write one value")
    return value.strip()


def size(*, unit_bytes: int, example: str, most: str) -> Callable[[Any], float]:
    """Return a reader of sizes such as `500GB` that answers in units of `unit_bytes`."""
    largest = _bytes(most)

    def read(value: Any) -> float:
        text = text_of(value)
        exact = _bytes(text, example)
        if exact <= 0:
            raise Wrong(f"is {shown(text)}, which is nothing", f"write a size such as {example}")
        if exact > largest:
            raise Wrong(f"is {shown(text)}: more than {most} is not possible", "check the unit")
        return float(exact / unit_bytes)

    return read


def _bytes(text: str, example: str = "1GB") -> Decimal:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise _no_size(text, example)
    number, unit = match.groups()
    if unit.endswith("b") and unit[0].isupper():
        raise Wrong(f"is {shown(text)}: a small b means bits", f"write {number}{unit[:-1]}B")
    factor = _SIZE_UNITS_LOWER.get(unit.lower())
    if factor is None:
        units = ", ".join(_SIZE_UNITS)
        hint = nearest(unit, _SIZE_UNITS, otherwise=f"the units are {units}")
        raise Wrong(f"is {shown(text)}: {unit} is not a unit of size", hint)
    return Decimal(number) * factor


def _no_size(text: str, example: str) -> Wrong:
    if _BARE_NUMBER.fullmatch(text):
        return Wrong(f"is {shown(text)}: a size needs a unit", f"write it like {example}")
    return Wrong(f"is {shown(text)}, which is not a size", f"write it like {example}")


def duration(*, least: timedelta, example: str) -> Callable[[Any], timedelta]:
    """Return a reader of durations such as `72h` or `1d12h`."""

    def read(value: Any) -> timedelta:
        text = text_of(value)
        exact = _timedelta(text, example)
        if exact < least:
            raise Wrong(f"is {shown(text)}, which is too short", f"write it like {example}")
        return exact

    return read


def _timedelta(text: str, example: str) -> timedelta:
    if len(text) > 100 or not _DURATION.fullmatch(text):
        raise _no_duration(text, example)
    seconds = Decimal(0)
    for number, unit in _DURATION_PART.findall(text):
        if unit not in _DURATION_UNITS:
            raise Wrong(f"is {shown(text)}: {unit} is not a unit of time", _nearest_time(unit))
        seconds += Decimal(number) * _DURATION_UNITS[unit]
    if seconds > Decimal(_MAX_DURATION.total_seconds()):
        raise Wrong(f"is {shown(text)}, longer than ten years", "check the unit")
    return timedelta(microseconds=int(seconds * 10**6))


def _nearest_time(unit: str) -> str:
    short = unit[0].lower()
    if short in _DURATION_UNITS and unit.lower() != "ms":
        return f"did you mean {short}?"
    return "the units are s, m, h, d and w"


def _no_duration(text: str, example: str) -> Wrong:
    if _BARE_NUMBER.fullmatch(text):
        return Wrong(f"is {shown(text)}: a duration needs a unit", f"write it like {example}")
    return Wrong(f"is {shown(text)}, which is not a duration", f"write it like {example}")


def moment(value: Any) -> datetime:
    """Read an ISO 8601 timestamp with a time zone, in UTC."""
    text = text_of(value)
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        what = f"is {shown(text)}, which is neither a duration nor a timestamp"
        raise Wrong(what, "write it like 72h or 2026-12-31T18:00:00Z") from None
    if stamp.utcoffset() is None:
        day_only = f"{stamp.isoformat()}Z"
        raise Wrong(f"is {shown(text)}, which has no time zone", f"write {day_only} for UTC")
    try:
        return stamp.astimezone(UTC)
    except OverflowError:
        raise Wrong(f"is {shown(text)}, which is out of range", "check the year") from None


def money(value: Any) -> float:
    """Read USD, as a number, `$300` or `300 USD`."""
    text = text_of(value)
    match = _MONEY.fullmatch(text)
    if match is None:
        raise _no_money(text)
    usd = float(match[1].replace(",", "") + (match[2] or ""))
    if usd > _MAX_USD:
        raise Wrong(f"is {shown(text)}, more than a billion dollars", "check the number")
    return usd


def price(value: Any) -> float:
    """Read USD an hour, above nothing."""
    usd = money(value)
    if usd == 0:
        raise Wrong(f"is {shown(text_of(value))}: nothing costs less", "write it like 1.20")
    return usd


def _no_money(text: str) -> Wrong:
    if _CURRENCY.search(text):
        what = f"is {shown(text)}: money is in USD, finsched has no dated exchange rates"
        return Wrong(what, "convert it yourself and write a number of dollars")
    if text.startswith("-") or "$-" in text:
        return Wrong(f"is {shown(text)}: money cannot be negative", "write it like 300")
    return Wrong(f"is {shown(text)}, which is not an amount of USD", "write it like 300 or 14.50")


def whole_number(least: int, most: int) -> Callable[[Any], int]:
    """Return a reader of whole numbers between two bounds, both allowed."""

    def read(value: Any) -> int:
        text = text_of(value)
        if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
            raise Wrong(f"is {shown(text)}, which is not a whole number", f"write {least} or more")
        number = int(text)
        if not least <= number <= most:
            raise Wrong(f"is {text}", f"write a number from {least:,} to {most:,}")
        return number

    return read


def positive_number(most: float) -> Callable[[Any], float]:
    """Return a reader of numbers above zero and up to `most`."""

    def read(value: Any) -> float:
        text = text_of(value)
        if not re.fullmatch(rf"-?{_NUMBER}", text, re.ASCII):
            raise Wrong(f"is {shown(text)}, which is not a number", "write it like 2 or 0.5")
        number = float(text)
        if not 0 < number <= most:
            raise Wrong(f"is {text}", f"write a number above 0 and up to {most:,.0f}")
        return number

    return read
