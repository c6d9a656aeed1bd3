"""What the node and its provider say of a live attempt, written into the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from finsched.model.event import (
    AttemptEnded,
    Committed,
    Event,
    Noticed,
    Progressed,
    Ready,
    Started,
    Transferred,
    Warned,
)
from finsched.model.market import CapacityType
from finsched.model.run import (
    Attempt,
    AttemptEnd,
    Checkpoint,
    Direction,
    Restore,
    Transfer,
    WarningCause,
)
from finsched.node.clock import from_iso
from finsched.node.mail.documents import count, seconds, share, text
from finsched.provider import EndReason, InstanceState, InstanceStatus, Provider
from finsched.run import gangs
from finsched.run.clock import Clock
from finsched.run.correspondence import Correspondence
from finsched.run.journal import Journal

LEAST_PROGRESS = 0.005
_LOOKS_FOR_LAST_WORDS = 6
"""How often in a row the letters of a machine that has ended are missed before it ends unheard."""
_HINT = "the provider may take the machine back soon: saving now"
_VANISHED = "the provider knows nothing of the machine any more; its cost is an estimate"
MOVED = "moved"  # the order to an attempt whose run goes on elsewhere
IN_VAIN = "in_vain"  # the order to an attempt of which nothing is kept
Document = Mapping[str, Any]
_SENSELESS = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What reading a message raises that is not as a node writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Farewell:
    """The node's own word on how its attempt ended."""

    end: AttemptEnd
    detail: str
    at: datetime  # real time


def watch(
    journal: Journal,
    attempt: Attempt,
    provider: Provider,
    post: Correspondence,
    clock: Clock,
    *,
    silent: bool = False,
) -> bool:
    """Hear the node, ask the provider, and end the attempt once nothing of it bills any more.

    `silent` says that we have switched the machine off because its agent was heard no more.
    Returns whether the provider knew of every instance; what it does not list is unknown, not gone.
    """
    statuses = provider.compute.poll(attempt.instance_ids) if provider.compute else {}
    farewell = _hear(journal, attempt, post, clock)
    attempt = journal.run.attempts[attempt.number - 1]  # as it stands after what was heard
    over = farewell is not None or gangs.is_broken(attempt, statuses, clock.real(clock.now()))
    if over and _any_running(statuses):
        _switch_off(attempt, provider)
    ended_at = _ended_at(attempt, statuses, clock.real(clock.now()))
    if ended_at is not None and not 0 < post.looks_missed < _LOOKS_FOR_LAST_WORDS:
        end, detail = _ending(attempt, statuses, farewell)
        if silent and end is AttemptEnd.STOPPED:
            end, detail = AttemptEnd.NODE_FAILED, "the agent was heard no more"
        ran = _ran_seconds(attempt, statuses, ended_at, clock)
        event = AttemptEnded(attempt=attempt.number, end=end, detail=detail, ran_seconds=ran)
        journal.record(event, clock.at(ended_at))
    return all(_is_known(statuses.get(instance_id)) for instance_id in attempt.instance_ids)


def give_up(
    journal: Journal, attempt: Attempt, at: datetime, *, unseen: timedelta = timedelta(0)
) -> None:
    """End an attempt whose provider has known nothing of it for longer than its lease.

    Nobody knows when it ended: it counts as billed for as long as it may still run `unseen`, so
    that no bill is ever higher.
    """
    is_spot = attempt.placement.offer.capacity_type is CapacityType.SPOT
    end = AttemptEnd.INTERRUPTED if is_spot else AttemptEnd.NODE_FAILED
    given_up_at = max(at, _last_sign_of_life(journal, attempt))
    ran = given_up_at + unseen - (attempt.billing_from or attempt.intended_at)
    event = AttemptEnded(
        attempt=attempt.number,
        end=end,
        detail=_VANISHED,
        ran_seconds=(ran.total_seconds(),) * attempt.placement.nodes,
        estimated=True,
    )
    journal.record(event, given_up_at)


