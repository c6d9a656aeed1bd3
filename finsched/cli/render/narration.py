"""One event of a run as one line for people."""

from __future__ import annotations

from finsched.cli.output import data_size, duration, money
from finsched.cli.render import words
from finsched.model.event import (
    AttemptEnded,
    BudgetUsed,
    Committed,
    Decided,
    Ended,
    Intended,
    Noticed,
    Promoted,
    Ready,
    Recorded,
    Resumed,
    Started,
    StopRequested,
    StoreDiscarded,
    Submitted,
    Warned,
)
from finsched.model.run import Attempt, AttemptEnd, Choice, Restore, Run

_ENDS = {
    AttemptEnd.FINISHED: "the job is done",
    AttemptEnd.INTERRUPTED: "the provider took the machine back",
    AttemptEnd.JOB_FAILED: "the job failed",
    AttemptEnd.LEASE_EXPIRED: "nobody renewed the lease; the node ended itself",
    AttemptEnd.LIMIT: "budget or deadline reached",
    AttemptEnd.STOPPED: "stopped",
    AttemptEnd.MOVED: "the run goes on elsewhere",
    AttemptEnd.NOT_LAUNCHED: "no machine",
    AttemptEnd.FENCED: "a newer attempt took over",
    AttemptEnd.NODE_FAILED: "the machine broke",
}


def narrate(run: Run, record: Recorded) -> tuple[str, str] | None:
    """Return a word and a sentence for an event, or None where people need not hear of it.

    `run` is the run after the event.
    """
    match record.event:
        case Submitted():
            return "submitted", _submission(run)
        case Decided(choice=choice):
            return _decision(choice)
        case Committed(checkpoint=checkpoint):
            size = data_size(checkpoint.size_bytes)
            number = checkpoint_number(run, checkpoint.sequence)
            return "commit", f"checkpoint {number}{_at(checkpoint.progress)}, {size}"
        case BudgetUsed(percent=percent):
            limit_usd = run.job.budget.max_cost_usd or 0.0
            return "budget", f"{percent} % of {money(limit_usd)} is spent"
    return _from_outside(run, record) or _of_attempt(run, record)


def _from_outside(run: Run, record: Recorded) -> tuple[str, str] | None:
    """What people asked for, and the end."""
    match record.event:
        case StopRequested(reason=reason):
            machines = any(not each.unconfirmed for each in run.live_attempts)
            saving = ": saving a last checkpoint" if machines else ""
            return "stopping", f"{reason}{saving}"
        case Resumed():
            return "resumed", "going on from the last commit"
        case Ended(outcome=outcome, detail=detail):
            return "ended", f"{outcome}: {detail}" if detail else str(outcome)
        case StoreDiscarded(why=why, size_bytes=size_bytes):
            return "discarded", f"the store and its {data_size(size_bytes)}: {why}"
    return None


def _decision(choice: Choice) -> tuple[str, str] | None:
    """Waiting, pausing and moving; a launch is told by the attempt that it makes."""
    if choice.step == "launch":
        return None
    target = f"to {choice.target}: " if choice.target else ""
    return choice.step, f"{target}{choice.why}"


def _of_attempt(run: Run, record: Recorded) -> tuple[str, str] | None:
    match record.event:
        case Intended(placement=placement, standby=standby):
            word = "standby" if standby else "launch"
            return word, f"{_placed(run.attempts[-1])}; {placement.why}"
        case Ready(attempt=number):
            return "ready", f"attempt {number} has staged all it needs"
        case Promoted(attempt=number):
            return "take over", f"attempt {number} goes on"
        case Started(attempt=number, restore=restore):
            return "start", f"attempt {number}: {_origin(run, restore)}"
        case Noticed(attempt=number):
            return "notice", f"attempt {number}: the provider will take the machine back"
        case Warned(text=text):
            return "warning", text
        case AttemptEnded(attempt=number, end=end, detail=detail):
            said = f" ({detail})" if detail else ""
            return str(end).replace("_", " "), f"attempt {number}: {_ENDS[end]}{said}"
    return None


def _submission(run: Run) -> str:
    rehearsal = run.rehearsal
    if rehearsal is None:
        return f"run {run.id}"
    there = duration(rehearsal.speed / 3600)
    planned = (
        f"{rehearsal.interruptions} interruptions"
        if rehearsal.interruptions is not None
        else f"{rehearsal.hazard_per_hour:g} interruptions an hour"
    )
    nodes = run.job.requirements.nodes
    only = f", all {nodes} nodes run here" if nodes > 1 else ""
    return f"rehearsal {run.id}: 1 s here is {there} there, {planned}{only}"


def _placed(attempt: Attempt) -> str:
    price = money(attempt.placement.usd_per_hour)
    where = words.place_and_machine(attempt.placement.offer)
    return f"attempt {attempt.number} on {where}, {price}/h"


def checkpoint_number(run: Run, sequence: int) -> int:
    """Return which checkpoint of the run this is, from 1; the log numbers more than commits."""
    return 1 + sum(point.sequence < sequence for point in run.checkpoints)


def _origin(run: Run, restore: Restore) -> str:
    skipped = f", {restore.damaged} damaged skipped" if restore.damaged else ""
    if restore.sequence is None:
        return f"from the beginning{skipped}"
    number = checkpoint_number(run, restore.sequence)
    return f"resumed from checkpoint {number}{_at(restore.progress)}{skipped}"


def _at(progress: float | None) -> str:
    return "" if progress is None else f" at {progress:.1%}"
