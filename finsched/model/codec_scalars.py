"""The JSON forms of single values: text, numbers, dates, durations and money."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_DURATION = re.compile(r"(-?)PT(\d+)(?:\.(\d{6}))?S", re.ASCII)


class DocumentError(ValueError):
    """A value or document does not fit its type; the message starts with the path to it."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{path.removeprefix('.')}: {problem}" if path else problem)
        self.problem = problem
        self.path = path

    def within(self, step: str) -> DocumentError:
        """Return the same error as seen from one level further out."""
        return DocumentError(self.problem, step + self.path)


class Plan(NamedTuple):
    """How values of one type are written and read."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def unexpected(expected: str, value: object) -> DocumentError:
    """Return the error for a value of the wrong type; it never shows the value."""
    return DocumentError(f"expected {expected}, got {type(value).__name__}")


def _exact(kind: type) -> Plan:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise unexpected(kind.__name__, value)
        return value

    return Plan(check, check)


def _write_text(value: Any) -> str:
    if type(value) is str:
        return value
    if not isinstance(value, str):
        raise unexpected("str", value)
    return str.__str__(value)


def _write_float(value: Any) -> float | str:
    number = _read_number(value)
    # JSON has no such numbers, so they travel as text
    return number if math.isfinite(number) else str(number)


def _read_float(document: Any) -> float:
    if type(document) is float:
        return document
    if document in ("nan", "inf", "-inf"):
        return float(document)
    return _read_number(document)


def _read_number(value: Any) -> float:
    if type(value) is bool or not isinstance(value, int | float):
        raise unexpected("float", value)
    try:
        return float(value)
    except OverflowError:
        raise DocumentError(f"{value} is too large for a float") from None


def _write_datetime(value: Any) -> str:
    if not isinstance(value, datetime):
        raise unexpected("datetime", value)
    if value.utcoffset() is None:
        raise DocumentError(f"{value.isoformat()} has no time zone")
    return _in_utc(value).isoformat()


def _read_datetime(document: Any) -> datetime:
    value = _parse(datetime.fromisoformat, document)
    if value.utcoffset() is None:
        raise DocumentError(f"{document} has no time zone")
    return _in_utc(value)


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise DocumentError(f"{value.isoformat()} is out of range in UTC") from None


def _write_date(value: Any) -> str:
    if type(value) is not date:
        raise unexpected("date", value)
    return value.isoformat()


def _write_timedelta(value: Any) -> str:
    """Write an ISO 8601 duration in seconds, exact to the microsecond."""
    if not isinstance(value, timedelta):
        raise unexpected("timedelta", value)
    sign, size = ("-", -value) if value < timedelta(0) else ("", value)
    seconds, rest = divmod(size, _SECOND)
    fraction = f".{rest // _MICROSECOND:06d}" if rest else ""
    return f"{sign}PT{seconds}{fraction}S"


def _read_timedelta(document: Any) -> timedelta:
    match = _DURATION.fullmatch(document) if isinstance(document, str) else None
    if match is None:
        raise DocumentError(f"expected a duration such as PT90S, got {document!r}")
    sign, seconds, fraction = match.groups()
    try:
        size = timedelta(seconds=int(seconds), microseconds=int(fraction or 0))
    except (ValueError, OverflowError):
        raise DocumentError(f"the duration {document[:40]} is too long") from None
    return -size if sign else size


def _write_decimal(value: Any) -> str:
    if not isinstance(value, Decimal):
        raise unexpected("Decimal", value)
    return str(value)


def _parse(parser: Callable[[str], T], document: Any) -> T:
    if not isinstance(document, str):
        raise unexpected("text", document)
    try:
        return parser(document)
    except (ValueError, OverflowError, InvalidOperation):
        raise DocumentError(f"cannot read {document[:40]!r}") from None


SCALARS: dict[Any, Plan] = {
    str: Plan(_write_text, _exact(str).decode),
    int: _exact(int),
    bool: _exact(bool),
    float: Plan(_write_float, _read_float),
    datetime: Plan(_write_datetime, _read_datetime),
    date: Plan(_write_date, lambda document: _parse(date.fromisoformat, document)),
    timedelta: Plan(_write_timedelta, _read_timedelta),
    Decimal: Plan(_write_decimal, lambda document: _parse(Decimal, document)),
}
