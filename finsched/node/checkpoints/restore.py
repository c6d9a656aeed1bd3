"""Brings back the newest checkpoint that is whole, and counts those that are not."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from finsched.node.checkpoints.commit_log import Committed, Entry, Unreadable
from finsched.node.checkpoints.fetch import Damaged, Fetcher
from finsched.node.checkpoints.meter import Tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a new attempt starts from: a verified commit in `directory`, or neither."""

    commit: Committed | None = None
    older: tuple[Committed, ...] = ()
    directory: Path | None = None
    damaged: tuple[str, ...] = ()
    seconds: float = 0.0


def restore(
    fetcher: Fetcher,
    newest_first: Iterable[Entry],
    into: Path,
    *,
    keep: int,
    tell: Tell | None = None,
) -> Restored:
    """Fetch and verify the newest whole checkpoint; raises StoreError, NoRoom, OSError."""
    began_at = time.monotonic()
    entries = iter(newest_first)
    damaged: list[str] = []
    for entry in entries:
        if isinstance(entry, Unreadable):
            damaged.append(f"checkpoint {entry.number} is damaged: its manifest cannot be read")
        if not isinstance(entry, Committed):
            continue
        directory = into / f"{entry.number:08d}"
        try:
            fetcher.fetch(entry, directory, tell)
        except Damaged as error:
            damaged.append(f"checkpoint {entry.number} is damaged: {error}")
            continue
        older = islice((e for e in entries if isinstance(e, Committed)), keep - 1)
        return Restored(
            commit=entry,
            older=tuple(older),
            directory=directory,
            damaged=tuple(damaged),
            seconds=time.monotonic() - began_at,
        )
    return Restored(damaged=tuple(damaged))
