"""Commits the job's checkpoints: waits until a save is complete, uploads it, writes the manifest.

docs/explanation/checkpoints.md tells why each step is as it is.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from finsched.node.checkpoints.cadence import Pace, Thrift
from finsched.node.checkpoints.commit_log import CommittedFile, CommitWriter, Fenced
from finsched.node.checkpoints.meter import Meter
from finsched.node.checkpoints.parts import Changed, Parts
from finsched.node.checkpoints.room import free_bytes, in_words
from finsched.node.checkpoints.snapshot import (
    Quiescence,
    Snapshot,
    is_checkpoint,
    look,
    stamp_from_now_on_ns,
)
from finsched.node.checkpoints.staging import staged
from finsched.node.gangs.companions import Apart, Companions, Save
from finsched.node.job.progress import Progress
from finsched.node.reports import Reports
from finsched.node.store import StoreError, pause_after

HURRIED_QUIET_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitTools:
    """What a committer works with; in a gang its leader also has companions."""

    writer: CommitWriter
    parts: Parts
    progress: Progress
    reports: Reports
    pace: Pace
    marker: Path  # touched at every commit
    companions: Companions | None = None


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
        self._whole = False
        self._finished = False
        self._left_out = False
        self._warned_of_room = False
        self._passed_over: Snapshot | None = None  # a save that the nodes did not make together
        self._files: tuple[CommittedFile, ...] = ()
        self._failures = 0
        self._own_seconds = 0.0  # of the slowest try to send what is not committed yet
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def hurry(self) -> None:
        """Wait less for a save to come to rest: the machine is about to go."""
        self._quiet_at_most_seconds = HURRIED_QUIET_SECONDS
        if self._tools.companions:
            self._tools.companions.signalled(stamp_from_now_on_ns())
        self._wake.set()

    def finish(self, *, whole: bool, deadline: float) -> bool:
        """Commit what the ended job has left; False where that failed until the deadline.

        `whole` says that the job ended of its own will, so that its last save is complete.
        Otherwise only what had come to rest before the end counts. `deadline` is monotonic.
        """
        if whole:
            self._whole, self._quiet_at_most_seconds = True, 0.0
        self._job_ended_at = time.monotonic()
        self._wake.set()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return self._finished and not self._left_out

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
        if settled and self._tools.companions:
            self._tools.companions.saw(_written_ns(snapshot))
        if ended_at is not None and self._tools.companions:
            due = self._at_rest(ended_at)  # the others may have something new
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
        new = is_checkpoint(snapshot) and snapshot not in {self._committed, self._passed_over}
        return new and self._at_rest(moment)

    def _at_rest(self, moment: float) -> bool:
        return self._quiet_seconds == 0 or self._quiescence.seconds(moment) >= self._quiet_seconds

    def _try_to_commit(self, snapshot: Snapshot) -> bool:
        last = self._job_ended_at is not None
        try:
            self._commit(snapshot)
        except Changed:
            return False
        except Apart as error:
            self._tools.reports.warning(f"a save is left out: {error}")
            self._passed_over = snapshot
            self._left_out = last  # the nodes will save no more
            return self._left_out
        except (StoreError, OSError) as error:
            self._failures += 1
            if self._failures == 1:
                text = f"a checkpoint is not stored yet, trying on: {error}"
                self._tools.reports.warning(text)
            return False
        self._failures = 0
        return True

    def _commit(self, snapshot: Snapshot) -> None:
        started = time.monotonic()
        parts, written_ns = self._tools.parts, _written_ns(snapshot)
        meter = Meter(sum(file.size for file in snapshot), self._tools.reports.uploading)
        with staged(snapshot, self._directory, self._staging) as aside:
            own = parts.store_all(aside, (file.name for file in snapshot), meter.passed)
        self._own_seconds = max(self._own_seconds, time.monotonic() - started)
        files = (*own, *self._others(snapshot, written_ns))
        if _contents(files) == _contents(self._files):
            return
        commit = self._tools.writer.commit(files, self._tools.progress.at(written_ns))
        self._committed, self._files = snapshot, files
        self._thrift.keep()
        self.last_upload_seconds = self._own_seconds + self._others_seconds
        self._own_seconds = 0.0
        self._tools.marker.touch()
        self._tools.reports.committed(
            commit, upload_seconds=self.last_upload_seconds, sent_bytes=parts.new_bytes(files)
        )
        parts.retain(commit)
        if self._tools.companions:
            self._tools.companions.accept()
        self._warn_of_little_room(sum(file.size for file in own))

    def _warn_of_little_room(self, saved_bytes: int) -> None:
        """Tell once, while there is still time, that the job may find no room for its next save."""
        free = free_bytes(self._directory)
        if self._warned_of_room or free >= saved_bytes:
            return
        self._warned_of_room = True
        self._tools.reports.warning(
            f"little room for one more checkpoint of {in_words(saved_bytes)}:"
            f" the disk has {in_words(free)} left"
        )

    @property
    def _others_seconds(self) -> float:
        """How long storing took the slowest of them, without the time until it had saved."""
        return self._tools.companions.upload_seconds if self._tools.companions else 0.0

    def _others(self, snapshot: Snapshot, written_ns: int) -> tuple[CommittedFile, ...]:
        """Collect what the other nodes saved at the same time; raises Apart, Changed."""
        if self._tools.companions is None:
            return ()
        save = Save(
            written_ns=written_ns,
            last=self._job_ended_at is not None,
            whole=self._whole,
        )
        before = look(self._directory, temporary=True)
        files = self._tools.companions.collect(save, go_on=lambda: self._waits(snapshot, save))
        if not self._still(snapshot):
            raise Changed("the next save has begun")
        if look(self._directory, temporary=True) != before and self._is_late(save):
            raise Apart("a node was late, and the next save has begun")
        return files

    def _waits(self, snapshot: Snapshot, save: Save) -> bool:
        """Whether to go on with a round: not once the job has ended, which asks for the last."""
        return self._still(snapshot) and (save.last or self._job_ended_at is None)

    def _is_late(self, save: Save) -> bool:
        """Whether a part is newer than the leader's save: it may be of the next one."""
        companions = self._tools.companions
        return companions is not None and not save.last and companions.newest_ns > save.written_ns

    def _still(self, snapshot: Snapshot) -> bool:
        return look(self._directory) == snapshot

    def _pause_seconds(self) -> float:
        if self._failures:
            return pause_after(self._failures, hurried=self._hurried)
        return min(max(self._quiet_seconds / 4, 0.02), 0.5)


def _written_ns(snapshot: Snapshot) -> int:
    return max((file.modified_ns for file in snapshot), default=0)


def _contents(files: tuple[CommittedFile, ...]) -> set[tuple[int, str, str]]:
    return {(file.rank, file.name, file.sha256) for file in files}
