"""One attempt on this machine, from the opened log to the last message."""

from __future__ import annotations

import tarfile
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from finsched.node.checkpoints.cadence import Pace, PaceFile
from finsched.node.checkpoints.checkpoint import Committer
from finsched.node.checkpoints.commit_log import CommitLog, CommitWriter, Fenced
from finsched.node.checkpoints.fetch import Fetcher
from finsched.node.checkpoints.keeping import Keeper, KeepingTools, keeper
from finsched.node.checkpoints.prefetch import Prefetch
from finsched.node.checkpoints.restore import Restored, restore
from finsched.node.checkpoints.room import NoRoom
from finsched.node.clock import utc_now
from finsched.node.config import NodeConfig
from finsched.node.ending import Cause, End, Ended, Watch
from finsched.node.gangs.gang import Begun, Incomplete
from finsched.node.gangs.parting import Parting
from finsched.node.gangs.peers import Peers, restored_at
from finsched.node.job.environment import checkpoint_directory, job_environment
from finsched.node.job.output import OutputLog, output_objects
from finsched.node.job.process import JobProcess
from finsched.node.job.process_tree import kill_descendants
from finsched.node.job.progress import Progress
from finsched.node.job.stillness import told_of_stillness
from finsched.node.job.workspace import Workspace, make_empty, unpack
from finsched.node.mail.mailbox import Mailbox
from finsched.node.removal import remove_tree
from finsched.node.reports import Reports
from finsched.node.store import Store, StoreError, with_retries

