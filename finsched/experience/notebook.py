"""The derived file: sums of what ended attempts taught, and how far the ledger has been read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finsched.decide.offers.memory import FORGOTTEN_AFTER_DAYS
from finsched.model.experience import Pace, Starts
from finsched.model.interruption import Observation
from finsched.model.market import CapacityType, CoolDown, Pool

if TYPE_CHECKING:
    from finsched.decide.offers.lessons import Lesson

FILE_NAME = "experience.sqlite"
_FORMAT = 2
_TABLES = """
CREATE TABLE bookmark (ledger TEXT NOT NULL, sequence INTEGER NOT NULL, unread INTEGER NOT NULL);
INSERT INTO bookmark VALUES ('', 0, 0);
CREATE TABLE seen (
    provider TEXT, region TEXT, zone TEXT, instance_type TEXT, day TEXT,
    interruptions INTEGER NOT NULL, instance_hours REAL NOT NULL,
    PRIMARY KEY (day, provider, region, zone, instance_type)) WITHOUT ROWID;
CREATE TABLE start (
    provider TEXT, instance_type TEXT, setup TEXT,
    count INTEGER NOT NULL, seconds REAL NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
    PRIMARY KEY (setup, provider, instance_type)) WITHOUT ROWID;
CREATE TABLE pace (
    job TEXT, engine TEXT, count INTEGER,
    attempts INTEGER NOT NULL, work_hours REAL NOT NULL, hours REAL NOT NULL,
    first TEXT NOT NULL, last TEXT NOT NULL,
    PRIMARY KEY (job, engine, count)) WITHOUT ROWID;
CREATE TABLE hot (
    provider TEXT, region TEXT, zone TEXT, instance_type TEXT, capacity_type TEXT, until TEXT);
"""
_ADD_SIGHTING = """
INSERT INTO seen
    (provider, region, zone, instance_type, day, interruptions, instance_hours)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET interruptions = interruptions + excluded.interruptions,
    instance_hours = instance_hours + excluded.instance_hours"""
_ADD_START = """
INSERT INTO start (provider, instance_type, setup, count, seconds, first, last)
VALUES (?, ?, ?, 1, ?, ?, ?)
ON CONFLICT DO UPDATE SET count = count + 1, seconds = seconds + excluded.seconds,
    first = min(first, excluded.first), last = max(last, excluded.last)"""
_ADD_STRETCH = """
INSERT INTO pace (job, engine, count, attempts, work_hours, hours, first, last)
VALUES (?, ?, ?, 1, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET attempts = attempts + 1, work_hours = work_hours + excluded.work_hours,
    hours = hours + excluded.hours, first = min(first, excluded.first),
    last = max(last, excluded.last)"""


class Bookmark(NamedTuple):
    """How far which ledger has been read, and how many of its runs could not be."""

    ledger: str = ""
    sequence: int = 0
    unread: int = 0


class Notebook:
    """The file, open. What is in it can be made again from the ledger at any time."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        if self._format() != _FORMAT:
            with self.writing():
                self.begin_anew()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep all that is written inside, or nothing; other writers wait."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @property
    def bookmark(self) -> Bookmark:
        """How far the ledger has been read."""
        row = self._connection.execute("SELECT ledger, sequence, unread FROM bookmark").fetchone()
        return Bookmark(*row)

    def turn_to(self, bookmark: Bookmark) -> None:
        """Remember how far the ledger has been read."""
        update = "UPDATE bookmark SET ledger = ?, sequence = ?, unread = ?"
        self._connection.execute(update, bookmark)

    def begin_anew(self) -> None:
        """Forget everything: it will be read again."""
        tables = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (name,) in tables.fetchall():
            self._connection.execute(f"DROP TABLE {name}")
        for statement in _TABLES.split(";"):
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA user_version = {_FORMAT}")

    def add(self, lesson: Lesson) -> None:
        """Add what one attempt taught."""
        day = lesson.day.isoformat()
        if lesson.sighting is not None:
            pool, interruptions, instance_hours = lesson.sighting
            row = (*pool, day, interruptions, instance_hours)
            self._connection.execute(_ADD_SIGHTING, row)
        if lesson.start is not None:
            self._connection.execute(_ADD_START, (*lesson.start, day, day))
        if lesson.stretch is not None:
            self._connection.execute(_ADD_STRETCH, (*lesson.stretch, day, day))
        if lesson.cool_down is not None:
            pool, capacity_type, until, _ = lesson.cool_down
            self._connection.execute("DELETE FROM hot WHERE until < ?", (day,))  # long cool
            hot = (*pool, capacity_type, until.isoformat())
            self._connection.execute("INSERT INTO hot VALUES (?, ?, ?, ?, ?, ?)", hot)

    def observations(self, today: date) -> Mapping[Pool, tuple[Observation, ...]]:
        """Return what was seen of every pool, day by day, but for what is long forgotten."""
        since = (today - timedelta(days=FORGOTTEN_AFTER_DAYS)).isoformat()
        rows = self._connection.execute("SELECT * FROM seen WHERE day >= ? ORDER BY day", (since,))
        pools: dict[Pool, list[Observation]] = {}
        for *pool, day, interruptions, hours in rows:
            seen = Observation(
                interruptions=interruptions, instance_hours=hours, day=date.fromisoformat(day)
            )
            pools.setdefault(Pool(*pool), []).append(seen)
        return {pool: tuple(seen) for pool, seen in pools.items()}

    def cooling(self, now: datetime) -> tuple[CoolDown, ...]:
        """Return which pools are left alone for a while yet."""
        rows = self._connection.execute("SELECT * FROM hot WHERE until > ?", (now.isoformat(),))
        return tuple(
            CoolDown(Pool(*pool), CapacityType(capacity_type), datetime.fromisoformat(until))
            for *pool, capacity_type, until in rows
        )

    def starts(self, setup: str) -> Mapping[tuple[str, str], Starts]:
        """Return the starts with a setup, by provider and instance type."""
        columns = "provider, instance_type, count, seconds, first, last"
        query = f"SELECT {columns} FROM start WHERE setup = ?"  # noqa: S608 - our own columns
        return {
            (provider, instance_type): Starts(
                count=count,
                seconds=seconds,
                first=date.fromisoformat(first),
                last=date.fromisoformat(last),
            )
            for provider, instance_type, count, seconds, first, last in self._rows(query, setup)
        }

    def paces(self, job: str) -> Mapping[tuple[str, int], Pace]:
        """Return the paces of a job, by what does the work and how many of it."""
        columns = "engine, count, attempts, work_hours, hours, first, last"
        query = f"SELECT {columns} FROM pace WHERE job = ?"  # noqa: S608 - our own columns
        return {
            (engine, count): Pace(
                attempts=attempts,
                work_hours=work_hours,
                hours=hours,
                first=date.fromisoformat(first),
                last=date.fromisoformat(last),
            )
            for engine, count, attempts, work_hours, hours, first, last in self._rows(query, job)
        }

    def _rows(self, query: str, key: str) -> Iterable[tuple[Any, ...]]:
        return self._connection.execute(query, (key,))

    def _format(self) -> int:
        (number,) = self._connection.execute("PRAGMA user_version").fetchone()
        return int(number)
