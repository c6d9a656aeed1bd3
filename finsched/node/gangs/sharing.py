"""A node of a gang that does not lead: it answers the leader with its part of each checkpoint."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from finsched.node.checkpoints.cadence import Pace
from finsched.node.checkpoints.checkpoint import HURRIED_QUIET_SECONDS
from finsched.node.checkpoints.commit_log import CommittedFile, file_document
from finsched.node.checkpoints.parts import Changed, Parts
from finsched.node.checkpoints.snapshot import (
    Quiescence,
    Snapshot,
    look,
    stamp_from_now_on_ns,
    without_temporary,
)
from finsched.node.checkpoints.staging import staged
from finsched.node.clock import monotonic
from finsched.node.gangs.answered import Answered
from finsched.node.gangs.companions import question
from finsched.node.gangs.gang import Gang, Round
from finsched.node.reports import Reports
from finsched.node.store import StoreError, pause_after

_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareTools:
    """What a sharer works with."""

    gang: Gang
    parts: Parts
    reports: Reports
    pace: Pace


class Sharer:
    """Watches the checkpoint directory in a thread and answers each round of the leader.

    A round is answered when nothing is being written and the files are new, or when the leader
    knows that this node does not save.
    """

    def __init__(
        self, directory: Path, staging: Path, tools: ShareTools, known: Iterable[CommittedFile]
    ) -> None:
        self.fenced: str | None = None
        self.last_upload_seconds = 0.0
        self._directory = directory
        self._staging = staging
        self._tools = tools
        self._told: dict[int, tuple[CommittedFile, ...]] = {0: tuple(known)}
        self._quiet_at_most_seconds = math.inf
        self._hurries = False
        self._quiescence = Quiescence()
        self._answered = 0
        self._told_saves = Answered()
        self._wake = threading.Event()
        self._job_ended_at: float | None = None
        self._whole = False
        self._failures = 0
        self._again_at = 0.0
        self._upload_seconds = 0.0  # of the slowest try to send what no commit has yet
        self._thread = threading.Thread(target=self._run, name="sharer", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def hurry(self) -> None:
        """Wait less for a save to come to rest: a machine of the gang is about to go."""
        self._quiet_at_most_seconds, self._hurries = HURRIED_QUIET_SECONDS, True
        self._again_at = 0.0
        self._told_saves.signalled(stamp_from_now_on_ns())
        self._wake.set()

    def job_ended(self, *, whole: bool) -> None:
        """Nothing is written any more; `whole` says that the job ended of its own will."""
        self._whole = whole
        self._job_ended_at, self._again_at = monotonic(), 0.0
        self._wake.set()

    def _run(self) -> None:
        while not self._tools.gang.is_over:
            self._wake.wait(_PAUSE_SECONDS)
            self._wake.clear()
            self._step()

    def _step(self) -> None:
        now = monotonic()
        self._quiescence.observe(look(self._directory, temporary=True), now)
        asked = self._tools.gang.round
        waits = asked is None or asked.number <= self._answered or now < self._again_at
        if asked and not waits and self._may_answer(asked, now):
            self._try_to_answer(asked)

    def _may_answer(self, asked: Round, now: float) -> bool:
        if self._job_ended_at is not None:
            return True
        if asked.last or self._quiescence.seconds(now) < self._quiet_seconds:
            return False
        return self._is_fresh(asked) or self._tools.gang.rank in asked.silent

    def _is_fresh(self, asked: Round) -> bool:
        return self._told_saves.are_new(asked, _newest_ns(self._saved))

    def _try_to_answer(self, asked: Round) -> None:
        try:
            self._answer(asked)
        except Changed:
            return
        except (StoreError, OSError) as error:
            self._failures += 1
            self._again_at = monotonic() + pause_after(self._failures, hurried=self._is_hurried)
            if self._failures == 1:
                text = f"its part of a checkpoint is not stored yet, trying on: {error}"
                self._tools.reports.warning(text)
            return
        self._failures = 0

    def _answer(self, asked: Round) -> None:
        started, snapshot = monotonic(), self._saved
        parts = self._tools.parts
        parts.know(self._held(asked))
        with staged(snapshot, self._directory, self._staging) as aside:
            files = parts.store_all(aside, (file.name for file in snapshot))
        before = 0.0 if asked.accepted >= self._answered else self._upload_seconds
        self._upload_seconds = max(before, monotonic() - started)
        answer = {
            "files": [file_document(file) for file in files],
            "written_ns": _newest_ns(snapshot),
            "upload_seconds": round(self._upload_seconds, 3),
            "fresh": self._is_fresh(asked),
            "signalled": self._told_saves.is_last_save(_newest_ns(snapshot)),
            "settled": self._is_settled,
            "whole": self._whole,
        }
        self._tools.gang.answer(question(asked.number), answer)
        self._told = {asked.accepted: self._told.get(asked.accepted, ()), asked.number: files}
        self._told_saves.note(asked, _newest_ns(snapshot))
        self._answered = asked.number
        self.last_upload_seconds = monotonic() - started

    def _held(self, asked: Round) -> Iterable[CommittedFile]:
        """What the store has: the last commit's files, and what was sent since.

        A part of an older commit may be deleted once there is another one.
        """
        since = (number for number in self._told if number >= asked.accepted)
        return (file for number in since for file in self._told[number])

    @property
    def _is_hurried(self) -> bool:
        return self._hurries or self._job_ended_at is not None

    @property
    def _saved(self) -> Snapshot:
        return without_temporary(self._quiescence.snapshot)

    @property
    def _is_settled(self) -> bool:
        """Whether the files are a whole save: at rest, or left by a job that ended by itself."""
        if self._job_ended_at is None or self._whole:
            return True
        return self._quiescence.seconds(self._job_ended_at) >= self._quiet_seconds

    @property
    def _quiet_seconds(self) -> float:
        usual_seconds = min(max(self._tools.pace.every_seconds / 10, 0.2), 5.0)
        return min(usual_seconds, self._quiet_at_most_seconds)


def _newest_ns(saved: Snapshot) -> int:
    return max((file.modified_ns for file in saved), default=0)
