"""Files linked aside while they are uploaded, so that the job may replace or delete them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finsched.node.checkpoints.parts import Changed
from finsched.node.checkpoints.room import require_room
from finsched.node.checkpoints.snapshot import Snapshot, mark


@contextmanager
def staged(snapshot: Snapshot, directory: Path, aside: Path) -> Iterator[Path]:
    """Link the files of a snapshot into a folder of their own while the block runs.

    Raises Changed where a file was written to, before the block or in it, NoRoom and OSError.
    """
    shutil.rmtree(aside, ignore_errors=True)
    try:
        _link_all(snapshot, directory, aside)
        _require_unchanged(snapshot, aside)
        yield aside
        _require_unchanged(snapshot, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _link_all(snapshot: Snapshot, directory: Path, aside: Path) -> None:
    try:
        for file in snapshot:
            target = aside / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(directory / file.name, target)
    except FileNotFoundError as error:
        raise Changed(str(error)) from error


def _require_unchanged(snapshot: Snapshot, aside: Path) -> None:
    if any(mark(aside / file.name, file.name) != file for file in snapshot):
        raise Changed("a file was written to")


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        require_room(target.parent, source.stat().st_size, what="a copy set aside to be sent")
        shutil.copy2(source, target)
