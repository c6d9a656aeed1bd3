"""One attempt on this machine, from the opened log to the last message."""

from __future__ import annotations

import tarfile
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from finsched.node.cadence import Pace, PaceFile
from finsched.node.checkpoint import Committer, CommitTools
from finsched.node.clock import to_iso, utc_now
from finsched.node.commit_log import CommitLog, CommitWriter, Fenced
from finsched.node.config import NodeConfig
from finsched.node.ending import Cause, End, Watch
from finsched.node.environment import checkpoint_directory, job_environment
from finsched.node.fetch import Fetcher
from finsched.node.job_process import JobProcess
from finsched.node.mailbox import Mailbox
from finsched.node.output import OutputLog
from finsched.node.parts import Parts
from finsched.node.prefetch import Prefetch
from finsched.node.process_tree import kill_descendants
from finsched.node.progress import Progress
from finsched.node.removal import remove_tree
from finsched.node.restore import Restored, restore
from finsched.node.store import Store, StoreError, with_retries
from finsched.node.workspace import Workspace, make_empty, unpack

_TICK_SECONDS = 0.03
_PUMP_SECONDS = 2.0
_PROGRESS_EVERY_SECONDS = 0.5
_SHORTEST_COMMIT_SECONDS = 2.0
_POLLS_BETWEEN_PREFETCHES = 10
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last word on an attempt."""

    end: End
    exit_code: int | None = None
    detail: str = ""


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
        self._progress = Progress(around.workspace.progress)
        self._output = OutputLog(
            around.workspace.output,
            around.store,
            around.config.attempt,
            around.secrets.values(),
        )
        self._fetcher = Fetcher(around.store)
        self._prefetch = Prefetch(around.store, self._fetcher, around.workspace.prefetched)
        self._pace = _pace(around)
        self._pace_file = (
            PaceFile(around.workspace.checkpoint_every, self._pace) if self._pace else None
        )
        self._hinted = False
        self._reported_at = 0.0
        self._reported: float | None = None

    def run(self) -> Ended:
        """Do the work and report how it ended."""
        try:
            ended = self._attempt()
        except Fenced as error:
            ended = Ended(end=End.FENCED, detail=str(error))
        except (StoreError, OSError, tarfile.TarError) as error:
            ended = Ended(end=End.NODE_FAILED, detail=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was, it has to be reported
            traceback.print_exc()
            ended = Ended(end=End.NODE_FAILED, detail=f"{type(error).__name__}: {error}")
        kill_descendants()
        self._around.watch.close()
        self._around.workspace.clear()  # a job that filled the disk must not silence us
        last_words_seconds = self._around.watch.reserve.total_seconds()
        self._output.close(timeout_seconds=last_words_seconds)
        self._report_end(ended)
        self._around.mailbox.close(timeout_seconds=last_words_seconds)
        return ended

    def _attempt(self) -> Ended:
        if self._config.standby:
            if ended := self._stand_by():
                return ended
            prepared = self._while_watching(self._take_over)
        else:
            prepared = self._while_watching(self._prepare)
        if isinstance(prepared, Cause):
            return Ended(end=prepared.end, detail=prepared.detail)
        if not self._config.standby and (ended := self._set_up(prepared)):
            return ended
        return self._work(prepared)

    def _while_watching(self, action: Callable[[], _Result]) -> _Result | Cause:
        """Act in a thread, so that a lease or a budget can end even a hanging download."""
        future = ThreadPoolExecutor(1).submit(action)
        while (cause := self._around.watch.cause()) is None:
            if wait([future], timeout=_TICK_SECONDS).done:
                return future.result()
        return cause

    def _prepare(self) -> Restored:
        self._writer.open()
        self._fill_workspace()
        return self._restore()

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
            self._around.mailbox.post("warning", text=f"{text}; falling back to the one before")
        return restored

    def _try_to_restore(self) -> Restored:
        assert self._config.checkpoint is not None  # noqa: S101 - asked by the caller
        entries = CommitLog(self._around.store).newest_first()
        into = self._around.workspace.restored
        return restore(self._fetcher, entries, into, keep=self._config.checkpoint.keep)

    def _stand_by(self) -> Ended | None:
        """Get ready beside the working attempt, and wait; None once the order to go has come."""
        began_at = time.monotonic()
        cause = self._while_watching(self._stage)
        if cause is None:
            staged_at = time.monotonic()
            if ended := self._set_up(Restored()):
                return ended
            self._report_ready(
                fetch_seconds=staged_at - began_at, setup_seconds=time.monotonic() - staged_at
            )
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
        self._writer.open()
        self._prefetch.close()
        restored = self._restore()
        remove_tree(self._around.workspace.prefetched)
        return restored

    def _set_up(self, restored: Restored) -> Ended | None:
        if not self._config.setup:
            return None
        self._around.mailbox.post("setup")
        exit_code, cause = self._supervise(self._start(self._config.setup, restored), None)
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
        self._report_start(restored)
        committer = self._committer(restored)
        exit_code, cause = self._supervise(job, committer)
        self._report_progress(last=True)
        stored = committer is None or committer.finish(
            whole=exit_code == 0, deadline=time.monotonic() + self._seconds_to_commit(cause)
        )
        if committer and committer.fenced:
            raise Fenced(committer.fenced)
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
            ),
            signal_name=self._config.checkpoint.signal if self._config.checkpoint else "SIGTERM",
            umask=around.umask,
        )

    def _told_once(self) -> float | None:
        """The interval for a job that reads it once: one for all ages, where there is one."""
        if self._pace is None or self._config.checkpoint is None:
            return None
        return self._config.checkpoint.usual_seconds or self._pace.every_seconds

    def _report_start(self, restored: Restored) -> None:
        commit = restored.commit
        self._around.mailbox.post(
            "started",
            restore={
                "sequence": commit.number if commit else None,
                "size_bytes": commit.size_bytes if commit else 0,
                "progress": commit.progress if commit else None,
                "damaged": len(restored.damaged),
                "downloaded_bytes": self._fetcher.downloaded_bytes,
            },
        )

    def _report_ready(self, *, fetch_seconds: float, setup_seconds: float) -> None:
        staged = self._prefetch.commit
        self._around.workspace.ready.touch()
        self._around.mailbox.post(
            "ready",
            sequence=staged.number if staged else None,
            size_bytes=staged.size_bytes if staged else 0,
            downloaded_bytes=self._fetcher.downloaded_bytes,
            boot_seconds=round(self._around.boot_seconds, 3),
            fetch_seconds=round(fetch_seconds, 3),
            setup_seconds=round(setup_seconds, 3),
        )

    def _report_end(self, ended: Ended) -> None:
        self._around.mailbox.post(
            "ended",
            end=str(ended.end),
            exit_code=ended.exit_code,
            detail=ended.detail,
            downloaded_bytes=self._fetcher.downloaded_bytes,
        )

    def _committer(self, restored: Restored) -> Committer | None:
        checkpoint = self._config.checkpoint
        if checkpoint is None or self._pace is None:
            return None
        parts = Parts(self._around.store, self._config.attempt, keep=checkpoint.keep)
        parts.trust(reversed([c for c in (restored.commit, *restored.older) if c]))
        committer = Committer(
            self._around.workspace.job / checkpoint.path,
            self._around.workspace.staging,
            CommitTools(
                writer=self._writer,
                parts=parts,
                progress=self._progress,
                mailbox=self._around.mailbox,
                pace=self._pace,
                marker=self._around.workspace.committed,
            ),
        )
        committer.start()
        return committer

    def _supervise(self, job: JobProcess, committer: Committer | None) -> tuple[int, Cause | None]:
        """Wait for the command's end, its own or one that is asked for from outside."""
        pump = self._output.pump(job.output)
        cause: Cause | None = None
        kill_at = utc_now()
        while job.poll() is None:
            self._report_progress()
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

    def _ask_to_end(self, job: JobProcess, committer: Committer | None, cause: Cause) -> datetime:
        if notice := self._around.watch.notices.notice:
            ends_at = to_iso(notice.ends_at) if notice.ends_at else None
            self._around.mailbox.post("notice", ends_at=ends_at)
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
        given_at = to_iso(hint.given_at) if hint.given_at else None
        self._around.mailbox.post("rebalance", given_at=given_at)

    def _tell_pace(self) -> None:
        if self._pace_file:
            self._pace_file.update()

    def _report_progress(self, *, last: bool = False) -> None:
        fraction, now = self._progress.read(), time.monotonic()
        due = last or now - self._reported_at >= _PROGRESS_EVERY_SECONDS
        if due and fraction is not None and fraction != self._reported:
            self._around.mailbox.post("progress", progress=fraction)
            self._reported, self._reported_at = fraction, now

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
        done = exit_code == 0 and (cause is None or (self._progress.latest or 0.0) >= 1.0)
        if done and stored:
            return Ended(end=End.FINISHED, exit_code=0)
        if done:
            detail = "the job is done, but its last checkpoint could not be stored"
            return Ended(end=End.NODE_FAILED, exit_code=0, detail=detail)
        if cause:
            return Ended(end=cause.end, exit_code=exit_code, detail=cause.detail)
        detail = f"the command exited with {exit_code}"
        return Ended(end=End.JOB_FAILED, exit_code=exit_code, detail=detail)


def _pace(around: Surroundings) -> Pace | None:
    checkpoint = around.config.checkpoint
    return Pace(checkpoint.cadence, age_seconds=around.boot_seconds) if checkpoint else None
