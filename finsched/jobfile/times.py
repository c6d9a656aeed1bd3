"""Whether the times that a job names leave room for it to start."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from finsched.decide.timing.start_window import said
from finsched.jobfile import schema
from finsched.jobfile.problems import Wrong
from finsched.model.job import When, as_moment

Path = tuple[str | int, ...]


def wrong_times(job: schema.Job, now: datetime) -> Iterator[tuple[Path, Wrong]]:
    """Yield what no launch can meet; durations count from `now`."""
    if job.start is None:
        return
    if job.start.after is None and job.start.before is None:
        yield ("start",), Wrong("says neither after nor before", "write {after: 8h}, or remove it")
    yield from _wrong_window(job.start, now)
    if job.deadline is not None and _not_later(job.deadline, job.start.after, now):
        what = f"is {said(job.deadline)}, before the job may start"
        yield ("deadline",), Wrong(what, "write a later deadline, or an earlier start.after")


def _wrong_window(start: schema.Start, now: datetime) -> Iterator[tuple[Path, Wrong]]:
    path, before = ("start", "before"), start.before
    if before is None:
        return
    if _not_later(before, now, now):
        yield path, Wrong(f"is {said(before)}, in the past", "write a later time")
    elif _not_later(before, start.after, now):
        what = f"is {said(before)}, not later than start.after"
        yield path, Wrong(what, "write a later before, or an earlier after")


def _not_later(when: When, than: When | None, now: datetime) -> bool:
    return than is not None and as_moment(when, now) <= as_moment(than, now)
