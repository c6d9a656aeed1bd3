"""The ledger, open to read only, as far as its ended attempts go."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_COLUMNS = "sequence, run, at, kind, body"
_ENDED = "SELECT run FROM events WHERE sequence > ? AND kind = 'AttemptEnded'"
# Of an attempt's reports only the last stands in the run; there may be thousands before it.
_EVENTS = f"""
SELECT {_COLUMNS} FROM events WHERE run = :run AND kind <> 'Progressed'
UNION ALL
SELECT {_COLUMNS} FROM events WHERE sequence IN (
    SELECT MAX(sequence) FROM events WHERE run = :run AND kind = 'Progressed'
    GROUP BY json_extract(body, '$.attempt'))
ORDER BY sequence"""  # noqa: S608 - our own columns
Row = tuple[int, str, str, str, str]


class Head(NamedTuple):
    """The last event of a ledger, and what tells that ledger from another."""

    ledger: str
    sequence: int


class LedgerReader:
    """A ledger, open to read only; `rows` counts the events that were read."""

    def __init__(self, path: Path) -> None:
        address = f"{path.absolute().as_uri()}?mode=ro"
        self._connection = sqlite3.connect(address, timeout=30, isolation_level=None, uri=True)
        self.rows = 0

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Read one and the same state of the ledger inside, whoever writes meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def head(self) -> Head | None:
        """Return where the ledger stands; None for an empty one."""
        query = "SELECT run, at FROM events ORDER BY sequence LIMIT 1"
        first = self._connection.execute(query).fetchone()
        (last,) = self._connection.execute("SELECT MAX(sequence) FROM events").fetchone()
        return None if first is None else Head(" ".join(first), last)

    def runs_with_an_end(self, after: int) -> list[str]:
        """Return the runs of which an attempt ended after a sequence number."""
        rows = self._connection.execute(_ENDED, (after,))  # DISTINCT here would read every event
        return list(dict.fromkeys(run for (run,) in rows))

    def events(self, run: str) -> list[Row]:
        """Return the events that make a run as it stands, oldest first."""
        rows = self._connection.execute(_EVENTS, {"run": run}).fetchall()
        self.rows += len(rows)
        return rows
