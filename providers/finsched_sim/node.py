"""A model of the node agent: its documents are the real ones, its time and its job are simulated.

The agent of `finsched.node` is threads, processes and files. The model keeps to what others see of
it: the commit log through the real writer, orders through the real reader, the real watch over
notices, limits and lease, letters and parts under the same keys. A test runs both and compares.
The nodes of a gang are in `leading_node.py` and `following_node.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from errno import ENOSPC
from typing import cast

from finsched.node.checkpoints.commit_log import Committed, CommittedFile, CommitWriter, Fenced
from finsched.node.clock import to_iso
from finsched.node.ending import Cause, End, Watch
from finsched.node.gangs.gang import Gang, GangBoard
from finsched.node.mail.orders import OrderReader, Orders
from finsched.node.notices.told import InterruptionNotice
from finsched.node.notices.watch import NoticeWatch
from finsched.node.store import StoreError, pause_after, with_retries
from finsched.provider import EndReason
from finsched_sim.furnishing import Furnishing, Save
from finsched_sim.keeping import Keeper, Restored
from finsched_sim.node_process import NodeProcess
from finsched_sim.timeline import Appointment

_SHORTEST_COMMIT_S = 2.0


class SimNode(NodeProcess):
    """One attempt on one machine, from boot to its last letter."""

    def __init__(self, made_of: Furnishing) -> None:
        super().__init__(made_of)
        self.restored: Restored | None = None
        self.asked_to_end_at: float | None = None  # the fraction that was done by then
        self.disk_full_until_s = 0.0
        self.was_deaf = False  # its command waited for another one when the signal came
        self._loses_notices = made_of.loses_notices
        self._writer = CommitWriter(self._store, self.config.attempt)
        self._keeper = Keeper(self._store, self.config.attempt, keep=self._kept)
        self._notices = NoticeWatch(None, poll_seconds=self.config.poll_seconds)
        self._orders: OrderReader | None = None
        self._board: GangBoard | None = None
        self._watch: Watch | None = None
        self._watch_due: Appointment | None = None
        self._cause: Cause | None = None
        self._found = Restored()
        self._working_since_s: float | None = None
        self._stood_still = False
        self._done = 0.0
        self._saving = False
        self._in_flight: Save | None = None
        self._next_save: Appointment | None = None
        self._upload_s = 0.0
        self._try_began_s = 0.0  # of an upload; an earlier try that failed does not count
        self._failures = 0
        self._reading: Appointment | None = None  # of orders, once the store lets us

    # --- what the machine tells --------------------------------------------------------------

    def begin(self) -> None:
        """The machine has booted: the agent starts."""
        self._act(self._begin)

    def warn(self, ends_s: float) -> None:
        """The cloud's metadata now hold a notice."""
        if not self._loses_notices:
            ends_at = self._time.moment(ends_s)
            self._after(self._poll_s, lambda: self._heed(InterruptionNotice(ends_at)))

    def freeze(self) -> None:
        """Nothing happens here until it thaws."""
        super().freeze()
        self._stood_still = self._working_since_s is not None
        self._rest()

    def thaw(self) -> None:
        """The job goes on, and the agent does what is due."""
        if self._stood_still and self._alive:
            self._work()
        super().thaw()

    @property
    def progress(self) -> float:
        """The fraction of the work that is done, kept or not."""
        if self._working_since_s is None:
            return self._done
        worked_s = self._timeline.now_s - self._working_since_s
        return min(self._done + worked_s / self.workload.work_s, 1.0)

    # --- one thing after the other -----------------------------------------------------------

    def _begin(self) -> None:
        config = self.config
        self._orders = OrderReader(self._store, config.attempt, lease_seconds=config.lease_seconds)
        orders, board = cast("Orders", self._orders), cast("Gang | None", self._board)
        self._watch = Watch(config, self._notices, orders, board)
        self._after(self.workload.fetch_s, self._stage if config.standby else self._prepare)
        self._after(config.lease_seconds / 3, self._show_life)
        self._watch_on()

    def _stage(self) -> None:
        self._after(self.workload.setup_s, self._is_ready)

    def _is_ready(self) -> None:
        self._post("ready", sequence=None, size_bytes=0, downloaded_bytes=0)
        self._await_go()

    def _await_go(self) -> None:
        if self._orders and self._orders.go:
            self._open(then=self._meet)

    def _prepare(self) -> None:
        self._open(then=self._set_up)

    def _open(self, *, then: Callable[[], None]) -> None:
        if self.leads:
            self._writer.open()
        self._found = with_retries(self._keeper.restore)
        for text in self._found.damaged:
            self._warn(f"{text}; falling back to the one before")
        self._after(self.workload.fetch_s, then)

    def _set_up(self) -> None:
        if self.config.setup:
            self._post("setup")
        self._after(self.workload.setup_s, self._meet)

    def _meet(self) -> None:
        """Alone, there is nobody to wait for."""
        self._start(self._found)

    def _start(self, restored: Restored) -> None:
        self.restored, commit = restored, restored.commit
        self._done = commit.progress or 0.0 if commit else 0.0
        self._post(
            "started",
            restore={
                "sequence": commit.number if commit else None,
                "size_bytes": commit.size_bytes if commit else 0,
                "progress": commit.progress if commit else None,
                "damaged": len(restored.damaged),
                "downloaded_bytes": commit.size_bytes if commit else 0,
            },
        )
        self._work()
        self._plan_save()
        self._after(self.workload.report_every_s, self._report)

    def _work(self) -> None:
        """The job works from now on, until it saves or is done."""
        self._working_since_s = self._timeline.now_s
        stop_at = min(1.0, self.workload.fails_at or 1.0)
        left_s = (stop_at - self._done) * self.workload.work_s
        self._after(max(left_s, 0.0), self._come_to_an_end)

    def _rest(self) -> None:
        self._done, self._working_since_s = self.progress, None

    def _report(self) -> None:
        if self._cause is None and self.ended is None:
            self._post("progress", progress=round(self.progress, 6))
            self._after(self.workload.report_every_s, self._report)

    def _come_to_an_end(self) -> None:
        """The work is done, unless the job has been saving meanwhile: then it is not yet."""
        if self._working_since_s is None or self.ended or self._cause:
            return
        if self.workload.fails_at is not None and self.progress >= self.workload.fails_at - 1e-9:
            self._end(End.JOB_FAILED, 1, "the command exited with 1")
        elif self.progress >= 1.0 - 1e-9:
            self._rest()
            self._done = 1.0
            self._post("progress", progress=1.0)
            self._after(self.workload.save_s, self._keep_all)

    def _keep_all(self) -> None:
        """The job has ended by itself; its last save is kept, or else nothing is done."""
        if not self.config.checkpoint:
            self._end(End.FINISHED, 0)
            return
        self._upload()

    # --- saving ------------------------------------------------------------------------------

    def _plan_save(self) -> None:
        checkpoint = self.config.checkpoint
        if checkpoint and self._cause is None and self.ended is None:
            age_s = self._timeline.now_s - self._machine.meter.began_s
            self._next_save = self._after(checkpoint.cadence.at(age_s), self._save)

    def _save(self) -> None:
        if self._cause or self.ended or self._working_since_s is None:
            return
        self._rest()
        self._saving = True
        self._after(self.workload.save_s, self._saved)

    def _saved(self) -> None:
        self._saving = False
        if self.ended:
            return
        if self._in_flight is None or self._cause:
            self._upload()
        if not self._cause:
            self._work()
            self._plan_save()

    def _upload(self) -> None:
        save = self._in_flight = Save(self._done, self._timeline.now_s)
        self._try_began_s = save.ready_s
        self._after(self.workload.upload_s, lambda: self._commit(save))

    def _commit(self, save: Save, others: tuple[CommittedFile, ...] = ()) -> None:
        if self.ended or save is not self._in_flight:
            return
        try:
            self._require_disk()
            own = self._keeper.store(save.progress, self.workload.size_bytes)
            commit = self._keeper.commit(self._writer, save.progress, (own, *others))
        except (StoreError, OSError) as error:
            self._try_again(save, error)
        else:
            self._is_kept(save, commit)

    def _require_disk(self) -> None:
        if self._timeline.now_s < self.disk_full_until_s:
            raise OSError(ENOSPC, "no space left on the disk")

    def _is_kept(self, save: Save, commit: Committed) -> None:
        self._failures, self._in_flight = 0, None
        self._upload_s = self._uploaded_in_s()
        self._post(
            "committed",
            sequence=commit.number,
            size_bytes=commit.size_bytes,
            progress=commit.progress,
            upload_seconds=round(self._upload_s, 3),
            files=len(commit.files),
            sent_bytes=commit.size_bytes,
        )
        if save.progress >= 1.0:
            self._end(End.FINISHED, 0)
        elif self._cause and not self._saving:
            self._end(self._cause.end, 0, self._cause.detail)

    def _uploaded_in_s(self) -> float:
        return self._timeline.now_s - self._try_began_s

    def _try_again(self, save: Save, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            self._warn(f"a checkpoint is not stored yet, trying on: {error}")
        if self.progress >= 1.0 and self._is_too_late():
            detail = "the job is done, but its last checkpoint could not be stored"
            self._end(End.NODE_FAILED, 0, detail)
            return
        pause_s = pause_after(self._failures, hurried=self._cause is not None)
        self._try_began_s = self._timeline.now_s + pause_s - self.workload.upload_s
        self._after(pause_s, lambda: self._commit(save))

    def _is_too_late(self) -> bool:
        ends = [stop.at for stop in self.config.stop_at]
        if self._orders:
            ends.append(self._orders.lease_until)
        return self._time.now() >= min(ends)

    # --- what ends it ------------------------------------------------------------------------

    def read_orders(self) -> None:
        """An order was written: it is read at the next poll."""
        if self._reading is None:
            self._reading = self._after(self._poll_s, self._read_orders)

    def poll_orders(self) -> None:
        """Read orders regularly, where nobody tells that there are any."""
        if self.ended is None:
            self._read_orders()
            self._after(max(self.config.poll_seconds, 0.05), self.poll_orders)

    def _read_orders(self) -> None:
        self._reading = None
        if self._orders is None or self.ended:
            return
        went = self._orders.go
        try:
            self._orders.read_new()
        except StoreError:
            self._reading = self._after(self._poll_s * 5, self._read_orders)
            return
        self._watch_on()
        if self.config.standby and self._orders.go and not went:
            self._await_go()

    def _heed(self, notice: InterruptionNotice) -> None:
        self._notices.notice = self._notices.notice or notice
        self._watch_on()

    def _watch_on(self) -> None:
        """Look for a cause to end now, and be woken when the next one may come."""
        if self._watch is None or self._orders is None or self._cause or self.ended:
            return
        if cause := self._watch.cause():
            self._end_by(cause)
            return
        reserve = timedelta(seconds=self.config.reserve_seconds)
        moments = [self._orders.lease_until, *(s.at - reserve for s in self.config.stop_at)]
        if self._watch_due:
            self._watch_due.call_off()
        wait_s = (min(moments) - self._time.now()).total_seconds()
        self._watch_due = self._after(max(wait_s, 0.0) + 0.05, self._watch_on)

    def _end_by(self, cause: Cause) -> None:
        """Ask the job to save; what fits before the end is kept."""
        self._cause, self.asked_to_end_at = cause, self.progress
        if self._notices.notice:
            self._announce_notice(cause)
        if not self._has_work:
            self._end(cause.end, None, cause.detail)
            return
        left_s = (cause.ends_at - self._time.now()).total_seconds()
        kill_s = left_s - (cause.ends_at - cause.kill_at(self._upload_s)).total_seconds()
        self._signal(kill_s)
        self._after(max(left_s, _SHORTEST_COMMIT_S), lambda: self._give_up(cause))

    def _announce_notice(self, cause: Cause) -> None:
        self._post("notice", ends_at=to_iso(cause.ends_at), node=self.config.node_rank)

    @property
    def _has_work(self) -> bool:
        """Whether the command runs, or has left something that is not kept yet."""
        is_kept = self._working_since_s is None and self._in_flight is None
        return self._saving or not is_kept or self._done >= 1.0

    def _signal(self, kill_s: float) -> None:
        """The job hears that it has to save; it has so long for that."""
        if self._working_since_s is None:
            return
        self._rest()
        if self.workload.heeds_signal and self.workload.save_s <= kill_s:
            self._saving = True
            self._after(self.workload.save_s, self._saved)

    def _give_up(self, cause: Cause) -> None:
        if self.ended is None:
            self._end(cause.end, None, cause.detail)

    def _end(self, end: End, exit_code: int | None, detail: str = "") -> None:
        if self.ended:
            return
        self.ended = end
        self._rest()
        self._post("ended", end=str(end), exit_code=exit_code, detail=detail, downloaded_bytes=0)
        self._last_words(self._timeline.now_s + max(self.config.reserve_seconds, 2.0))

    def _last_words(self, until_s: float) -> None:
        """Send what waits, for so long at most, and switch the machine off."""
        if self._letters.send() or self._timeline.now_s >= until_s:
            self._after(self._dice.uniform(1, 10), self._switch_off)
        else:
            self._after(1.0, lambda: self._last_words(until_s))

    def _switch_off(self) -> None:
        self._machine.end(EndReason.ENDED_ITSELF)

    def _fails(self, error: Fenced | StoreError) -> None:
        end = End.FENCED if isinstance(error, Fenced) else End.NODE_FAILED
        self._end(end, None, str(error))

    @property
    def _kept(self) -> int:
        return self.config.checkpoint.keep if self.config.checkpoint else 2
