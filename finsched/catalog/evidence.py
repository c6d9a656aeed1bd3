"""Reads the numbered evidence of the compiled catalog: one object per number, shared by all."""

from __future__ import annotations

import sqlite3
from datetime import date

from finsched.model.evidence import Evidence, Quality

SELECT = "SELECT id, what, source, quality, earliest, latest, note FROM evidence"


def load_evidence(connection: sqlite3.Connection, *whats: str) -> dict[int, Evidence]:
    """Return the evidence of some kinds, such as "price", by number."""
    marks = ",".join("?" * len(whats))
    rows = connection.execute(f"{SELECT} WHERE what IN ({marks})", whats)
    return {
        number: Evidence(
            what=what,
            source=source,
            quality=Quality(quality),
            earliest=_day(earliest),
            latest=_day(latest),
            note=note,
        )
        for number, what, source, quality, earliest, latest, note in rows
    }


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
