"""The checkpoints of a simulated job: small objects under the real keys, in the real log."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from dataclasses import dataclass

from finsched.node.checkpoints.commit_log import (
    CommitLog,
    Committed,
    CommittedFile,
    CommitWriter,
    Unreadable,
)
from finsched.node.store import Missing, Store, StoreError

_NAME = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The newest whole checkpoint, if any, and what was damaged before it was found."""

    commit: Committed | None = None
    damaged: tuple[str, ...] = ()


class Keeper:
    """Uploads, commits, keeps the last few and brings them back, as the agent's parts do."""

    def __init__(self, store: Store, attempt: int, *, keep: int) -> None:
        self._store = store
        self._attempt = attempt
        self._kept: deque[Committed] = deque(maxlen=keep)

    def restore(self) -> Restored:
        """Return the newest checkpoint whose parts are what the log says; raises StoreError."""
        damaged: list[str] = []
        entries = CommitLog(self._store).newest_first()
        for entry in entries:
            if isinstance(entry, Unreadable):
                damaged.append(f"checkpoint {entry.number} is damaged: it cannot be read")
            elif isinstance(entry, Committed) and self.is_whole(entry):
                self._kept.append(entry)
                return Restored(commit=entry, damaged=tuple(damaged))
            elif isinstance(entry, Committed):
                damaged.append(f"checkpoint {entry.number} is damaged")
        return Restored(damaged=tuple(damaged))

    def store(self, progress: float, size_bytes: int, *, rank: int = 0) -> CommittedFile:
        """Upload a state and return it as a file of a checkpoint; raises StoreError."""
        content = json.dumps({"progress": progress, "rank": rank}).encode().ljust(size_bytes)
        sha256 = hashlib.sha256(content).hexdigest()
        node = f"/{rank:06d}" if rank else ""
        file = CommittedFile(
            name=_NAME,
            size=len(content),
            sha256=sha256,
            key=f"parts/{self._attempt:06d}{node}/{sha256}",
            rank=rank,
        )
        if file.key not in {each.key for kept in self._kept for each in kept.files}:
            self._store.upload(file.key, [content])
        return file

    def commit(
        self, writer: CommitWriter, progress: float, files: tuple[CommittedFile, ...]
    ) -> Committed:
        """Add a checkpoint to the log; raises Fenced, StoreError."""
        commit = writer.commit(files, progress)
        self._retain(commit)
        return commit

    def is_whole(self, commit: Committed) -> bool:
        """Whether the store holds every part as the log says; raises StoreError."""
        return all(self._matches(file) for file in commit.files)

    def _matches(self, file: CommittedFile) -> bool:
        try:
            content = b"".join(self._store.download(file.key))
        except Missing:
            return False
        return (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)

    def _retain(self, commit: Committed) -> None:
        """Delete the parts that only checkpoints before the last few needed."""
        before = {file.key for kept in self._kept for file in kept.files}
        self._kept.append(commit)
        needed = {file.key for kept in self._kept for file in kept.files}
        for key in sorted(before - needed):
            try:
                self._store.delete(key)
            except StoreError:
                continue  # a part too many costs a little
