"""The append-only event log (SQLite, WAL); the current state of a run is folded from it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from finsched.errors import LedgerProblem, SpecError
from finsched.model.budget import Entry
from finsched.model.codec import decode, encode
from finsched.model.event import Event, Recorded, fold
from finsched.model.run import Run

_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS events_of_run ON events (run, sequence);
CREATE INDEX IF NOT EXISTS turns_of_run ON events (run, sequence, kind)
    WHERE kind IN ('Queued', 'Resumed', 'Ended');
CREATE INDEX IF NOT EXISTS beginnings ON events (sequence, run) WHERE kind = 'Submitted';
CREATE TABLE IF NOT EXISTS reservations (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    run TEXT NOT NULL,
    budget TEXT NOT NULL,
    month TEXT NOT NULL,
    microdollars INTEGER NOT NULL,
    settles INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS reservations_of_budget
    ON reservations (budget, month, run, microdollars);
CREATE INDEX IF NOT EXISTS reservations_of_run ON reservations (run, sequence, settles);
CREATE TRIGGER IF NOT EXISTS reservations_stay BEFORE UPDATE ON reservations
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS reservations_remain BEFORE DELETE ON reservations
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS events_remain BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""
_BUSY_SECONDS = 120.0  # a backup or a suspended command; leases last longer
_MICRO = 10**6
_FIX = "use the finsched that wrote it; `finsched runs` lists the runs that can be read"
_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in Event.__args__}
_PAGE_ROWS = 1000
_ROWS_REMEMBERED = 4096


class Row(NamedTuple):
    """An event as it is stored; `recorded` reads it."""

    sequence: int
    run: str
    at: str
    kind: str
    body: str


class Ledger:
    """What happened and what it cost, in the order in which it was learnt.

    Every append is one durable transaction. Threads may share a ledger. Raises `LedgerProblem`
    when the disk says no.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._one_at_a_time = threading.RLock()
        self._explained = _Explained(path)
        with self._explained:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_TABLES)
            self._file = _identity(path)

    def close(self) -> None:
        """Close the file; the ledger cannot be used afterwards."""
        self._connection.close()

    def append(self, run: str, event: Event, at: datetime) -> Recorded:
        """Write one event durably and return it as recorded."""
        row = (run, at.isoformat(), type(event).__name__, json.dumps(encode(event)))
        with self._in_place():
            cursor = self._connection.execute(
                "INSERT INTO events (run, at, kind, body) VALUES (?, ?, ?, ?)", row
            )
        return Recorded(sequence=cursor.lastrowid or 0, run=run, at=at, event=event)

    def records(self, run: str, after: int = 0) -> list[Recorded]:
        """Return the events of a run, oldest first, that came after a sequence number."""
        query = (
            "SELECT sequence, run, at, kind, body FROM events"
            " WHERE run = ? AND sequence > ? ORDER BY sequence"
        )
        with self._in_place():
            rows = self._connection.execute(query, (run, after)).fetchall()
        return [recorded(*row) for row in rows]

    def run(self, run: str) -> Run:
        """Return the run as it stands; `SpecError` when the ledger knows none of that name."""
        records = self.records(run)
        if not records:
            raise SpecError(f"there is no run {run!r}", fix="`finsched runs` lists them")
        try:
            return fold(records)
        except TypeError as error:
            raise senseless(records[-1], error) from error

    def rows(self, *, run: str | None, after: int) -> list[Row]:
        """Return the next thousand rows after a sequence number, of one run or of all, unread."""
        of_one = "" if run is None else " AND run = ?"  # not an OR, which would use no index
        query = (
            "SELECT sequence, run, at, kind, body FROM events"  # noqa: S608 - no text of others
            f" WHERE sequence > ?{of_one} ORDER BY sequence LIMIT {_PAGE_ROWS}"
        )
        with self._in_place():
            known = (after,) if run is None else (after, run)
            found = self._connection.execute(query, known).fetchall()
        return [Row(*row) for row in found]

    def row_before(self, moment: datetime) -> int:
        """Return the row after which all events of that moment and later are."""
        query = "SELECT MIN(sequence) FROM events WHERE at >= ?"
        with self._in_place():
            ((first,),) = self._connection.execute(query, (moment.astimezone(UTC).isoformat(),))
        return self.newest() if first is None else first - 1

    def run_ids(self) -> list[str]:
        """Return every run, newest first."""
        query = "SELECT run FROM events GROUP BY run ORDER BY MIN(sequence) DESC"
        with self._alone():
            return [row[0] for row in self._connection.execute(query)]

    def alive(self, ended_since: datetime) -> list[str]:
        """Return the runs that have not ended, or not before a moment, the oldest first."""
        query = (
            "SELECT DISTINCT run FROM events AS beginning WHERE kind = 'Submitted'"
            " AND coalesce((SELECT kind <> 'Ended' OR at >= ? FROM events AS turn"
            " WHERE turn.run = beginning.run AND kind IN ('Queued', 'Resumed', 'Ended')"
            " ORDER BY sequence DESC LIMIT 1), 1) ORDER BY sequence"
        )
        with self._alone():
            rows = self._connection.execute(query, (ended_since.astimezone(UTC).isoformat(),))
            return [row[0] for row in rows]

    def queued(self) -> list[str]:
        """Return the runs that the per-user process holds: handed over, and not ended since."""
        query = (
            "SELECT run FROM (SELECT run, kind, MAX(sequence) AS latest FROM events"
            " WHERE kind IN ('Queued', 'Resumed', 'Ended') GROUP BY run)"
            " WHERE kind = 'Queued' ORDER BY latest"
        )
        with self._alone():
            return [row[0] for row in self._connection.execute(query)]

    def news(self, after: int) -> dict[str, int]:
        """Return the runs with events behind a sequence number, each with its newest one."""
        query = "SELECT run, MAX(sequence) FROM events WHERE sequence > ? GROUP BY run"
        with self._in_place():
            return dict(self._connection.execute(query, (after,)).fetchall())

    def newest(self) -> int:
        """Return the newest sequence number; 0 for an empty ledger."""
        with self._alone():
            (newest,) = self._connection.execute("SELECT MAX(sequence) FROM events").fetchone()
        return newest or 0

    def providers(self) -> set[str]:
        """Return the names of all providers that something was ever launched on."""
        query = (
            "SELECT DISTINCT json_extract(body, '$.provider') FROM events WHERE kind = 'Intended'"
        )
        with self._alone():
            return {row[0] for row in self._connection.execute(query)}

    def resolve(self, prefix: str | None) -> str:
        """Return the one run whose id starts so; without a prefix, the newest."""
        newest = self._newest_run()
        if newest is None:
            raise SpecError("there are no runs yet", fix="`finsched launch JOB` makes the first")
        if prefix is None:
            return newest
        matches = self._beginning_with(prefix)
        if prefix in matches or len(matches) == 1:
            return prefix if prefix in matches else matches[0]
        found = f"could be {', '.join(matches[:5])}" if matches else "is no run of this ledger"
        raise SpecError(f"{prefix} {found}", fix="`finsched runs` lists the runs")

    def _newest_run(self) -> str | None:
        """The run that was submitted last."""
        query = "SELECT run FROM events WHERE kind = 'Submitted' ORDER BY sequence DESC LIMIT 1"
        with self._alone():
            row = self._connection.execute(query).fetchone()
        return row[0] if row else None

    def _beginning_with(self, prefix: str) -> list[str]:
        """The first runs, by name, whose id starts so."""
        query = "SELECT DISTINCT run FROM events WHERE run >= ? AND run < ? ORDER BY run LIMIT 6"
        with self._alone():
            rows = self._connection.execute(query, (prefix, prefix + "\U0010ffff"))
            return [row[0] for row in rows]

    # --- budgets of many runs ------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Read and write as one: no other process writes meanwhile; an error undoes all of it.

        One inside another is part of it.
        """
        with self._in_place():
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def reserve(self, entry: Entry, at: datetime) -> None:
        """Write one line of a budget."""
        microdollars = int((entry.usd * _MICRO).to_integral_value(ROUND_CEILING))
        row = (at.isoformat(), entry.run, entry.budget, entry.month, microdollars, entry.settles)
        with self._in_place():
            self._connection.execute(
                "INSERT INTO reservations (at, run, budget, month, microdollars, settles)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )

    def counted(self, budget: str, month: str) -> dict[str, Decimal]:
        """Return what each run takes of a budget in a month, in USD."""
        query = (
            "SELECT run, SUM(microdollars) FROM reservations WHERE budget = ? AND month = ?"
            " GROUP BY run"
        )
        with self._in_place():
            rows = self._connection.execute(query, (budget, month)).fetchall()
        return {run: Decimal(microdollars) / _MICRO for run, microdollars in rows}

    def reservations(self, run: str) -> list[tuple[datetime, Entry]]:
        """Return the lines of a run in all budgets, oldest first, with the moments of writing."""
        query = (
            "SELECT at, budget, month, microdollars, settles FROM reservations WHERE run = ?"
            " ORDER BY sequence"
        )
        with self._in_place():
            rows = self._connection.execute(query, (run,)).fetchall()
        return [
            (
                datetime.fromisoformat(at),
                Entry(
                    run=run,
                    budget=budget,
                    month=month,
                    usd=Decimal(microdollars) / _MICRO,
                    settles=bool(settles),
                ),
            )
            for at, budget, month, microdollars, settles in rows
        ]

    def unsettled(self) -> list[str]:
        """Return the runs for which more may be set aside than they have spent, and that rest.

        Such a run has ended, or was never submitted.
        """
        query = (
            "SELECT run FROM (SELECT run, settles, MAX(sequence) FROM reservations GROUP BY run)"
            " AS reserved WHERE NOT settles AND coalesce((SELECT kind FROM events"
            " WHERE events.run = reserved.run AND kind IN ('Queued', 'Resumed', 'Ended')"
            " ORDER BY sequence DESC LIMIT 1) = 'Ended',"
            " NOT EXISTS (SELECT 1 FROM events WHERE events.run = reserved.run))"
        )
        with self._alone():
            return [row[0] for row in self._connection.execute(query)]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Use the connection while no other thread does."""
        with self._one_at_a_time, self._explained:
            yield

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """Use the file that everybody else would open, not one that was deleted meanwhile."""
        with self._one_at_a_time, self._explained:
            if _identity(self.path) != self._file:
                raise LedgerProblem(
                    f"the ledger {self.path} was deleted or replaced while it was in use",
                    fix="put the file back, then `finsched resume`; the checkpoints are in the"
                    " run's store",
                )
            yield


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _kind(name: str) -> type[Event]:
    if name not in _KINDS:
        raise ValueError(f"{name} is no kind of event")
    return _KINDS[name]


