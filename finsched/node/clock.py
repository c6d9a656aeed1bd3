"""Moments as the node reads and writes them (aware, UTC, ISO 8601), and where time comes from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Protocol

UTC = timezone.utc  # Python 3.10 has no datetime.UTC


class TimeSource(Protocol):
    """Where time comes from: this machine, or a simulation."""

    def now(self) -> datetime:
        """Return the present moment, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump, and stand still while the machine sleeps."""
        ...

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        ...


class _Machine:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


_source: TimeSource = _Machine()


def utc_now() -> datetime:
    """Return the present moment."""
    return _source.now()


def monotonic() -> float:
    """Return seconds that never jump, and stand still while the machine sleeps."""
    return _source.monotonic()


def pause(seconds: float) -> None:
    """Let time pass."""
    _source.pause(seconds)


@contextmanager
def time_from(source: TimeSource) -> Iterator[None]:
    """Take the time of this whole process from elsewhere, as a simulation does."""
    global _source  # noqa: PLW0603 - one process has one time
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before


def to_iso(moment: datetime) -> str:
    """Return a moment as text."""
    return moment.astimezone(UTC).isoformat()


def from_iso(text: str) -> datetime:
    """Return the moment that a text names; one without an offset is UTC. Raises ValueError."""
    if not isinstance(text, str):  # it may come from a document of others
        raise ValueError("no moment is named")  # noqa: TRY004
    # Python 3.10 reads no Z, which is how clouds write their moments.
    moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:  # in UTC it is before year 1 or after year 9999
        raise ValueError(f"{text} is out of range") from error


def from_timestamp(seconds: float) -> datetime:
    """Return the moment so many seconds after the beginning of 1970."""
    return datetime.fromtimestamp(seconds, UTC)
