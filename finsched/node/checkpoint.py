"""Commits the job's checkpoints: waits until a save is complete, uploads it, writes the manifest.

docs/explanation/checkpoints.md tells why each step is as it is.
"""

from __future__ import annotations

import math
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from finsched.node.cadence import Pace, Thrift
from finsched.node.commit_log import Committed, CommitWriter, Fenced
from finsched.node.mailbox import Mailbox
from finsched.node.parts import Changed, Parts
from finsched.node.progress import Progress
from finsched.node.snapshot import Quiescence, Snapshot, is_checkpoint, look, mark
from finsched.node.store import StoreError

HURRIED_QUIET_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitTools:
    """What a committer works with."""

    writer: CommitWriter
    parts: Parts
    progress: Progress
    mailbox: Mailbox
    pace: Pace
    marker: Path  # touched at every commit


class Committer:
    """Watches the checkpoint directory in a thread and commits what has come to rest."""

    def __init__(self, directory: Path, staging: Path, tools: CommitTools) -> None:
        self.fenced: str | None = None
        self.last_upload_seconds = 0.0
        self._directory = directory
        self._staging = staging
        self._tools = tools
        self._quiet_at_most_seconds = math.inf
        self._quiescence = Quiescence()
        self._committed: Snapshot = ()
        self._thrift = Thrift(tools.pace)
        self._wake = threading.Event()
        self._job_ended_at: float | None = None
        self._finished = False
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def hurry(self) -> None:
        """Wait less for a save to come to rest: the machine is about to go."""
        self._quiet_at_most_seconds = HURRIED_QUIET_SECONDS
        self._wake.set()

    def finish(self, *, whole: bool, deadline: float) -> bool:
        """Commit what the ended job has left; False where that failed until the deadline.

        `whole` says that the job ended of its own will, so that its last save is complete.
        Otherwise only what had come to rest before the end counts. `deadline` is monotonic.
        """
        if whole:
            self._quiet_at_most_seconds = 0.0
        self._job_ended_at = time.monotonic()
        self._wake.set()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return self._finished

    def _run(self) -> None:
        self._tools.parts.delete_left_behind()
        try:
            while not self._finished:
                self._wake.wait(self._pause_seconds())
                self._wake.clear()
                self._step()
        except Fenced as error:
            self.fenced = str(error)

    def _step(self) -> None:
        ended_at = self._job_ended_at
        self._look()
        snapshot, now = self._quiescence.snapshot, time.monotonic()
        settled = self._settled(now if ended_at is None else ended_at)
        due = settled and (
            self._thrift.is_due(snapshot, now) or self._hurried or ended_at is not None
        )
        done = self._try_to_commit(snapshot) if due else True
        self._finished = ended_at is not None and done

    def _look(self) -> None:
        before = self._quiescence.snapshot
        self._quiescence.observe(look(self._directory), time.monotonic())
        if self._quiescence.snapshot != before:
            self._tools.pace.save_began()

    @property
    def _hurried(self) -> bool:
        return self._quiet_at_most_seconds <= HURRIED_QUIET_SECONDS

    @property
    def _quiet_seconds(self) -> float:
        usual_seconds = min(max(self._tools.pace.every_seconds / 10, 0.2), 5.0)
        return min(usual_seconds, self._quiet_at_most_seconds)

    def _settled(self, moment: float) -> bool:
        """Say whether the directory holds a new checkpoint that was at rest at this moment."""
        snapshot = self._quiescence.snapshot
        new = is_checkpoint(snapshot) and snapshot != self._committed
        return new and (
            self._quiet_seconds == 0 or self._quiescence.seconds(moment) >= self._quiet_seconds
        )

    def _try_to_commit(self, snapshot: Snapshot) -> bool:
        try:
            self._commit(snapshot)
        except Changed:
            return False
        except (StoreError, OSError) as error:
            self._failures += 1
            if self._failures == 1:
                self._tools.mailbox.post(
                    "warning", text=f"a checkpoint is not stored yet, trying on: {error}"
                )
            return False
        self._failures = 0
        return True

    def _commit(self, snapshot: Snapshot) -> None:
        started = time.monotonic()
        parts, modified_ns = self._tools.parts, max(file.modified_ns for file in snapshot)
        try:
            self._stage(snapshot)
            files = tuple(parts.store(self._staging / file.name, file.name) for file in snapshot)
            self._require_unchanged(snapshot)
        finally:
            shutil.rmtree(self._staging, ignore_errors=True)
        commit = self._tools.writer.commit(files, self._tools.progress.at(modified_ns))
        self._committed = snapshot
        self._thrift.keep()
        self.last_upload_seconds = time.monotonic() - started
        self._report(commit)
        parts.retain(commit)

    def _stage(self, snapshot: Snapshot) -> None:
        """Link the files aside, so that the job may replace or delete them during the upload."""
        shutil.rmtree(self._staging, ignore_errors=True)
        try:
            for file in snapshot:
                target = self._staging / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(self._directory / file.name, target)
        except FileNotFoundError as error:
            raise Changed(str(error)) from error
        self._require_unchanged(snapshot)

    def _require_unchanged(self, snapshot: Snapshot) -> None:
        if any(mark(self._staging / file.name, file.name) != file for file in snapshot):
            raise Changed("a file was written to")

    def _report(self, commit: Committed) -> None:
        self._tools.marker.touch()
        self._tools.mailbox.post(
            "committed",
            sequence=commit.number,
            size_bytes=commit.size_bytes,
            progress=commit.progress,
            upload_seconds=round(self.last_upload_seconds, 3),
            files=len(commit.files),
        )

    def _pause_seconds(self) -> float:
        if self._failures:
            longest = 0.5 if self._hurried else _LONGEST_PAUSE_SECONDS
            return min(0.5 * 2.0**self._failures, longest)
        return min(max(self._quiet_seconds / 4, 0.02), 0.5)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
