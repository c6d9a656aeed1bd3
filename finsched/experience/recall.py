"""From the ledger to what a job's market is told of our own past."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from finsched.decide.offers.fingerprint import fingerprint, setup_name
from finsched.experience.notebook import FILE_NAME, Bookmark, Notebook
from finsched.experience.reading import LedgerReader
from finsched.model.job import JobSpec
from finsched.model.market import Experience
from finsched.settings import LEDGER_FILE


class Recollection(NamedTuple):
    """What our own runs teach about a job, what is to be said of it, and the events read for it."""

    experience: Experience
    notes: tuple[str, ...] = ()
    events_read: int = 0


_NOTHING = Recollection(Experience())


def recall(state_dir: Path, job: JobSpec | None, now: datetime) -> Recollection:
    """Return what the runs of this installation teach about a job; without one, about pools alone.

    Attempts that ended since the last time are read first, and only those. Whatever is wrong with
    the files, there is an answer: without experience, and with a note that says so.
    """
    ledger = state_dir / LEDGER_FILE
    if not ledger.exists():
        return _NOTHING
    try:
        with closing(LedgerReader(ledger)) as reader:
            return _recall(reader, state_dir / FILE_NAME, job, now)
    except (sqlite3.Error, OSError) as error:
        note = f"quoted without what our own runs teach: {ledger}: {error}"
        return Recollection(Experience(), (note,))


def _recall(reader: LedgerReader, path: Path, job: JobSpec | None, now: datetime) -> Recollection:
    """Read the notebook; a damaged one is made again."""
    if reader.head() is None:
        return _NOTHING
    try:
        return _from_notebook(reader, path, job, now)
    except sqlite3.DatabaseError:
        path.unlink()
        return _from_notebook(reader, path, job, now)


def _from_notebook(
    reader: LedgerReader, path: Path, job: JobSpec | None, now: datetime
) -> Recollection:
    with closing(Notebook(path)) as book:
        if _is_behind(book.bookmark, reader):
            from finsched.experience.learning import catch_up  # noqa: PLC0415 - seldom, and slow

            catch_up(reader, book)
        experience = Experience(
            observations=book.observations(now.date()),
            starts=book.starts(setup_name(job)) if job else {},
            paces=book.paces(fingerprint(job)) if job else {},
            cooling=book.cooling(now),
        )
        return Recollection(experience, tuple(_notes(book.bookmark)), reader.rows)


def _is_behind(bookmark: Bookmark, reader: LedgerReader) -> bool:
    """Whether an attempt has ended that the notebook does not know, or this is another ledger."""
    head = reader.head()
    if head is None or head.ledger != bookmark.ledger or head.sequence < bookmark.sequence:
        return True
    return bool(reader.runs_with_an_end(bookmark.sequence))


def _notes(bookmark: Bookmark) -> Iterator[str]:
    if bookmark.unread:
        which = "1 run" if bookmark.unread == 1 else f"{bookmark.unread} runs"
        yield f"{which} of the ledger could not be read and taught this quote nothing"
