"""The objects that hold checkpoint files: content-addressed, so an unchanged file is sent once.

Each attempt writes below its own number. An overtaken one can therefore neither overwrite nor
delete what a newer attempt has written, however late it wakes up.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from finsched.node.checkpoints.commit_log import CommitLog, Committed, CommittedFile
from finsched.node.checkpoints.pins import Pins
from finsched.node.store import Store, StoreError
from finsched.node.stores.parallel import PART_BYTES, several_at_once

_FILES_AT_ONCE = 4
_BLOCK_BYTES = 256 << 10  # what a processor's cache holds until it is hashed

Passed = Callable[[int], None]


def _unheard(_size_bytes: int) -> None:
    """Nobody wants to know."""


class _Measured(NamedTuple):
    path: Path
    name: str
    size: int
    sha256: str


class Changed(Exception):
    """A file was written to while it was being read: there is nothing to commit yet."""


class Parts:
    """The parts that this attempt uploaded or verified, and the commits that still need them."""

    def __init__(self, store: Store, attempt: int, *, keep: int, rank: int = 0) -> None:
        self._store = store
        self._rank = rank
        node = f"/{rank:06d}" if rank else ""  # no node may touch what another one has sent
        self._folder = f"parts/{attempt:06d}{node}"
        self._attempt = attempt
        self._kept: deque[Committed] = deque(maxlen=keep)
        self._pinned: dict[int, Committed] = {}
        self._keys: dict[str, str] = {}  # of contents that need not be sent again
        self._stored: dict[str, str] = {}  # what we may have to delete: key -> content
        self._sending: dict[str, threading.Lock] = {}  # a content is sent once, whoever has it

    def trust(self, commits: Iterable[Committed]) -> None:
        """Take over commits of earlier attempts, oldest first; the last one was verified."""
        for commit in commits:
            self._note(commit)
        if self._kept:
            self.know(self._kept[-1].files)

    def know(self, files: Iterable[CommittedFile]) -> None:
        """The store holds these files, and no others that need not be sent again."""
        self._keys = {file.sha256: file.key for file in files}

    def store_all(
        self, directory: Path, names: Iterable[str], passed: Passed = _unheard
    ) -> tuple[CommittedFile, ...]:
        """Return files of a directory as committed ones, uploading what the store does not hold.

        While a large one is on its way the next are read, and small ones go together. `passed`
        hears of bytes as they are taken care of. Raises Changed where a file is written to
        meanwhile, and StoreError.
        """

        self._sending.clear()

        def ready(name: str) -> CommittedFile | _Measured:
            file = _measured(directory / name, name)
            return file if file.size > PART_BYTES else self._store_one(file, passed)

        return tuple(
            self._store_one(file, passed) if isinstance(file, _Measured) else file
            for file in several_at_once(ready, names, at_once=_FILES_AT_ONCE)
        )

    def new_bytes(self, files: Iterable[CommittedFile]) -> int:
        """Return how much of these files no commit that is kept had; each content counts once."""
        needed = self._needed()
        return sum({file.key: file.size for file in files if file.key not in needed}.values())

    def retain(self, commit: Committed) -> None:
        """Note a new commit and delete the parts that only older ones needed, unless pinned.

        Where nobody knows what is pinned they stay until the next commit.
        """
        self._note(commit)
        with contextlib.suppress(StoreError):
            self._look_for_pins()
            for key in self._stored.keys() - self._needed():
                self._keys.pop(self._stored.pop(key), None)
                self._delete(key)

    def delete_left_behind(self) -> None:
        """Delete what earlier attempts left in the store and no kept commit needs."""
        with contextlib.suppress(StoreError):
            self._look_for_pins()
            needed = self._needed()
            for stored in self._store.list("parts"):
                attempt = stored.key.split("/")[1]
                if int(attempt) < self._attempt and stored.key not in needed:
                    self._delete(stored.key)

    def _store_one(self, file: _Measured, passed: Passed) -> CommittedFile:
        with self._sending.setdefault(file.sha256, threading.Lock()):
            key = self._keys.get(file.sha256)
            if key:
                passed(file.size)
            else:
                key = self._upload(file, passed)
        return CommittedFile(
            name=file.name, size=file.size, sha256=file.sha256, key=key, rank=self._rank
        )

    def _note(self, commit: Committed) -> None:
        self._kept.append(commit)
        self._stored |= {file.key: file.sha256 for file in commit.files}

    def _look_for_pins(self) -> None:
        """Read what is pinned now: pinned commits of earlier attempts share contents with ours."""
        log = CommitLog(self._store)
        entries = {n: self._pinned.get(n) or log.read(n) for n in Pins(self._store).numbers()}
        self._pinned = {n: entry for n, entry in entries.items() if isinstance(entry, Committed)}

    def _needed(self) -> set[str]:
        commits = (*self._kept, *self._pinned.values())
        return {file.key for commit in commits for file in commit.files}

    def _upload(self, file: _Measured, passed: Passed) -> str:
        key = f"{self._folder}/{file.sha256}"
        hasher = hashlib.sha256()
        self._store.require_room(file.size)
        self._store.upload(key, _counted(_hashed_blocks(file.path, hasher), passed))
        if hasher.hexdigest() != file.sha256:
            self._delete(key)
            raise Changed(file.name)
        self._keys[file.sha256] = key
        self._stored[key] = file.sha256
        return key

    def _delete(self, key: str) -> None:
        with contextlib.suppress(
            StoreError
        ):  # a part too many costs a little; the next attempt tries again
            self._store.delete(key)


def _counted(blocks: Iterable[bytes], passed: Passed) -> Iterator[bytes]:
    for block in blocks:
        passed(len(block))
        yield block


def _measured(path: Path, name: str) -> _Measured:
    hasher = hashlib.sha256()
    size = sum(len(block) for block in _hashed_blocks(path, hasher))
    return _Measured(path, name, size, hasher.hexdigest())


def _hashed_blocks(path: Path, hasher: hashlib._Hash) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            hasher.update(block)
            yield block
