"""A node of a gang: the real board and watch between the nodes, a simulated job on each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from finsched.node.checkpoints.commit_log import CommitLog, Committed
from finsched.node.ending import Cause, End
from finsched.node.gangs.gang import GangBoard
from finsched.node.gangs.peers import ROLL_SECONDS
from finsched.node.store import StoreError
from finsched_sim.collective import Collective
from finsched_sim.furnishing import Furnishing
from finsched_sim.keeping import Restored
from finsched_sim.node import SimNode

HEAR_AGAIN_S = 5.0  # as often as an agent polls
_A_MOMENT_S = 3.0
_GIVES_UP_S = 600.0  # as collective operations do


class GangNode(SimNode):
    """One node of several: it hears of the others, and ends with them."""

    def __init__(self, made_of: Furnishing) -> None:
        super().__init__(made_of)
        assert made_of.collective is not None  # noqa: S101 - the world gives each gang one
        self._team: Collective = made_of.collective
        self._listen = made_of.listen
        self._news = self._board = GangBoard(
            self._store, self.config.attempt, rank=self.config.node_rank, nodes=self.config.nodes
        )
        self._folder = f"gang/{self.config.attempt:06d}"
        self._runs = False  # the command does
        self._failed = False  # the command has, and the agent is about to end
        self._team.join(self)
        self._hear_of(f"{self._folder}/board", self._read_board)

    # --- the job, in step with the others ------------------------------------------------------

    @property
    def is_reachable(self) -> bool:
        """Whether its command runs, and can hear of a signal."""
        return self._alive and self._runs and not self._machine.frozen

    @property
    def is_in_step(self) -> bool:
        """Whether its command would work if all the others did."""
        return self.is_reachable and not (self._saving or self._cause or self.ended)

    def die(self) -> None:
        """The machine is gone, and with it the command that the others worked with."""
        super().die()
        if self._runs:
            self._runs = False
            self._team.lost(self)

    def freeze(self) -> None:
        """The others wait as long as this one stands still."""
        super().freeze()
        self._stood_still = False
        self._team.changed()
        if self._runs:
            self._timeline.after(_GIVES_UP_S, self._is_given_up)

    def _is_given_up(self) -> None:
        """The others wait for an answer only so long."""
        if self._machine.frozen and self._alive:
            self._team.lost(self)

    def thaw(self) -> None:
        """All go on."""
        super().thaw()
        self._team.changed()

    def work_on(self) -> None:
        """All work: the leader keeps count of it."""

    def hold(self) -> None:
        """Somebody does not work: no one can."""

    def save_together(self, progress: float) -> None:
        """All save at this point of the work; the leader has begun it."""

    def finish_together(self) -> None:
        """The work is done; the leader has said so."""

    def lose_connection(self, seconds: float) -> None:
        """A peer is gone: the command fails after a while."""
        self._after(seconds, self._command_fails)

    def _start(self, restored: Restored) -> None:
        self._runs = True
        super()._start(restored)

    def _hears(self) -> bool:
        """Whether its command hears the signal: not while it waits for one that has left."""
        self.was_deaf = not self._team.hears
        return self._team.hears and self.workload.heeds_signal

    def _work(self) -> None:
        self._team.changed()

    @property
    def _has_work(self) -> bool:
        return self._runs

    def _command_fails(self) -> None:
        """Perhaps another node knows why; if none does, it counts as a failure of the job."""
        if not self._runs or self._cause or self.ended:
            return
        self._runs, self._failed = False, True
        self._after(_A_MOMENT_S, self._explain)

    def _explain(self) -> None:
        self._failed = False
        self._watch_on()
        if self._cause is None and self.ended is None:
            self._failed = True
            self._tell_end(End.JOB_FAILED, "the command exited with 1")
            self._leave_failed()

    def _leave_failed(self) -> None:
        """A failure is the leader's to explain: it asks who is still there."""
        wait_s = max(self.config.reserve_seconds, 2 * ROLL_SECONDS)
        self._after(wait_s, lambda: self._end(End.JOB_FAILED, 1, "the command exited with 1"))

    def _nanoseconds(self, at_s: float) -> int:
        """What this machine's file system takes a moment of the world for."""
        return int(self._time.moment(at_s).timestamp() * 1e9)

    # --- what ends it --------------------------------------------------------------------------

    def _watch_on(self) -> None:
        if not self._failed:
            super()._watch_on()

    def _end_by(self, cause: Cause) -> None:
        super()._end_by(cause)
        if cause.end is End.LEASE_EXPIRED:
            self._tell_end(cause.end, "has lost its lease", cause.ends_at)
        self._team.changed()

    def _announce_notice(self, cause: Cause) -> None:
        super()._announce_notice(cause)
        detail = f"node {self._news.rank} is taken back"
        with suppress(StoreError):
            self._news.tell_end(cause.end, detail, cause.ends_at)

    def _tell_end(self, end: End, detail: str, ends_at: datetime | None = None) -> None:
        if self._news.end is None:
            where = f"node {self._news.rank}: " if self._news.rank else ""
            with suppress(StoreError):  # the supervisor sees that a machine is gone, too
                self._news.tell_end(end, f"{where}{detail or end}", ends_at)

    def _end(self, end: End, exit_code: int | None, detail: str = "") -> None:
        if self.ended is None and end is not End.FINISHED:
            self._tell_end(end, detail)
        self._runs = False
        super()._end(end, exit_code, detail)
        self._team.changed()

    # --- what the others tell ------------------------------------------------------------------

    def _hear_of(self, folder: str, action: Callable[[], None]) -> None:
        """Act soon after an object was made in a folder, or now and then where nobody tells."""
        if self._listen is None:
            self._look_regularly(action)
            return

        def soon() -> None:
            self._after(self._poll_s, action)

        self._listen(folder, soon)

    def _look_regularly(self, action: Callable[[], None]) -> None:
        if self.ended is None:
            self._after(self._poll_s, action)
            self._after(max(self.config.poll_seconds, 0.05), lambda: self._look_regularly(action))

    def _read_board(self) -> None:
        if self._watch is None:  # the agent does not run yet
            self._after(HEAR_AGAIN_S, self._read_board)
            return
        try:
            self._news.read_new()
        except StoreError:
            self._after(HEAR_AGAIN_S, self._read_board)
            return
        self._heed_news()

    def _heed_news(self) -> None:
        self._watch_on()

    def _begin_from(self, number: int | None) -> None:
        """Start from the checkpoint that all nodes have."""
        if number == (self._found.commit.number if self._found.commit else None):
            self._start(self._found)
            return
        entry = CommitLog(self._store).read(number) if number else None
        if entry is None:
            self._start(Restored())
        elif isinstance(entry, Committed) and self._keeper.is_whole(entry):
            self._start(Restored(commit=entry))
        else:
            self._end(End.NODE_FAILED, None, f"checkpoint {number} is damaged")