def senseless(record: Recorded, error: TypeError) -> LedgerProblem:
    """Return the problem of a run whose events, up to this one, make no run."""
    row = f"its events up to row {record.sequence} make no run: {error}"
    return LedgerProblem(f"the ledger cannot tell of run {record.run}: {row}", fix=_FIX)


@lru_cache(maxsize=_ROWS_REMEMBERED)
def recorded(sequence: int, run: str, at: str, kind: str, body: str) -> Recorded:
    """Return what a row of the ledger says; raises `LedgerProblem` for one that says nothing.

    Remembered by all of its text: a run is read again whenever it is taken up, settled or shown.
    """
    try:
        event = decode(_kind(kind), json.loads(body))
        moment: datetime = decode(datetime, at)
        return Recorded(sequence=sequence, run=run, at=moment, event=event)
    except (ValueError, RecursionError) as error:  # DocumentError and JSONDecodeError are such
        message = f"the ledger's row {sequence}, of run {run}, cannot be read: {error}"
        raise LedgerProblem(message, fix=_FIX) from error


class _Explained:
    """Says in words what the disk has against a use of the ledger."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, sqlite3.Error | OSError | UnicodeDecodeError):  # a damaged file
            message = f"the ledger {self._path} cannot be used: {error}"
            raise LedgerProblem(message, fix=_fix(error)) from error


def _fix(error: Exception) -> str:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
        return f"another program has kept it locked for {_BUSY_SECONDS:.0f} s: end that one"
    return "free disk space or mend its permissions; nothing in it was changed"
