"""The objects that hold checkpoint files: content-addressed, so an unchanged file is sent once.

Each attempt writes below its own number. An overtaken one can therefore neither overwrite nor
delete what a newer attempt has written, however late it wakes up.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from finsched.node.commit_log import Committed, CommittedFile
from finsched.node.store import Store, StoreError

_BLOCK_BYTES = 1 << 20

Passed = Callable[[int], None]


def _unheard(_size_bytes: int) -> None:
    """Nobody wants to know."""


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
        self._keys: dict[str, str] = {}

    def trust(self, commits: Iterable[Committed]) -> None:
        """Take over commits of earlier attempts, oldest first; the last one was verified."""
        self._kept.extend(commits)
        if self._kept:
            self.know(self._kept[-1].files)

    def know(self, files: Iterable[CommittedFile]) -> None:
        """The store holds these files, and no others that need not be sent again."""
        self._keys = {file.sha256: file.key for file in files}

    def store(self, path: Path, name: str, passed: Passed = _unheard) -> CommittedFile:
        """Return the file as a committed one, uploading what the store does not hold yet.

        `passed` hears of the file's bytes as they are taken care of. Raises Changed where the file
        is written to meanwhile, and StoreError.
        """
        size, sha256 = _measure(path)
        key = self._keys.get(sha256)
        if key:
            passed(size)
        else:
            key = self._upload(path, sha256, passed)
        return CommittedFile(name=name, size=size, sha256=sha256, key=key, rank=self._rank)

    def retain(self, commit: Committed) -> None:
        """Note a new commit and delete the parts that only older ones needed."""
        known = {file.key: file.sha256 for kept in self._kept for file in kept.files}
        known |= {key: sha256 for sha256, key in self._keys.items()}
        self._kept.append(commit)
        for key in known.keys() - self._needed():
            self._keys.pop(known[key], None)
            self._delete(key)

    def delete_left_behind(self) -> None:
        """Delete what earlier attempts left in the store and no kept commit needs."""
        needed = self._needed()
        with contextlib.suppress(StoreError):
            for stored in self._store.list("parts"):
                attempt = stored.key.split("/")[1]
                if int(attempt) < self._attempt and stored.key not in needed:
                    self._delete(stored.key)

    def _needed(self) -> set[str]:
        return {file.key for kept in self._kept for file in kept.files}

    def _upload(self, path: Path, sha256: str, passed: Passed) -> str:
        key = f"{self._folder}/{sha256}"
        hasher = hashlib.sha256()
        self._store.upload(key, _counted(_hashed_blocks(path, hasher), passed))
        if hasher.hexdigest() != sha256:
            self._delete(key)
            raise Changed(path.name)
        self._keys[sha256] = key
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


def _measure(path: Path) -> tuple[int, str]:
    hasher = hashlib.sha256()
    size = sum(len(block) for block in _hashed_blocks(path, hasher))
    return size, hasher.hexdigest()


def _hashed_blocks(path: Path, hasher: hashlib._Hash) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            hasher.update(block)
            yield block
