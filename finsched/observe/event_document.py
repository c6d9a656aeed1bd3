"""One event of the ledger as a flat JSON object with a published schema.

Every field is named here: what a job file holds besides (commands, variables) never gets out.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from typing import Any

from finsched.decide.live.spend import spent_usd
from finsched.model.event import (
    AttemptEnded,
    BudgetUsed,
    ClockAnchored,
    Committed,
    Decided,
    Ended,
    Event,
    Intended,
    Launched,
    Progressed,
    Queued,
    Recorded,
    Resumed,
    Started,
    StopRequested,
    StoreDiscarded,
    Submitted,
    Transferred,
    Warned,
)
from finsched.model.run import Placement, Run

SCHEMA_VERSION = 1


def event_document(run: Run, record: Recorded) -> dict[str, Any]:
    """Return an event as JSON data; `run` is the run after it."""
    attempt = getattr(record.event, "attempt", None)
    document = {
        "schema_version": SCHEMA_VERSION,
        "sequence": record.sequence,
        "at": record.at.isoformat(),
        "run": run.id,
        "job": run.job.name,
        "rehearsed": run.rehearsal is not None,
        "event": event_name(type(record.event)),
        **({} if attempt is None else {"attempt": attempt}),
        **(_of_attempt(record.event) or _of_run(run, record)),
    }
    return {key: None if _is_no_number(value) else value for key, value in document.items()}


def _is_no_number(value: object) -> bool:
    """JSON has no infinity."""
    return isinstance(value, float) and not math.isfinite(value)


def event_name(kind: type[Event]) -> str:
    """Return how a kind of event is called: `attempt_ended`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


def _of_run(run: Run, record: Recorded) -> dict[str, Any]:
    match record.event:
        case Submitted(job=job, policy=policy):
            return {
                "policy": policy,
                "nodes": job.requirements.nodes,
                "max_cost_usd": job.budget.max_cost_usd,
                "deadline": _moment(run.submitted_at, job.deadline),
            }
        case ClockAnchored(anchor=anchor):
            return {"speed": anchor.speed}
        case Decided(choice=choice):
            return {
                "step": choice.step,
                "target": choice.target,
                "why": choice.why,
                "slack_seconds": choice.slack_seconds,
            }
    return _of_life(run, record)


def _of_life(run: Run, record: Recorded) -> dict[str, Any]:
    """What came from outside, and the end."""
    match record.event:
        case BudgetUsed(percent=percent):
            return {"percent": percent, "spent_usd": f"{spent_usd(run, record.at):.6f}"}
        case StopRequested(reason=reason):
            return {"reason": reason}
        case Ended(outcome=outcome, detail=detail):
            spent = f"{spent_usd(run, record.at):.6f}"
            return {"outcome": outcome, "detail": detail, "spent_usd": spent}
        case Resumed(max_cost_usd=max_cost_usd, deadline=deadline):
            return {
                "max_cost_usd": max_cost_usd,
                "deadline": _moment(run.submitted_at, deadline),
            }
        case Queued(priority=priority):
            return {"priority": priority}
        case StoreDiscarded(why=why, size_bytes=size_bytes):
            return {"why": why, "size_bytes": size_bytes}
    return {}


def _of_attempt(event: Event) -> dict[str, Any]:
    match event:
        case Intended(placement=placement, standby=standby):
            return {**_placement(placement), "standby": standby, "why": placement.why}
        case Launched(instance_ids=ids, billing_from=billing_from):
            return {"instance_ids": list(ids), "billing_from": billing_from.isoformat()}
        case Started(restore=restore):
            return {
                "resumed_from": restore.sequence,
                "resumed_progress": restore.progress,
                "damaged": restore.damaged,
                "restored_bytes": restore.size_bytes,
                "restore_seconds": restore.seconds,
            }
        case AttemptEnded(end=end, detail=detail, refusal=refusal):
            return {"end": end, "detail": detail, "refusal": refusal}
    return _of_work(event)


def _of_work(event: Event) -> dict[str, Any]:
    """What the node tells of the job."""
    match event:
        case Progressed(progress=progress):
            return {"progress": progress}
        case Committed(checkpoint=checkpoint):
            return {
                "checkpoint": checkpoint.sequence,
                "progress": checkpoint.progress,
                "size_bytes": checkpoint.size_bytes,
                "upload_seconds": checkpoint.upload_seconds,
                "sent_bytes": checkpoint.sent_bytes,
            }
        case Transferred(transfer=transfer):
            return {
                "direction": transfer.direction,
                "done_bytes": transfer.done_bytes,
                "total_bytes": transfer.total_bytes,
                "seconds": transfer.seconds,
            }
        case Warned(text=text, cause=cause):
            return {"text": text, "cause": cause}
    return {}


def _placement(placement: Placement) -> dict[str, Any]:
    offer = placement.offer
    return {
        "provider": offer.provider,
        "region": offer.region,
        "zone": offer.zone,
        "instance_type": offer.instance_type.name,
        "capacity_type": offer.capacity_type,
        "nodes": placement.nodes,
        "price_usd_per_hour": placement.usd_per_hour,
    }


def _moment(submitted_at: datetime, deadline: datetime | timedelta | None) -> str | None:
    if deadline is None:
        return None
    moment = submitted_at + deadline if isinstance(deadline, timedelta) else deadline
    return moment.isoformat()
