"""A node of a gang that does not lead: it answers the leader with its part of each checkpoint."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from finsched.node.cadence import Pace
from finsched.node.checkpoint import HURRIED_QUIET_SECONDS
from finsched.node.commit_log import CommittedFile, file_document
from finsched.node.companions import question
from finsched.node.gang import Gang, Round
from finsched.node.parts import Changed, Parts
from finsched.node.reports import Reports
from finsched.node.snapshot import Quiescence, Snapshot, look, without_temporary
from finsched.node.staging import staged
from finsched.node.store import StoreError

_SHORTEST_PATIENCE_SECONDS = 1.0
_LONGEST_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.05
_PAUSE_AFTER_FAILURE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareTools:
    """What a sharer works with."""

    gang: Gang
    parts: Parts
    reports: Reports
    pace: Pace


class Sharer:
    """Watches the checkpoint directory in a thread and answers each round of the leader.

    A round is answered when nothing is being written and the files are new. A node that saves
    nothing, or not every time, answers after a while with what it has.
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
        self._quiescence = Quiescence()
        self._answered = 0
        self._asked_at = 0.0
        self._heard: Round | None = None
        self._was_fresh = True
        self._wake = threading.Event()
        self._job_ended_at: float | None = None
        self._whole = False
        self._finished = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="sharer", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def hurry(self) -> None:
        """Wait less for a save to come to rest: a machine of the gang is about to go."""
        self._quiet_at_most_seconds = HURRIED_QUIET_SECONDS
        self._wake.set()

    def finish(self, *, whole: bool, deadline: float) -> bool:
        """Answer until the leader needs nothing more; False where the deadline came before.

        `whole` says that the job ended of its own will. `deadline` is monotonic.
        """
        self._whole = whole
        self._job_ended_at = time.monotonic()
        self._wake.set()
        return self._finished.wait(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while not self._tools.gang.is_over:
            self._wake.wait(_PAUSE_AFTER_FAILURE_SECONDS if self._failed else _PAUSE_SECONDS)
            self._wake.clear()
            self._step()
        self._finished.set()

    def _step(self) -> None:
        now = time.monotonic()
        self._quiescence.observe(look(self._directory, temporary=True), now)
        asked = self._tools.gang.round
        if asked is None or asked.number <= self._answered:
            return
        if self._heard != asked:
            self._heard, self._asked_at = asked, now
        if self._may_answer(asked, now):
            self._try_to_answer(asked)

    def _may_answer(self, asked: Round, now: float) -> bool:
        if self._job_ended_at is not None:
            return True
        if asked.last or self._quiescence.seconds(now) < self._quiet_seconds:
            return False
        waited_seconds = now - self._asked_at
        return self._is_fresh(asked) or waited_seconds >= self._patience_seconds(asked)

    def _is_fresh(self, asked: Round) -> bool:
        return any(file.modified_ns > asked.newer_than_ns for file in self._saved)

    def _patience_seconds(self, asked: Round) -> float:
        """A node that had nothing new the last time is hardly waited for."""
        if not self._was_fresh or asked.hurry:
            return _SHORTEST_PATIENCE_SECONDS
        quarter_seconds = self._tools.pace.every_seconds / 4
        return min(max(quarter_seconds, _SHORTEST_PATIENCE_SECONDS), _LONGEST_PATIENCE_SECONDS)

    def _try_to_answer(self, asked: Round) -> None:
        try:
            self._answer(asked)
        except Changed:
            return
        except (StoreError, OSError) as error:
            if not self._failed:
                text = f"its part of a checkpoint is not stored yet, trying on: {error}"
                self._tools.reports.warning(text)
            self._failed = True
            return
        self._failed = False

    def _answer(self, asked: Round) -> None:
        started, snapshot = time.monotonic(), self._saved
        parts = self._tools.parts
        parts.know(self._told.get(asked.accepted, ()))
        with staged(snapshot, self._directory, self._staging) as aside:
            files = tuple(parts.store(aside / file.name, file.name) for file in snapshot)
        fresh = self._is_fresh(asked)
        answer = {
            "files": [file_document(file) for file in files],
            "fresh": fresh,
            "settled": self._is_settled,
            "whole": self._whole,
        }
        self._tools.gang.answer(question(asked.number), answer)
        self._told = {asked.accepted: self._told.get(asked.accepted, ()), asked.number: files}
        self._answered, self._was_fresh = asked.number, fresh
        self.last_upload_seconds = time.monotonic() - started

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
