"""A node of a gang that does not lead: it answers, and ends when it is needed no more."""

from __future__ import annotations

import math
from collections.abc import Callable

from finsched.node.checkpoints.commit_log import CommittedFile, file_document
from finsched.node.ending import End
from finsched.node.gangs.answered import Answered
from finsched.node.gangs.companions import question
from finsched.node.gangs.gang import DONE, HERE, READY, Round
from finsched.node.store import StoreError, pause_after
from finsched_sim.furnishing import Furnishing, Save
from finsched_sim.gang_node import HEAR_AGAIN_S, GangNode
from finsched_sim.keeping import Restored

_LATEST_SAVE_S = 200.0  # after the leader
_LATEST_SAVE_SHARE = 0.4  # of an interval; what is promised ends at the half of it


class FollowingNode(GangNode):
    """A node that does not lead: it answers, and ends when the leader needs it no more."""

    def __init__(self, made_of: Furnishing) -> None:
        super().__init__(made_of)
        self._saved_state: Save | None = None
        self._saves_at: float | None = None  # the point of the work of a save that begins soon
        self._sent: Save | None = None
        self._is_done = False  # the command has ended by itself
        self._answered = 0
        self._told_saves = Answered()
        self._is_answering = False

    # --- meeting -------------------------------------------------------------------------------

    def _is_ready(self) -> None:
        self._insist(lambda: self._news.answer(READY, {}), then=self._await_go)

    def _meet(self) -> None:
        number = self._found.commit.number if self._found.commit else None
        self._insist(lambda: self._news.answer(HERE, {"checkpoint": number}))

    def _heed_news(self) -> None:
        super()._heed_news()
        has_begun = self._runs or self._is_done or self._failed
        if self._news.begun and not (has_begun or self._cause or self.ended):
            self._begin_from(self._news.begun.checkpoint)
        self._try_to_answer()
        self._leave_if_over()

    def _start(self, restored: Restored) -> None:  # noqa: ARG002 - the leader tells of it
        self._runs = True
        self._team.changed()

    # --- the job -------------------------------------------------------------------------------

    @property
    def is_in_step(self) -> bool:
        """Whether its command would work if all the others did."""
        return super().is_in_step and self._saves_at is None

    def save_together(self, progress: float) -> None:
        """All save at this point of the work."""
        if self.workload.shards and self._alive and self._runs:
            late_s = self._dice.choice((0.0, 0.0, self._dice.uniform(0.0, self._latest_s)))
            self._saves_at = progress
            self._after(late_s, self._save_late)

    @property
    def _latest_s(self) -> float:
        checkpoint = self.config.checkpoint
        interval_s = checkpoint.cadence.shortest_seconds if checkpoint else math.inf
        return min(_LATEST_SAVE_S, _LATEST_SAVE_SHARE * interval_s)

    def _save_late(self) -> None:
        """Not every node begins to write at the same moment."""
        if self._saves_at is not None and self._runs and not self._saving:
            self._begin_to_save(self._saves_at)

    def _begin_to_save(self, progress: float) -> None:
        self._saving, self._saves_at = True, None
        save_s = self.workload.save_s * self._dice.uniform(0.8, 1.2)
        self._after(save_s, lambda: self._has_saved(progress))

    def finish_together(self) -> None:
        """The work is done."""
        self._saved_state = Save(1.0, self._timeline.now_s) if self.workload.shards else None
        self._after(self._dice.uniform(0.0, 2.0), self._ends_by_itself)

    def _has_saved(self, progress: float) -> None:
        self._saving = False
        self._saved_state = Save(progress, self._timeline.now_s)
        if self._cause:
            self._ends_by_itself()
        self._team.changed()
        self._try_to_answer()

    def _signal(self, kill_s: float) -> None:
        self._told_saves.signalled(self._nanoseconds(self._timeline.now_s))
        has_time = self.workload.save_s * 1.2 <= kill_s
        if self._hears() and has_time and not self._saving:
            if self.workload.shards:
                self._begin_to_save(self._team.progress)
            else:
                self._after(self.workload.save_s, self._ends_by_itself)

    def _ends_by_itself(self) -> None:
        if self.ended is None:
            self._is_done, self._runs = True, False
            self._insist(lambda: self._news.answer(DONE, {}))
            self._try_to_answer()

    def _leave_if_over(self) -> None:
        if self._news.is_over and self.ended is None and (self._is_done or not self._runs):
            cause = self._cause
            self._end(cause.end if cause else End.FINISHED, 0, cause.detail if cause else "")

    # --- its part of each checkpoint -----------------------------------------------------------

    def _try_to_answer(self) -> None:
        asked = self._news.round
        if asked and asked.number > self._answered and self._may_answer(asked):
            self._is_answering = True
            state = self._saved_state
            upload_s = self.workload.upload_s if state and state is not self._sent else 0.1
            self._after(upload_s, lambda: self._answer(asked, state))

    def _may_answer(self, asked: Round) -> bool:
        if self._is_answering or self.ended:
            return False
        if self._is_done:
            return True
        if asked.last or self._saving:
            return False
        return self._is_fresh(asked, self._saved_state) or self._news.rank in asked.silent

    def _is_fresh(self, asked: Round, state: Save | None) -> bool:
        return self._told_saves.are_new(asked, self._written_ns(state))

    def _written_ns(self, state: Save | None) -> int:
        return self._nanoseconds(state.ready_s) if state else 0

    def _answer(self, asked: Round, state: Save | None) -> None:
        try:
            self._require_disk()
            files = (self._part(state),) if state else ()
            answer = {
                "files": [file_document(file) for file in files],
                "written_ns": self._written_ns(state),
                "upload_seconds": self.workload.upload_s if files else 0.1,
                "fresh": self._is_fresh(asked, state),
                "signalled": self._told_saves.is_last_save(self._written_ns(state)),
                "settled": True,
                "whole": self._is_done,
            }
            self._news.answer(question(asked.number), answer)
        except (StoreError, OSError) as error:
            self._failures += 1
            if self._failures == 1:
                self._warn(f"its part of a checkpoint is not stored yet, trying on: {error}")
            pause_s = pause_after(self._failures, hurried=self._cause is not None)
            self._after(pause_s, lambda: self._answer(asked, state))
            return
        self._sent = state
        self._told_saves.note(asked, self._written_ns(state))
        self._failures, self._is_answering, self._answered = 0, False, asked.number
        self._try_to_answer()

    def _part(self, state: Save) -> CommittedFile:
        size_bytes, rank = self.workload.size_bytes, self.config.node_rank
        return self._keeper.store(state.progress, size_bytes, rank=rank)

    # --- letters -------------------------------------------------------------------------------

    def _post(self, kind: str, **content: object) -> None:
        """The leader alone reports; a node speaks for itself of what befalls it."""
        if kind in {"alive", "notice", "warning"}:
            super()._post(kind, **content)

    def _insist(self, act: Callable[[], None], then: Callable[[], None] | None = None) -> None:
        """Act until the store lets us; the lease ends what never comes back."""
        if self.ended:
            return
        try:
            act()
        except StoreError:
            self._after(HEAR_AGAIN_S, lambda: self._insist(act, then))
            return
        if then:
            then()
