"""From what is new in the ledger to the notebook."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from finsched.decide.offers.lessons import Lesson, lessons
from finsched.errors import LedgerProblem
from finsched.experience.notebook import Bookmark, Notebook
from finsched.experience.reading import LedgerReader
from finsched.ledger import recorded
from finsched.model.event import AttemptEnded, Recorded, fold


def catch_up(reader: LedgerReader, book: Notebook) -> None:
    """Add what the attempts taught that ended since the last time.

    A run that cannot be read is counted and passed over.
    """
    with book.writing(), reader.standing_still():
        head = reader.head()
        if head is None:
            return
        known = book.bookmark
        if known.ledger != head.ledger or known.sequence > head.sequence:
            book.begin_anew()
            known = Bookmark()
        unread = sum(
            not _learnt(reader, book, run, known.sequence)
            for run in reader.runs_with_an_end(known.sequence)
        )
        book.turn_to(Bookmark(head.ledger, head.sequence, known.unread + unread))


def _learnt(reader: LedgerReader, book: Notebook, run: str, after: int) -> bool:
    """Add the lessons of a run's new ends; return whether it could be read."""
    try:
        new = list(_new_lessons(reader, run, after))
    except (LedgerProblem, TypeError, ValueError, sqlite3.OperationalError):
        return False
    for lesson in new:
        book.add(lesson)
    return True


def _new_lessons(reader: LedgerReader, run: str, after: int) -> Iterator[Lesson]:
    records = [recorded(*row) for row in reader.events(run)]
    new = _ended_after(records, after)
    return (lesson for lesson in lessons(fold(records)) if lesson.attempt in new)


def _ended_after(records: list[Recorded], after: int) -> set[int]:
    """The attempts whose first end is new; an end that is told twice counts once."""
    ends: dict[int, int] = {}
    for record in records:
        if isinstance(record.event, AttemptEnded):
            ends.setdefault(record.event.attempt, record.sequence)
    return {attempt for attempt, sequence in ends.items() if sequence > after}
