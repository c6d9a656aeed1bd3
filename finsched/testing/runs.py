"""Small builders of runs: what happened, as events, with plain values where none is named."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from finsched.model.event import (
    AttemptEnded,
    Committed,
    Ended,
    Event,
    Intended,
    Launched,
    Progressed,
    Recorded,
    Started,
    Submitted,
    apply,
    fold,
)
from finsched.model.market import BillingRule, Offer
from finsched.model.run import (
    AttemptEnd,
    Checkpoint,
    Outcome,
    Placement,
    Refusal,
    Restore,
    Run,
)
from finsched.testing.builders import NOW, job, spot


class Story:
    """A run told event by event; every call returns the story, `run` is its state."""

    run: Run

    def __init__(self, **fields: Any) -> None:
        submitted = Submitted(
            job=fields.pop("job", job()),
            store_uri="file:///nowhere",
            **fields,
        )
        self.now = NOW
        self.records: list[Recorded] = []
        self.tell(submitted)

    def tell(self, event: Event) -> Story:
        """Add one event at the present moment."""
        sequence = len(self.records) + 1
        record = Recorded(sequence=sequence, run="r-1", at=self.now, event=event)
        self.run = apply(self.run, record) if self.records else fold([record])
        self.records.append(record)
        return self

    def after(self, **passed: float) -> Story:
        """Let time pass: `after(hours=2)`."""
        self.now += timedelta(**passed)
        return self

    def launched(self, offer: Offer | None = None, **fields: Any) -> Story:
        """Intend, launch and start the next attempt at once."""
        number = len(self.run.attempts) + 1
        last = self.run.last_checkpoint
        restore = Restore(
            sequence=last.sequence if last else None,
            attempt=number,
            at=self.now,
            size_bytes=last.size_bytes if last else 0,
            progress=last.progress if last else None,
        )
        chosen = placement(offer, **fields)
        self.tell(Intended(attempt=number, token=f"t{number}", provider="sim", placement=chosen))
        self.tell(Launched(attempt=number, instance_ids=(f"i{number}",), billing_from=self.now))
        return self.tell(Started(attempt=number, restore=restore))

    def progressed(self, progress: float) -> Story:
        """Report progress of the live attempt."""
        return self.tell(Progressed(attempt=len(self.run.attempts), progress=progress))

    def committed(self, progress: float | None = None, *, size_bytes: int = 1000) -> Story:
        """Commit a checkpoint of the live attempt."""
        number = len(self.run.attempts)
        checkpoint = Checkpoint(
            sequence=len(self.run.checkpoints) + 1,
            attempt=number,
            at=self.now,
            size_bytes=size_bytes,
            progress=progress,
        )
        return self.tell(Committed(attempt=number, checkpoint=checkpoint))

    def ended(self, end: AttemptEnd, detail: str = "") -> Story:
        """End the live attempt."""
        return self.tell(AttemptEnded(attempt=len(self.run.attempts), end=end, detail=detail))

    def refused(self, offer: Offer, refusal: Refusal) -> Story:
        """Intend the next attempt, and be refused a machine."""
        number, chosen = len(self.run.attempts) + 1, placement(offer)
        self.tell(Intended(attempt=number, token=f"t{number}", provider="sim", placement=chosen))
        end = AttemptEnd.NOT_LAUNCHED
        return self.tell(AttemptEnded(attempt=number, end=end, refusal=refusal))

    def finished(self, outcome: Outcome = Outcome.FINISHED) -> Story:
        """End the run."""
        return self.tell(Ended(outcome=outcome))


def placement(offer: Offer | None = None, **fields: Any) -> Placement:
    """A placement on a spot offer at $4 an hour, billed by the second."""
    plain: dict[str, Any] = {
        "offer": offer or spot(4.0),
        "nodes": 1,
        "billing": BillingRule(),
        "checkpoint_every_seconds": 600.0,
        "expected_total_usd": 100.0,
    }
    return Placement(**{**plain, **fields})


def moment(**passed: float) -> datetime:
    """A moment after the story's beginning."""
    return NOW + timedelta(**passed)
