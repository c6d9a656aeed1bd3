"""One event of a run as one line for people."""

from __future__ import annotations

from finsched.cli.output import money
from finsched.cli.render import words
from finsched.model.event import (
    AttemptEnded,
    Committed,
    Ended,
    Intended,
    Launched,
    Noticed,
    Recorded,
    Resumed,
    Started,
    StopRequested,
    Submitted,
    Warned,
)
from finsched.model.run import Attempt, AttemptEnd, Restore, Run

_ENDS = {
    AttemptEnd.FINISHED: "the job is done",
    AttemptEnd.INTERRUPTED: "the provider took the machine back",
    AttemptEnd.JOB_FAILED: "the job failed",
    AttemptEnd.LEASE_EXPIRED: "nobody renewed the lease; the node ended itself",
    AttemptEnd.LIMIT: "budget or deadline reached",
    AttemptEnd.STOPPED: "stopped",
    AttemptEnd.NOT_LAUNCHED: "no machine",
    AttemptEnd.FENCED: "a newer attempt took over",
    AttemptEnd.NODE_FAILED: "the machine broke",
}


def narrate(run: Run, record: Recorded) -> tuple[str, str] | None:
    """Return a word and a sentence for an event, or None where people need not hear of it.

    `run` is the run after the event.
    """
    match record.event:
        case Submitted(job=job):
            return "submitted", f"run {run.id} of {job.name}"
        case Intended() | Launched() | Started() | AttemptEnded() | Noticed() | Warned():
            return _of_attempt(run, record)
        case Committed(checkpoint=checkpoint):
            size = _bytes(checkpoint.size_bytes)
            return "commit", f"checkpoint {checkpoint.sequence}{_at(checkpoint.progress)}, {size}"
        case StopRequested(reason=reason):
            return "stopping", f"{reason}: saving a last checkpoint"
        case Resumed():
            return "resumed", "going on from the last commit"
        case Ended(outcome=outcome, detail=detail):
            return "ended", f"{outcome}: {detail}" if detail else str(outcome)
    return None


def _of_attempt(run: Run, record: Recorded) -> tuple[str, str] | None:
    match record.event:
        case Intended(placement=placement):
            return "launch", f"{_placed(run.attempts[-1])}; {placement.why}"
        case Started(attempt=number, restore=restore):
            return "start", f"attempt {number}: {_origin(restore)}"
        case Noticed(attempt=number):
            return "notice", f"attempt {number}: the provider will take the machine back"
        case Warned(text=text):
            return "warning", text
        case AttemptEnded(attempt=number, end=end, detail=detail):
            said = f" ({detail})" if detail else ""
            return str(end).replace("_", " "), f"attempt {number}: {_ENDS[end]}{said}"
    return None


def _placed(attempt: Attempt) -> str:
    price = money(attempt.placement.usd_per_hour)
    where = words.place_and_machine(attempt.placement.offer)
    return f"attempt {attempt.number} on {where}, {price}/h"


def _origin(restore: Restore) -> str:
    if restore.sequence is None:
        return "from the beginning"
    skipped = f", {restore.damaged} damaged skipped" if restore.damaged else ""
    return f"resumed from checkpoint {restore.sequence}{_at(restore.progress)}{skipped}"


def _at(progress: float | None) -> str:
    return "" if progress is None else f" at {progress:.1%}"


def _bytes(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
