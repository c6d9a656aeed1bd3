"""What really stands in a run's commit log and parts, read apart from the agent's own code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from finsched_sim.objects import Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry of the log: `progress` is None where an attempt was opened."""

    number: int
    attempt: int
    progress: float | None
    files: tuple[dict[str, Any], ...]


class LogTruth:
    """The commit log of a run, entry by entry as it is written."""

    def __init__(self, bucket: Bucket) -> None:
        self.entries: list[LogEntry] = []
        self.bucket = bucket
        bucket.watch("log", self._read_on)

    def newest_whole(self, *, below_attempt: int) -> LogEntry | None:
        """Return the newest checkpoint of earlier attempts whose parts are what the log says."""
        for entry in reversed(self.entries):
            is_commit = entry.progress is not None and entry.attempt < below_attempt
            if is_commit and all(self._is_whole(file) for file in entry.files):
                return entry
        return None

    def _read_on(self) -> None:
        number = len(self.entries) + 1
        document = json.loads(self.bucket.get(f"log/{number:08d}.json"))
        entry = LogEntry(
            number=number,
            attempt=document["attempt"],
            progress=document.get("progress"),
            files=tuple(document.get("files", ())),
        )
        self.entries.append(entry)

    def _is_whole(self, file: dict[str, Any]) -> bool:
        if not self.bucket.has(file["key"]):
            return False
        content = self.bucket.get(file["key"])
        return bool(hashlib.sha256(content).hexdigest() == file["sha256"])
