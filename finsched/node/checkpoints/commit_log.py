"""The commit log: what exists of a run's checkpoints, and who may add to it.

Entry n is the create-only object `log/<n>.json`. Every attempt first appends `opened`. A writer
adds at its own end of the log only, so one that is overtaken loses the number, reads on, and finds
the higher attempt: it can never commit again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finsched.node.clock import from_iso, to_iso, utc_now
from finsched.node.mail.documents import count, read_document, share, text
from finsched.node.mail.numbered import NumberedObjects
from finsched.node.store import Missing, Store, with_retries


class Fenced(Exception):
    """Another attempt has taken over; this one may commit nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedFile:
    """One file of a checkpoint: its relative name, the object that holds it, whose file it is."""

    name: str
    size: int
    sha256: str
    key: str
    rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An attempt has begun; every lower one is fenced."""

    number: int
    attempt: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A checkpoint exists; its `number` in the log is its sequence number."""

    number: int
    attempt: int
    at: datetime
    progress: float | None
    files: tuple[CommittedFile, ...]
    size_bytes: int

    def files_for(self, rank: int) -> tuple[CommittedFile, ...]:
        """Return what one node finds: the files of all nodes, as if they shared a directory.

        Where several nodes wrote the same name each finds its own, another one the lowest rank's.
        """
        found: dict[str, CommittedFile] = {}
        for file in sorted(self.files, key=lambda file: (file.rank != rank, file.rank)):
            found.setdefault(file.name, file)
        return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An entry that holds no valid document."""

    number: int


Entry = Opened | Committed | Unreadable


class CommitLog:
    """The log of one run in its store, for readers."""

    def __init__(self, store: Store) -> None:
        self._objects = NumberedObjects(store, "log", suffix=".json")

    def entries(self, *, after: int = 0) -> list[Entry]:
        """Return the entries behind number `after`, oldest first."""
        return [self.read(number) for number in self._objects.numbers(after=after)]

    def newest_first(self) -> Iterator[Entry]:
        """Yield the entries from the newest, reading each one only when it is asked for."""
        for number in reversed(self._objects.numbers()):
            yield self.read(number)

    def newest_commit(self, *, after: int = 0) -> Committed | None:
        """Return the newest readable checkpoint behind number `after`."""
        for number in reversed(self._objects.numbers(after=after)):
            if isinstance(entry := self.read(number), Committed):
                return entry
        return None

    def read(self, number: int) -> Entry:
        """Return one entry."""
        try:
            return _entry(number, read_document(self._objects.read(number)))
        except (Missing, AttributeError, KeyError, TypeError, ValueError):
            return Unreadable(number=number)


class CommitWriter:
    """The log as one attempt writes it."""

    def __init__(self, store: Store, attempt: int) -> None:
        self._log = CommitLog(store)
        self._objects = NumberedObjects(store, "log", suffix=".json")
        self._attempt = attempt
        self._end = 0
        self._overtaken_by: int | None = None

    def open(self) -> None:
        """Append `opened`; raises Fenced where this attempt or a higher one was opened before."""
        with_retries(self._go_to_end)
        self._append({"kind": "opened"}, lowest_foreign=self._attempt)

    def commit(self, files: tuple[CommittedFile, ...], progress: float | None) -> Committed:
        """Append a checkpoint; raises Fenced where a higher attempt was opened."""
        size_bytes = sum(file.size for file in files)
        document = {
            "kind": "committed",
            "progress": progress,
            "files": [file_document(file) for file in files],
            "size_bytes": size_bytes,
        }
        at = self._append(document, lowest_foreign=self._attempt + 1)
        return Committed(
            number=self._end,
            attempt=self._attempt,
            at=at,
            progress=progress,
            files=files,
            size_bytes=size_bytes,
        )

    def _go_to_end(self) -> None:
        for entry in self._log.newest_first():
            self._end = max(self._end, entry.number)
            if not isinstance(entry, Unreadable):  # attempts never fall, so one entry is enough
                self._check(entry, self._attempt)
                break

    def _append(self, document: Mapping[str, Any], *, lowest_foreign: int) -> datetime:
        at = utc_now()
        content = json.dumps({**document, "attempt": self._attempt, "at": to_iso(at)}).encode()
        self._require_not_overtaken()
        while not with_retries(lambda: self._objects.create(self._end + 1, content)):
            self._end += 1
            self._check(with_retries(lambda: self._log.read(self._end)), lowest_foreign)
        self._end += 1
        return at

    def _check(self, entry: Entry, lowest_foreign: int) -> None:
        if not isinstance(entry, Unreadable) and entry.attempt >= lowest_foreign:
            self._overtaken_by = entry.attempt
        self._require_not_overtaken()

    def _require_not_overtaken(self) -> None:
        if (other := self._overtaken_by) is not None:
            raise Fenced(f"attempt {other} has taken over from attempt {self._attempt}")


def _entry(number: int, document: Mapping[str, Any]) -> Entry:
    attempt, at = count(document["attempt"]), from_iso(document["at"])
    if document["kind"] == "opened":
        return Opened(number=number, attempt=attempt, at=at)
    if document["kind"] != "committed":
        raise ValueError("it is of no known kind")
    return Committed(
        number=number,
        attempt=attempt,
        at=at,
        progress=share(document["progress"]),
        files=tuple(file_from(file) for file in document["files"]),
        size_bytes=count(document["size_bytes"]),
    )


def file_from(document: Mapping[str, Any]) -> CommittedFile:
    """Read what `file_document` wrote; raises KeyError, TypeError or ValueError."""
    return CommittedFile(
        name=text(document["name"]),
        size=count(document["size"]),
        sha256=text(document["sha256"]),
        key=text(document["key"]),
        rank=count(document.get("rank", 0)),
    )


def file_document(file: CommittedFile) -> dict[str, Any]:
    """Return a file as plain JSON."""
    return {
        "name": file.name,
        "size": file.size,
        "sha256": file.sha256,
        "key": file.key,
        "rank": file.rank,
    }
