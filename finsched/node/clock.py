"""Moments as the node reads and writes them: aware, UTC, ISO 8601."""

from __future__ import annotations

from datetime import datetime, timezone

UTC = timezone.utc  # Python 3.10 has no datetime.UTC


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def to_iso(moment: datetime) -> str:
    """Return a moment as text."""
    return moment.astimezone(UTC).isoformat()


def from_iso(text: str) -> datetime:
    """Return the moment that a text names; one without an offset is UTC. Raises ValueError."""
    # Python 3.10 reads no Z, which is how clouds write their moments.
    moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
