"""The first node of a gang: it opens the log, asks the others, commits for all, and reports."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from finsched.node.checkpoints.cadence import Pace
from finsched.node.checkpoints.commit_log import Committed, CommittedFile
from finsched.node.checkpoints.parts import Changed
from finsched.node.clock import monotonic
from finsched.node.ending import Cause, End
from finsched.node.gangs.companions import Apart, Companions, question
from finsched.node.gangs.companions import Save as SaveOfAll
from finsched.node.gangs.gang import DONE, HERE, LEADER, READY, ROLL, Begun, Gang
from finsched.node.gangs.peers import LONGEST_WAIT_SECONDS, ROLL_SECONDS, that_all_have
from finsched.node.store import StoreError
from finsched_sim.furnishing import Furnishing, Save
from finsched_sim.gang_node import HEAR_AGAIN_S, GangNode
from finsched_sim.keeping import Restored
from finsched_sim.node import SimNode

_MEETING = "10.0.0.1"
Answers = dict[int, Mapping[str, Any]]


@dataclass(eq=False)
class Gathering:
    """A question to all other nodes, what came of it, and what is done with it."""

    question: str
    then: Callable[[Answers], None]
    answers: Answers = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelPace:
    """The interval as a leader's companions ask for it."""

    every_seconds: float


