"""After a crash: what became of the intents that were written and never confirmed."""

from __future__ import annotations

from finsched.model.event import AttemptEnded
from finsched.model.run import Attempt, AttemptEnd, AttemptState
from finsched.provider import Provider
from finsched.run.clock import Clock
from finsched.run.journal import Journal
from finsched.run.launching import confirm


def reconcile(journal: Journal, attempt: Attempt, provider: Provider, clock: Clock) -> None:
    """Settle an open intent: adopt the machine that it made, or end the attempt."""
    if attempt.state is not AttemptState.INTENDED:
        return
    found = provider.compute.find(attempt.token) if provider.compute else ()
    if found:
        confirm(journal, attempt.number, found, clock)
        return
    detail = "the launcher died before the create call"
    end = AttemptEnded(attempt=attempt.number, end=AttemptEnd.NOT_LAUNCHED, detail=detail)
    journal.record(end, clock.now())