_TICK_SECONDS = 0.03
_PUMP_SECONDS = 2.0
_SHORTEST_COMMIT_SECONDS = 2.0
_POLLS_BETWEEN_PREFETCHES = 10
# These ends of a job that is done already change nothing.
_MAY_COME_LATE = {End.INTERRUPTED, End.STOPPED, End.LIMIT, End.LEASE_EXPIRED}
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the agent works with; `umask` is the one that the job is to have.

    `boot_seconds` is how old the machine was when the agent began.
    """

    config: NodeConfig
    secrets: Mapping[str, str]
    workspace: Workspace
    watch: Watch
    store: Store
    mailbox: Mailbox
    umask: int
    boot_seconds: float = 0.0


class Agent:
    """Runs one attempt; every way out of `run` is an `Ended` that was reported."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._config = around.config
        self._writer = CommitWriter(around.store, around.config.attempt)
        rank = around.config.node_rank
        self._peers = Peers(around.watch.gang)
        self._progress = Progress(around.workspace.progress)
        self._reports = Reports(around.mailbox, self._progress, rank=rank)
        self._output = OutputLog(
            around.workspace.output,
            output_objects(around.store, around.config.attempt, rank),
            around.secrets.values(),
        )
        self._fetcher = Fetcher(around.store, rank=rank)
        self._prefetch = Prefetch(around.store, self._fetcher, around.workspace.prefetched)
        self._pace = _pace(around)
        self._pace_file = (
            PaceFile(around.workspace.checkpoint_every, self._pace) if self._pace else None
        )
        self._parting = Parting(self._peers, around.watch, self._reports, self._while_watching)
        self._hinted = False
        self._begun: Begun | None = None

    def run(self) -> Ended:
        """Do the work and report how it ended."""
        try:
            ended = self._attempt()
        except Fenced as error:
            ended = Ended(end=End.FENCED, detail=str(error))
        except (StoreError, OSError, tarfile.TarError, Incomplete) as error:
            ended = Ended(end=End.NODE_FAILED, detail=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was, it has to be reported
            traceback.print_exc()
            ended = Ended(end=End.NODE_FAILED, detail=f"{type(error).__name__}: {error}")
        kill_descendants()
        self._tell_peers(ended)
        if excuse := self._parting.excuse(ended.end):
            ended = replace(ended, end=End.NODE_FAILED, detail=excuse)
        self._around.watch.close()
        self._around.workspace.clear()  # a job that filled the disk must not silence us
        last_words_seconds = self._around.watch.reserve.total_seconds()
        self._output.close(timeout_seconds=last_words_seconds)
        self._reports.ended(
            ended.end, ended.exit_code, ended.detail, self._fetcher.downloaded_bytes
        )
        self._around.mailbox.close(timeout_seconds=last_words_seconds)
        self._peers.let_go()  # only now: a node that is gone before the last word was lost
        return ended

    def _tell_peers(self, ended: Ended) -> None:
        """A gang ends together: what ended one node ends the others, unless all is done."""
        if ended.end is not End.FINISHED:
            self._peers.tell_end(ended.end, ended.detail)

    def _attempt(self) -> Ended:
        restored = self._after_standing_by() if self._config.standby else self._prepare()
        if isinstance(restored, Ended):
            return restored
        begun = self._while_watching(lambda: self._begin(restored))
        if isinstance(begun, Cause):
            return Ended(end=begun.end, detail=begun.detail)
        return self._work(begun)

    def _begin(self, restored: Restored) -> Restored:
        """Start when all nodes can, from the one checkpoint that the leader has verified."""
        self._begun = self._peers.begin(restored)
        log, into = CommitLog(self._around.store), self._around.workspace.restored
        return restored_at(self._begun.checkpoint, restored, log, self._fetcher, into)

    def _while_watching(self, action: Callable[[], _Result]) -> _Result | Cause:
        """Act in a thread, so that a lease or a budget can end even a hanging download."""
        future = ThreadPoolExecutor(1).submit(action)
        while (cause := self._around.watch.cause()) is None:
            if wait([future], timeout=_TICK_SECONDS).done:
                return future.result()
        return cause

    def _prepare(self) -> Restored | Ended:
        """Set up while the checkpoint is fetched."""
        if cause := self._while_watching(self._move_in):
            return Ended(end=cause.end, detail=cause.detail)
        restoring = ThreadPoolExecutor(1).submit(self._restore)
        if ended := self._set_up():
            return ended
        return _unless_ended(self._while_watching(restoring.result))

    def _move_in(self) -> None:
        self._open_log()
        self._fill_workspace()

    def _open_log(self) -> None:
        """Fence all earlier attempts."""
        if self._peers.leads:
            self._writer.open()

    def _fill_workspace(self) -> None:
        around = self._around
        around.workspace.create()
        if key := self._config.workdir_key:
            unpack(around.store, key, around.workspace.job)
        if directory := checkpoint_directory(self._config, around.workspace):
            make_empty(directory)

    def _restore(self) -> Restored:
        if self._config.checkpoint is None:
            return Restored()
        restored = with_retries(self._try_to_restore)
        for text in restored.damaged:
            self._reports.warning(f"{text}; falling back to the one before")
        return restored

    def _try_to_restore(self) -> Restored:
        assert self._config.checkpoint is not None  # noqa: S101 - asked by the caller
        entries = CommitLog(self._around.store).newest_first()
        into = self._around.workspace.restored
        keep = self._config.checkpoint.keep
        return restore(self._fetcher, entries, into, keep=keep, tell=self._reports.restoring)

    def _after_standing_by(self) -> Restored | Ended:
        return self._stand_by() or _unless_ended(self._while_watching(self._take_over))

    def _stand_by(self) -> Ended | None:
        """Get ready beside the working attempt, and wait; None once the order to go has come."""
        began_at = time.monotonic()
        cause = self._while_watching(self._stage)
        if cause is None:
            staged_at = time.monotonic()
            if ended := self._set_up():
                return ended
            seconds = {"fetch": staged_at - began_at, "setup": time.monotonic() - staged_at}
            cause = self._while_watching(self._peers.wait_until_ready)
        if cause is None:
            self._report_ready(fetch_seconds=seconds["fetch"], setup_seconds=seconds["setup"])
            cause = self._wait_for_go()
        return Ended(end=cause.end, detail=cause.detail) if cause else None

    def _stage(self) -> None:
        self._fill_workspace()
        if self._config.checkpoint:
            self._prefetch.refresh()
            seconds = _POLLS_BETWEEN_PREFETCHES * self._config.poll_seconds
            self._prefetch.keep_fresh(every_seconds=seconds)

    def _wait_for_go(self) -> Cause | None:
        watch = self._around.watch
        while (cause := watch.cause()) is None and not watch.orders.go:
            self._heed_hint()
            time.sleep(_TICK_SECONDS)
        return cause

    def _take_over(self) -> Restored:
        """Fence the attempt that worked so far, then bring what is still missing."""
        self._open_log()
        self._prefetch.close()
        try:
            restored = self._restore()
        except NoRoom:  # for both: what was staged gives way
            self._prefetch.give_way()
            restored = self._restore()
        remove_tree(self._around.workspace.prefetched)
        return restored

    def _set_up(self) -> Ended | None:
        if not self._config.setup:
            return None
        self._reports.setup()
        exit_code, cause = self._supervise(self._start(self._config.setup, Restored()), None)
        if cause:
            return Ended(end=cause.end, exit_code=exit_code, detail=cause.detail)
        if exit_code:
            return Ended(
                end=End.JOB_FAILED, exit_code=exit_code, detail=f"setup exited with {exit_code}"
            )
        return None

    def _work(self, restored: Restored) -> Ended:
        job = self._start(self._config.run_command, restored)
        self._around.workspace.started.touch()
        self._reports.started(restored, self._fetcher.downloaded_bytes)
        keeper = self._keeper(restored)
        with told_of_stillness(lambda: self._progress.latest, self._reports.stalled):
            exit_code, cause = self._supervise(job, keeper)
        self._reports.progress(last=True)
        if not isinstance(keeper, Committer) and not self._peers.leads:
            self._output.flush(timeout_seconds=_PUMP_SECONDS)  # the leader's last word ends us
            cause = self._parting.follow(keeper, exit_code, cause)
            return self._judge(exit_code, cause, stored=True)
        return self._finish(keeper, exit_code, cause or self._parting.wait_for_all(exit_code))

    def _finish(self, keeper: Keeper | None, exit_code: int, cause: Cause | None) -> Ended:
        """Commit what is left, for all nodes."""
        seconds = self._seconds_to_commit(cause)
        if exit_code and self._peers.gang:  # a node that is gone answers no more
            seconds = min(seconds, self._around.watch.reserve.total_seconds())
        stored = not isinstance(keeper, Committer) or keeper.finish(
            whole=exit_code == 0, deadline=time.monotonic() + seconds
        )
        if keeper and keeper.fenced:
            raise Fenced(keeper.fenced)
        return self._judge(exit_code, cause, stored=stored)

    def _start(self, command: str, restored: Restored) -> JobProcess:
        around = self._around
        self._tell_pace()
        return JobProcess(
            command,
            directory=around.workspace.job,
            environment=job_environment(
                self._config,
                around.workspace,
                restored=restored.directory,
                every_seconds=self._told_once(),
                secrets=around.secrets,
                leader_address=self._begun.leader_address if self._begun else "",
            ),
            signal_name=self._config.checkpoint.signal if self._config.checkpoint else "SIGTERM",
            umask=around.umask,
        )

    def _told_once(self) -> float | None:
        """The interval for a job that reads it once: one for all ages, where there is one."""
        if self._pace is None or self._config.checkpoint is None:
            return None
        return self._config.checkpoint.usual_seconds or self._pace.every_seconds

    def _report_ready(self, **seconds: float) -> None:
        self._around.workspace.ready.touch()
        self._reports.ready(
            self._prefetch.commit,
            self._fetcher.downloaded_bytes,
            boot_seconds=self._around.boot_seconds,
            **seconds,
        )

    def _keeper(self, restored: Restored) -> Keeper | None:
        around = self._around
        tools = KeepingTools(
            config=self._config,
            store=around.store,
            workspace=around.workspace,
            writer=self._writer,
            progress=self._progress,
            reports=self._reports,
            peers=self._peers,
        )
        return keeper(tools, self._pace, restored)

    def _supervise(self, job: JobProcess, committer: Keeper | None) -> tuple[int, Cause | None]:
        """Wait for the command's end, its own or one that is asked for from outside."""
        pump = self._output.pump(job.output)
        cause: Cause | None = None
        kill_at = utc_now()
        while job.poll() is None:
            self._reports.progress()
            self._heed_hint()
            self._tell_pace()
            if committer and committer.fenced:
                break
            if cause is None:
                cause = self._around.watch.cause()
                if cause:
                    kill_at = self._ask_to_end(job, committer, cause)
            elif utc_now() >= kill_at:
                break
            time.sleep(_TICK_SECONDS)
        exit_code = job.kill()
        pump.join(_PUMP_SECONDS)
        return exit_code, cause

    def _ask_to_end(self, job: JobProcess, committer: Keeper | None, cause: Cause) -> datetime:
        self._parting.warn(cause)
        if committer:
            committer.hurry()
        job.signal()
        return cause.kill_at(committer.last_upload_seconds if committer else 0.0)

    def _heed_hint(self) -> None:
        """Report a hint once; the job is not disturbed, but asked in its file to save soon."""
        hint = self._around.watch.notices.hint
        if hint is None or self._hinted:
            return
        self._hinted = True
        if self._pace:
            self._pace.hint()
        self._reports.rebalance(hint)

    def _tell_pace(self) -> None:
        if self._pace_file:
            self._pace_file.update()

    def _seconds_to_commit(self, cause: Cause | None) -> float:
        """Return how long the last commit may be tried: until the machine has to be done."""
        if cause:
            ends_at = cause.ends_at
        else:
            stops = [stop.at for stop in self._config.stop_at]
            ends_at = min([self._around.watch.orders.lease_until, *stops])
        left = (ends_at - utc_now()).total_seconds()
        return max(left, _SHORTEST_COMMIT_SECONDS)

    def _judge(self, exit_code: int, cause: Cause | None, *, stored: bool) -> Ended:
        forgiven = cause is None or (cause.end in _MAY_COME_LATE and self._all_done)
        done = exit_code == 0 and forgiven
        if done and stored:
            return Ended(end=End.FINISHED, exit_code=0)
        if done:
            detail = "the job is done, but its last checkpoint could not be stored"
            return Ended(end=End.NODE_FAILED, exit_code=0, detail=detail)
        if cause:
            return Ended(end=cause.end, exit_code=exit_code, detail=cause.detail)
        return _job_failed(exit_code)

    @property
    def _all_done(self) -> bool:
        return (self._progress.latest or 0.0) >= 1.0


def _unless_ended(restored: Restored | Cause) -> Restored | Ended:
    if isinstance(restored, Cause):
        return Ended(end=restored.end, detail=restored.detail)
    return restored


def _job_failed(exit_code: int) -> Ended:
    detail = f"the command exited with {exit_code}"
    return Ended(end=End.JOB_FAILED, exit_code=exit_code, detail=detail)


def _pace(around: Surroundings) -> Pace | None:
    checkpoint = around.config.checkpoint
    return Pace(checkpoint.cadence, age_seconds=around.boot_seconds) if checkpoint else None