class LeadingNode(GangNode):
    """The first node: it opens the log, asks the others, commits for all, and reports."""

    def __init__(self, made_of: Furnishing) -> None:
        super().__init__(made_of)
        self._gathering: Gathering | None = None
        self._companions: Companions | None = None
        self._asked: SaveOfAll | None = None
        self._interval_s = 0.0
        self._called_s: float | None = None  # when the roll was
        self._is_save_due = False
        self._signalled_s = math.inf
        self._is_done = False  # the work is

    # --- meeting -------------------------------------------------------------------------------

    def _is_ready(self) -> None:
        self._gather(READY, lambda _: super(LeadingNode, self)._is_ready())

    def _meet(self) -> None:
        self._gather(HERE, self._all_here)
        self._after(LONGEST_WAIT_SECONDS, self._miss)

    def _miss(self) -> None:
        if self._gathering and self._gathering.question == HERE:
            self._end(End.NODE_FAILED, None, "not every node has come")

    def _all_here(self, answers: Answers) -> None:
        own = self._found.commit.number if self._found.commit else None
        number = that_all_have([own, *(answer.get("checkpoint") for answer in answers.values())])
        self._news.begin(Begun(leader_address=_MEETING, checkpoint=number))
        self._begin_from(number)

    def _start(self, restored: Restored) -> None:
        if checkpoint := self.config.checkpoint:
            self._interval_s = checkpoint.cadence.shortest_seconds
            pace = cast("Pace", ModelPace(self._interval_s))
            self._companions = Companions(
                cast("Gang", self._news),
                pace,
                restored.commit,
                save_seconds=self.config.reserve_seconds,
            )
        super()._start(restored)

    # --- the job -------------------------------------------------------------------------------

    def work_on(self) -> None:
        """All work: so does this one."""
        if self._working_since_s is None and not self._is_done:
            SimNode._work(self)
            if self._is_save_due:
                self._save()

    def _come_to_an_end(self) -> None:
        was_working = self._working_since_s is not None
        if was_working and self.progress >= (self.workload.fails_at or 2.0) - 1e-9:
            self._call_roll()
        super()._come_to_an_end()
        if was_working and self._working_since_s is None:
            self._is_done = True

    def hold(self) -> None:
        """Somebody does not: this one waits."""
        self._rest()

    def _save(self) -> None:
        self._is_save_due = self._working_since_s is None
        if self._is_save_due:
            return
        super()._save()
        self._team.save(self._done)

    def _saved(self) -> None:
        """The save before is overwritten, on every node: what of it is not kept yet never is."""
        if self._gathering and self._in_flight and self._companions and self._asked:
            with suppress(Apart, Changed):
                self._companions.take(self._asked, self._gathering.answers)
            self._gathering = None
        self._in_flight = None
        if self._companions:
            self._companions.saw(self._nanoseconds(self._timeline.now_s))
        super()._saved()

    def _signal(self, kill_s: float) -> None:
        self._rest()
        self._signalled_s = self._timeline.now_s
        if self._companions:
            self._companions.signalled(self._nanoseconds(self._timeline.now_s))
        has_time = self.workload.save_s <= kill_s
        if self._hears() and has_time and not self._saving:
            self._saving = True
            self._after(self.workload.save_s, self._saved)
        if self._gathering and self._gathering.question == DONE:
            self._gathering = None
            self._upload()

    def _keep_all(self) -> None:
        """The last save overwrites the one before, whatever was still to come of that."""
        self._gathering = self._in_flight = None
        self._team.finish()
        self._gather(DONE, lambda _: super(LeadingNode, self)._keep_all())

    # --- whose fault it was --------------------------------------------------------------------

    def _leave_failed(self) -> None:
        self._call_roll()
        wait_s = max(self.config.reserve_seconds, 2.0)
        self._after(wait_s, lambda: self._end(End.JOB_FAILED, 1, "the command exited with 1"))

    def _end_by(self, cause: Cause) -> None:
        if cause.end is End.JOB_FAILED:
            self._call_roll()
        super()._end_by(cause)

    def _call_roll(self) -> None:
        if self._called_s is None:
            self._called_s = self._timeline.now_s
            with suppress(StoreError):
                self._news.call_roll()

    def _end(self, end: End, exit_code: int | None, detail: str = "") -> None:
        if end is not End.JOB_FAILED or self._called_s is None or self.ended:
            super()._end(end, exit_code, detail)
            return
        self._failed, self._runs = True, False
        left_s = self._called_s + ROLL_SECONDS - self._timeline.now_s
        self._after(left_s, lambda: self._explain_end(exit_code, detail))

    def _explain_end(self, exit_code: int | None, detail: str) -> None:
        """A command that fails beside a machine that is gone, or stands still, is not to blame."""
        answers: Answers = {}
        with suppress(StoreError):
            answers.update(self._news.new_answers(ROLL, {}))
        told = self._news.end.rank if self._news.end else LEADER
        absent = [each for each in self._news.others if each != told and each not in answers]
        end = End.NODE_FAILED if absent else End.JOB_FAILED
        super()._end(end, exit_code, f"node {absent} does not answer" if absent else detail)

    # --- one checkpoint for all ----------------------------------------------------------------

    def _commit(self, save: Save, others: tuple[CommittedFile, ...] = ()) -> None:  # noqa: ARG002
        if self.ended or save is not self._in_flight or self._companions is None:
            return
        asked, waited_from = self._of_all(save), monotonic()
        self._asked = asked
        try:
            number = self._companions.ask(asked).number
        except StoreError as error:
            self._try_again(save, error)
            return
        self._gather(question(number), partial(self._take, save, asked))
        self._wake_when_tired(save, asked, waited_from)

    def _of_all(self, save: Save) -> SaveOfAll:
        """A command that has saved at the signal, or done its work, ends by itself."""
        is_last = save.ready_s >= self._signalled_s or save.progress >= 1.0
        ready_ns = self._nanoseconds(save.ready_s)
        return SaveOfAll(written_ns=ready_ns, last=is_last, whole=is_last)

    def _wake_when_tired(self, save: Save, asked: SaveOfAll, waited_from: float) -> None:
        gathering, companions = self._gathering, self._companions
        if gathering is None or companions is None:
            return

        def look() -> None:
            if self._gathering is gathering and companions.gives_up(asked, waited_from):
                self._gathering = None
                self._take(save, asked, gathering.answers)

        for intervals in (0, 1, 3):
            self._after(intervals * self._interval_s + 1.0, look)

    def _take(self, save: Save, asked: SaveOfAll, answers: Answers) -> None:
        assert self._companions is not None  # noqa: S101 - `_commit` has asked them
        if self.ended or save is not self._in_flight:
            return
        try:
            if self._companions.may_be_overtaken(asked, answers):
                self._after(HEAR_AGAIN_S, lambda: self._take(save, asked, answers))
                return
            others = self._companions.take(asked, answers)
        except Changed:
            self._after(HEAR_AGAIN_S, lambda: self._commit(save))
        except Apart as error:
            self._warn(f"a save is left out: {error}")
            self._in_flight = None
        else:
            super()._commit(save, others)

    def _uploaded_in_s(self) -> float:
        """Waiting until the others have saved is not a part of it."""
        assert self._companions is not None  # noqa: S101 - `_commit` has asked them
        return self.workload.upload_s + self._companions.upload_seconds

    def _is_kept(self, save: Save, commit: Committed) -> None:
        if self._companions:
            self._companions.accept()
        super()._is_kept(save, commit)

    # --- answers -------------------------------------------------------------------------------

    def _gather(self, asked: str, then: Callable[[Answers], None]) -> None:
        self._gathering = Gathering(asked, then)
        self._hear_of(f"{self._folder}/answers/{asked}", self._take_answers)
        self._take_answers()

    def _take_answers(self) -> None:
        gathering = self._gathering
        if gathering is None or self.ended:
            return
        try:
            gathering.answers.update(self._news.new_answers(gathering.question, gathering.answers))
        except StoreError:
            self._after(HEAR_AGAIN_S, self._take_answers)
            return
        if len(gathering.answers) == self._news.nodes - 1:
            self._gathering = None
            gathering.then(gathering.answers)

    def _switch_off(self) -> None:
        with suppress(StoreError):
            self._news.tell_over()
        super()._switch_off()