def _last_sign_of_life(journal: Journal, attempt: Attempt) -> datetime:
    commits = [point.at for point in journal.run.checkpoints if point.attempt == attempt.number]
    moments = (attempt.billing_from, attempt.started_at, attempt.progress_at, *commits)
    return max((moment for moment in moments if moment), default=attempt.intended_at)


def _is_known(status: InstanceStatus | None) -> bool:
    return status is not None and status.state is not InstanceState.UNKNOWN


def _hear(
    journal: Journal, attempt: Attempt, post: Correspondence, clock: Clock
) -> Farewell | None:
    farewell = None
    for letter in post.letters(after=attempt.mailbox_position):
        try:
            written_at = from_iso(letter.document["at"])
            if letter.kind == "ended":
                farewell = _farewell(letter.document, written_at)
                continue
            at = clock.at(written_at)
            event = _event(journal, attempt.number, letter.number, letter.document, at)
        except _SENSELESS:
            at, event = clock.now(), _unreadable(attempt, letter.number)
        if event is not None:
            journal.record(event, at)
    return farewell


def _unreadable(attempt: Attempt, number: int) -> Event | None:
    """Said once; the last words are looked at every time."""
    if number <= attempt.mailbox_position:
        return None
    said = f"message {number} of the machine cannot be read"
    return Warned(attempt=attempt.number, text=said, message=number)


def _farewell(document: Document, at: datetime) -> Farewell:
    end, detail = AttemptEnd(document["end"]), _detail(document)
    if end is AttemptEnd.STOPPED and detail == MOVED:
        return Farewell(end=AttemptEnd.MOVED, detail="", at=at)
    if end is AttemptEnd.STOPPED and detail == IN_VAIN:
        detail = "nothing of its work was kept"
        return Farewell(end=AttemptEnd.NODE_FAILED, detail=detail, at=at)
    return Farewell(end=end, detail=detail, at=at)


def _event(
    journal: Journal, attempt: int, number: int, message: Document, at: datetime
) -> Event | None:
    match message["kind"]:
        case "started":
            restore = _restore(attempt, message["restore"], at)
            return Started(attempt=attempt, restore=restore, message=number)
        case "ready":
            return Ready(attempt=attempt, message=number)
        case "progress" if _moved(journal, progress := _share(message["progress"])):
            return Progressed(attempt=attempt, progress=progress, message=number)
        case "uploading" | "restoring":
            return Transferred(attempt=attempt, transfer=_transfer(message), message=number)
        case "committed":
            checkpoint = _checkpoint(attempt, message, at)
            return Committed(attempt=attempt, checkpoint=checkpoint, message=number)
        case "notice":
            return Noticed(attempt=attempt, message=number)
        case "rebalance" | "warning" | "stalled" as kind:
            told = text(message.get("text", _HINT))
            cause = WarningCause.STALLED_JOB if kind == "stalled" else WarningCause.OTHER
            return Warned(attempt=attempt, text=told, cause=cause, message=number)
    return None


def _transfer(message: Document) -> Transfer:
    uploads = message["kind"] == "uploading"
    return Transfer(
        direction=Direction.UPLOAD if uploads else Direction.RESTORE,
        done_bytes=count(message["done_bytes"]),
        total_bytes=count(message["total_bytes"]),
        seconds=seconds(message["seconds"]),
    )


def _moved(journal: Journal, progress: float) -> bool:
    live = journal.run.live_attempt
    known = live.progress if live else None
    return known is None or progress >= 1.0 or abs(progress - known) >= LEAST_PROGRESS


def _share(value: object) -> float:
    if (given := share(value)) is None:
        raise ValueError("it tells of no progress")
    return given


