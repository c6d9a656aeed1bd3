"""What an attempt tells of itself; in a gang the leader speaks for all nodes."""

from __future__ import annotations

import time
from typing import Any

from finsched.node.checkpoints.commit_log import Committed
from finsched.node.checkpoints.restore import Restored
from finsched.node.clock import to_iso
from finsched.node.ending import End
from finsched.node.job.progress import Progress
from finsched.node.mail.mailbox import Mailbox
from finsched.node.notices.told import InterruptionNotice, RebalanceHint

_PROGRESS_EVERY_SECONDS = 0.5


class Reports:
    """Posts messages into the mailbox; a node that does not lead tells only of dangers."""

    def __init__(self, mailbox: Mailbox, progress: Progress, *, rank: int) -> None:
        self._mailbox = mailbox
        self._progress = progress
        self._rank = rank
        self._reported_at = 0.0
        self._reported: float | None = None

    def setup(self) -> None:
        """The setup command begins."""
        self._lead("setup")

    def started(self, restored: Restored, downloaded_bytes: int) -> None:
        """The job begins, from a checkpoint or from nothing."""
        commit = restored.commit
        self._lead(
            "started",
            restore={
                "sequence": commit.number if commit else None,
                "size_bytes": commit.size_bytes if commit else 0,
                "progress": commit.progress if commit else None,
                "damaged": len(restored.damaged),
                "downloaded_bytes": downloaded_bytes,
                "seconds": round(restored.seconds, 3),
            },
        )

    def ready(self, staged: Committed | None, downloaded_bytes: int, **seconds: float) -> None:
        """A standby has staged what it needs; `seconds` tell what took how long."""
        self._lead(
            "ready",
            sequence=staged.number if staged else None,
            size_bytes=staged.size_bytes if staged else 0,
            downloaded_bytes=downloaded_bytes,
            **{name: round(each, 3) for name, each in seconds.items()},
        )

    def progress(self, *, last: bool = False) -> None:
        """Tell how much is done, where that has changed and some time has passed."""
        fraction, now = self._progress.read(), time.monotonic()
        due = last or now - self._reported_at >= _PROGRESS_EVERY_SECONDS
        if due and fraction is not None and fraction != self._reported:
            self._lead("progress", progress=fraction)
            self._reported, self._reported_at = fraction, now

    def notice(self, notice: InterruptionNotice) -> None:
        """The provider takes this machine back."""
        ends_at = to_iso(notice.ends_at) if notice.ends_at else None
        self._mailbox.post("notice", ends_at=ends_at, node=self._rank)

    def rebalance(self, hint: RebalanceHint) -> None:
        """The provider may take this machine back soon."""
        given_at = to_iso(hint.given_at) if hint.given_at else None
        self._mailbox.post("rebalance", given_at=given_at, node=self._rank)

    def warning(self, text: str) -> None:
        """Something went wrong that does not end the attempt."""
        where = f"node {self._rank}: " if self._rank else ""
        self._mailbox.post("warning", text=f"{where}{text}", node=self._rank)

    def stalled(self, seconds: float) -> None:
        """The job stands still."""
        where = f"node {self._rank}: " if self._rank else ""
        signs = "no progress, no work of a GPU, hardly any of the processor"
        text = f"{where}the job stands still: {signs} for {seconds / 60:.0f} min"
        self._mailbox.post("stalled", text=text, node=self._rank)

    def uploading(self, sent_bytes: int, total_bytes: int, seconds: float) -> None:
        """A checkpoint is on its way to the store."""
        self._transfer("uploading", sent_bytes, total_bytes, seconds)

    def restoring(self, fetched_bytes: int, total_bytes: int, seconds: float) -> None:
        """A checkpoint is on its way to this machine."""
        self._transfer("restoring", fetched_bytes, total_bytes, seconds)

    def _transfer(self, kind: str, done_bytes: int, total_bytes: int, seconds: float) -> None:
        took = round(seconds, 3)
        self._lead(kind, done_bytes=done_bytes, total_bytes=total_bytes, seconds=took)

    def committed(self, commit: Committed, *, upload_seconds: float, sent_bytes: int) -> None:
        """A checkpoint exists; `sent_bytes` of it are new in the store."""
        self._lead(
            "committed",
            sequence=commit.number,
            size_bytes=commit.size_bytes,
            progress=commit.progress,
            upload_seconds=round(upload_seconds, 3),
            sent_bytes=sent_bytes,
            files=len(commit.files),
        )

    def ended(self, end: End, exit_code: int | None, detail: str, downloaded_bytes: int) -> None:
        """The attempt is over."""
        self._lead(
            "ended",
            end=str(end),
            exit_code=exit_code,
            detail=detail,
            downloaded_bytes=downloaded_bytes,
        )

    def _lead(self, kind: str, **content: Any) -> None:
        if self._rank == 0:
            self._mailbox.post(kind, **content)
