"""Brings committed files to this machine; what is here already, verified, is not sent again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from finsched.node.checkpoints.commit_log import Committed, CommittedFile
from finsched.node.checkpoints.meter import Meter, Tell
from finsched.node.checkpoints.room import require_room
from finsched.node.checkpoints.snapshot import FileMark, mark
from finsched.node.removal import remove_tree
from finsched.node.store import Missing, Store


class Damaged(Exception):
    """A committed checkpoint is not what its manifest says."""


class _LocalFile(NamedTuple):
    path: Path
    mark: FileMark


class Fetcher:
    """Downloads checkpoints, each as a whole, and remembers the files of the last one."""

    def __init__(self, store: Store, *, rank: int = 0) -> None:
        self.downloaded_bytes = 0
        self._store = store
        self._rank = rank
        self._here: Mapping[str, _LocalFile] = {}

    def fetch(self, commit: Committed, directory: Path, tell: Tell | None = None) -> None:
        """Bring a verified checkpoint into a new directory, which is gone where that fails.

        `tell` hears how far it is where that takes long. Raises Damaged, StoreError, NoRoom,
        OSError.
        """
        files = commit.files_for(self._rank)
        local = self._untouched(files)
        missing_bytes = sum(file.size for file in files if file.name not in local)
        require_room(directory, missing_bytes, what=f"checkpoint {commit.number}")
        meter = Meter(sum(file.size for file in files), tell) if tell else None
        try:
            for file in files:
                self._bring(file, _target(file, directory), local.get(file.name), meter)
            self._here = {file.sha256: _local(file, directory) for file in files}
        except BaseException:
            remove_tree(directory)
            raise

    def _untouched(self, files: Iterable[CommittedFile]) -> Mapping[str, _LocalFile]:
        """Return what is here already, by name; each is linked once, so no names share bytes."""
        unused = dict(self._here)
        found = ((file.name, unused.pop(file.sha256, None)) for file in files)
        return {name: local for name, local in found if local and _is_untouched(local)}

    def _bring(
        self, file: CommittedFile, target: Path, local: _LocalFile | None, meter: Meter | None
    ) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not (local and _linked(local, target)):
                self._download(file, target, meter)
            elif meter:
                meter.passed(file.size)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise Damaged(f"{file.name} is a file and a directory") from error

    def _download(self, file: CommittedFile, target: Path, meter: Meter | None) -> None:
        hasher, size = hashlib.sha256(), 0
        try:
            with target.open("wb") as output:
                for block in self._store.download(file.key):
                    hasher.update(block)
                    size += output.write(block)
                    self.downloaded_bytes += len(block)
                    if meter:
                        meter.passed(len(block))
        except Missing as error:
            raise Damaged(f"{file.name} is gone from the store") from error
        if (size, hasher.hexdigest()) != (file.size, file.sha256):
            text = f"{file.name} has {size} bytes with another hash, {file.size} were committed"
            raise Damaged(text)


def _target(file: CommittedFile, directory: Path) -> Path:
    name = PurePosixPath(file.name)
    if not name.name or "\0" in file.name:
        raise Damaged(f"{file.name!r} is no name of a file")
    if name.is_absolute() or ".." in name.parts:
        raise Damaged(f"{file.name} would be written outside of the directory")
    return directory / name


def _local(file: CommittedFile, directory: Path) -> _LocalFile:
    path = directory / file.name
    return _LocalFile(path, mark(path, file.name))


def _is_untouched(local: _LocalFile) -> bool:
    """Say whether a file is as it was when it was verified."""
    try:
        return mark(local.path, local.mark.name) == local.mark
    except OSError:
        return False


def _linked(local: _LocalFile, target: Path) -> bool:
    """Link a file, unless somebody has written to it meanwhile."""
    if not _is_untouched(local):
        return False
    try:
        os.link(local.path, target)
    except OSError:  # this file system has no links
        return False
    return True
