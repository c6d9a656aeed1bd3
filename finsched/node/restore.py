"""Brings back the newest checkpoint that is whole, and counts those that are not."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from finsched.node.commit_log import Committed, CommittedFile, Entry, Unreadable
from finsched.node.store import Missing, Store


class Damaged(Exception):
    """A committed checkpoint is not what its manifest says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a new attempt starts from: a verified commit in `directory`, or neither."""

    commit: Committed | None = None
    older: tuple[Committed, ...] = ()
    directory: Path | None = None
    damaged: tuple[str, ...] = ()


def restore(store: Store, newest_first: Iterable[Entry], into: Path, *, keep: int) -> Restored:
    """Download and verify the newest whole checkpoint; raises StoreError, OSError."""
    entries = iter(newest_first)
    damaged: list[str] = []
    for entry in entries:
        if isinstance(entry, Unreadable):
            damaged.append(f"checkpoint {entry.number} is damaged: its manifest cannot be read")
        if not isinstance(entry, Committed):
            continue
        try:
            directory = _download_all(store, entry, into / f"{entry.number:08d}")
        except Damaged as error:
            damaged.append(f"checkpoint {entry.number} is damaged: {error}")
            continue
        older = islice((e for e in entries if isinstance(e, Committed)), keep - 1)
        return Restored(
            commit=entry, older=tuple(older), directory=directory, damaged=tuple(damaged)
        )
    return Restored(damaged=tuple(damaged))


def _download_all(store: Store, commit: Committed, directory: Path) -> Path:
    try:
        for file in commit.files:
            _download(store, file, directory)
    except Damaged:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return directory


def _download(store: Store, file: CommittedFile, directory: Path) -> None:
    name = PurePosixPath(file.name)
    if name.is_absolute() or ".." in name.parts:
        raise Damaged(f"{file.name} would be written outside of the directory")
    target = directory / name
    target.parent.mkdir(parents=True, exist_ok=True)
    hasher, size = hashlib.sha256(), 0
    try:
        with target.open("wb") as output:
            for block in store.download(file.key):
                hasher.update(block)
                size += output.write(block)
    except Missing as error:
        raise Damaged(f"{file.name} is gone from the store") from error
    if (size, hasher.hexdigest()) != (file.size, file.sha256):
        raise Damaged(f"{file.name} has {size} bytes with another hash, {file.size} were committed")