def _restore(attempt: int, document: Document, at: datetime) -> Restore:
    return Restore(
        sequence=None if document["sequence"] is None else count(document["sequence"]),
        attempt=attempt,
        at=at,
        size_bytes=count(document["size_bytes"]),
        damaged=count(document["damaged"]),
        progress=share(document["progress"]),
        seconds=seconds(document.get("seconds", 0.0)),
    )


def _checkpoint(attempt: int, message: Document, at: datetime) -> Checkpoint:
    return Checkpoint(
        sequence=count(message["sequence"]),
        attempt=attempt,
        at=at,
        size_bytes=count(message["size_bytes"]),
        progress=share(message["progress"]),
        upload_seconds=seconds(message["upload_seconds"]),
        sent_bytes=count(message.get("sent_bytes", message["size_bytes"])),
    )


def _detail(message: Document) -> str:
    code = message.get("exit_code")
    return text(message.get("detail", "")) or (f"exit status {code}" if code else "")


def _any_running(statuses: Mapping[str, InstanceStatus]) -> bool:
    going = {InstanceState.PENDING, InstanceState.RUNNING}
    return any(status.state in going for status in statuses.values())


def _switch_off(attempt: Attempt, provider: Provider) -> None:
    if provider.compute:
        for instance_id in attempt.instance_ids:
            provider.compute.terminate(instance_id)


def _ended_at(
    attempt: Attempt, statuses: Mapping[str, InstanceStatus], now: datetime
) -> datetime | None:
    """When the last instance ended, or None while any is alive or unknown.

    An end that nobody dates is now: it is billed no less than it was.
    """
    moments = []
    for instance_id in attempt.instance_ids:
        status = statuses.get(instance_id)
        if status is None or status.state is not InstanceState.TERMINATED:
            return None
        moments.append(status.ended_at or now)
    return max(moments, default=None)


def _ran_seconds(
    attempt: Attempt, statuses: Mapping[str, InstanceStatus], ended_at: datetime, clock: Clock
) -> tuple[float, ...]:
    """How long each machine of a gang was there, in the run's own time: they end one by one."""
    if attempt.placement.nodes == 1:
        return ()
    ran = []
    for status in (statuses[instance_id] for instance_id in attempt.instance_ids):
        began_at = clock.at(status.billing_from) if status.billing_from else attempt.billing_from
        ran.append(clock.at(status.ended_at or ended_at) - (began_at or attempt.intended_at))
    return tuple(each.total_seconds() for each in ran)


def _is_not_to_blame(
    attempt: Attempt, farewell: Farewell, statuses: Mapping[str, InstanceStatus]
) -> bool:
    return gangs.lost_a_node(attempt, farewell.end, statuses.values(), farewell.at)


def _ending(
    attempt: Attempt, statuses: Mapping[str, InstanceStatus], farewell: Farewell | None
) -> tuple[AttemptEnd, str]:
    reasons = {status.reason for status in statuses.values()}
    detail = "; ".join(sorted({status.detail for status in statuses.values() if status.detail}))
    if gangs.is_incomplete(attempt):
        return AttemptEnd.NODE_FAILED, gangs.shortfall(attempt)
    if farewell and not _is_not_to_blame(attempt, farewell, statuses):
        return farewell.end, farewell.detail
    is_spot = attempt.placement.offer.capacity_type is CapacityType.SPOT
    if EndReason.INTERRUPTED in reasons or (farewell and attempt.notice_at):
        return AttemptEnd.INTERRUPTED, detail or "taken back"
    if is_spot and EndReason.UNKNOWN in reasons:
        return AttemptEnd.INTERRUPTED, detail or "vanished without a word"
    if gangs.waited_in_vain(attempt, reasons):
        return AttemptEnd.NODE_FAILED, "a node ended early, and the others waited for it in vain"
    if EndReason.TERMINATED_BY_US in reasons and EndReason.FAILED not in reasons:
        return AttemptEnd.STOPPED, detail or "switched off"
    return AttemptEnd.NODE_FAILED, detail or "the machine ended without a word of its agent"
