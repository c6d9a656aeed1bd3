"""Room on a disk, looked at before it is taken: a disk that we fill fails the job beside us."""

from __future__ import annotations

import shutil
from pathlib import Path


class NoRoom(OSError):
    """A disk has too little room; the text is for people."""


def free_bytes(directory: Path) -> int:
    """Return the room where a directory is or would be; raises OSError."""
    while not directory.exists():
        directory = directory.parent
    return shutil.disk_usage(directory).free


def require_room(directory: Path, needed_bytes: int, *, what: str) -> None:
    """Raise NoRoom where `needed_bytes` do not fit; `what` needs them, as `the copy of a file`."""
    free = free_bytes(directory)
    if needed_bytes > free:
        raise NoRoom(f"{what} needs {in_words(needed_bytes)}, the disk has {in_words(free)} left")


def in_words(size_bytes: int) -> str:
    """Return a size for people: `3.2 GB`."""
    size, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"
