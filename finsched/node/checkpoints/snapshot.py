"""A look at the checkpoint directory: what is in it, and whether the job has stopped writing."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TEMPORARY_SUFFIXES = (".tmp", ".part", ".partial", "~")
_TEMPORARY_PREFIXES = (".tmp", ".nfs", ".~")
_COARSEST_STAMP_NS = 20_000_000  # a kernel stamps files with the time of its last tick


class FileMark(NamedTuple):
    """What changes when a file is written: relative name, size and modification time."""

    name: str
    size: int
    modified_ns: int


Snapshot = tuple[FileMark, ...]


def look(directory: Path, *, temporary: bool = False) -> Snapshot:
    """Return the marks of all regular files in order, without links and hidden folders.

    Files with a temporary name are left out, unless they are asked for too.
    """
    return tuple(sorted(_marks(str(directory), temporary=temporary)))


def without_temporary(snapshot: Snapshot) -> Snapshot:
    """Return the files that a look leaves in which temporary ones are not asked for."""
    return tuple(file for file in snapshot if not any(map(_is_temporary, file.name.split("/"))))


def mark(path: Path, name: str) -> FileMark:
    """Return the mark of one file; raises OSError."""
    status = path.stat(follow_symlinks=False)
    return FileMark(name, status.st_size, status.st_mtime_ns)


def stamp_from_now_on_ns() -> int:
    """Return the earliest modification time that a file may get which is written from now on."""
    return time.time_ns() - _COARSEST_STAMP_NS


def is_checkpoint(snapshot: Snapshot) -> bool:
    """Say whether there is anything to keep: empty files alone are no checkpoint."""
    return any(file.size for file in snapshot)


def _marks(directory: str, *, temporary: bool) -> Iterator[FileMark]:
    waiting = [(directory, "")]  # not by recursion: a job may nest directories as deep as it likes
    while waiting:
        path, prefix = waiting.pop()
        for entry in _entries(path):
            name = prefix + entry.name
            if _is_temporary(entry.name) and not temporary:
                continue
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    waiting.append((entry.path, f"{name}/"))
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    yield FileMark(name, status.st_size, status.st_mtime_ns)


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(directory))
    except OSError:
        return []  # removed while we looked: the next look differs


def _is_temporary(name: str) -> bool:
    """Hidden files count: torch.distributed.checkpoint keeps its index in `.metadata`."""
    return name.startswith(_TEMPORARY_PREFIXES) or name.endswith(_TEMPORARY_SUFFIXES)


class Quiescence:
    """How long the directory has looked the same; times are of the monotonic clock."""

    def __init__(self) -> None:
        self.snapshot: Snapshot = ()
        self._since = 0.0

    def observe(self, snapshot: Snapshot, now: float) -> None:
        """Note how the directory looks now."""
        if snapshot != self.snapshot:
            self.snapshot = snapshot
            self._since = now

    def seconds(self, now: float) -> float:
        """Return for how long nothing has changed."""
        return now - self._since
