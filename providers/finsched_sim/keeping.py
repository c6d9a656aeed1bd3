"""The checkpoints of a simulated job: small objects under the real keys, in the real log."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from dataclasses import dataclass

from finsched.node.commit_log import CommitLog, Committed, CommittedFile, CommitWriter, Unreadable
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
            elif isinstance(entry, Committed) and self._is_whole(entry):
                self._kept.append(entry)
                return Restored(commit=entry, damaged=tuple(damaged))
            elif isinstance(entry, Committed):
                damaged.append(f"checkpoint {entry.number} is damaged")
        return Restored(damaged=tuple(damaged))

    def commit(self, writer: CommitWriter, progress: float, size_bytes: int) -> Committed:
        """Upload a state and add it to the log; raises Fenced, StoreError."""
        content = json.dumps({"progress": progress}).encode().ljust(size_bytes)
        sha256 = hashlib.sha256(content).hexdigest()
        key = f"parts/{self._attempt:06d}/{sha256}"
        self._store.upload(key, [content])
        file = CommittedFile(name=_NAME, size=len(content), sha256=sha256, key=key)
        commit = writer.commit((file,), progress)
        self._retain(commit)
        return commit

    def _is_whole(self, commit: Committed) -> bool:
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
