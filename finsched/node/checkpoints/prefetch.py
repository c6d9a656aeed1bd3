"""A standby's copy of the newest checkpoint, kept fresh while another machine still works.

It reads the commit log and never writes to it: the working attempt is not fenced.
"""

from __future__ import annotations

import threading
from pathlib import Path

from finsched.node.checkpoints.commit_log import CommitLog, Committed
from finsched.node.checkpoints.fetch import Damaged, Fetcher
from finsched.node.checkpoints.room import NoRoom
from finsched.node.removal import remove_tree
from finsched.node.store import Store, StoreError


class Prefetch:
    """The newest checkpoint that could be fetched; a bonus, so that failures only cost time."""

    def __init__(self, store: Store, fetcher: Fetcher, into: Path) -> None:
        self.commit: Committed | None = None
        self._log = CommitLog(store)
        self._fetcher = fetcher
        self._into = into
        self._looked_at = 0  # a damaged checkpoint is not fetched again and again
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def refresh(self) -> None:
        """Fetch the newest checkpoint if it is a new one; the one before goes."""
        try:
            commit = self._log.newest_commit(after=self._looked_at)
            if commit is not None:
                self._replace(commit)
                self._looked_at = commit.number
        except (StoreError, OSError):
            return  # the next look tries again

    def keep_fresh(self, *, every_seconds: float) -> None:
        """Refresh regularly, in a thread, until it is closed."""
        arguments = (every_seconds,)
        self._thread = threading.Thread(target=self._watch, args=arguments, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Refresh no more; a fetch that has begun is brought to its end."""
        self._closed.set()
        if self._thread:
            self._thread.join()

    def give_way(self) -> None:
        """Free the room of what is staged, which is then fetched anew."""
        if self.commit:
            remove_tree(self._directory(self.commit))
        self.commit = None

    def _watch(self, every_seconds: float) -> None:
        while not self._closed.wait(every_seconds):
            self.refresh()

    def _replace(self, commit: Committed) -> None:
        try:
            self._fetcher.fetch(commit, self._directory(commit))
        except Damaged:
            return  # its parts may just have been deleted for newer ones
        except NoRoom:
            self.give_way()  # the next look tries again
            raise
        before, self.commit = self.commit, commit
        if before:
            remove_tree(self._directory(before))

    def _directory(self, commit: Committed) -> Path:
        return self._into / f"{commit.number:08d}"
