"""What became of intents that were written and never confirmed: after a crash, or no answer."""

from __future__ import annotations

from datetime import timedelta

from finsched.model.event import AttemptEnded
from finsched.model.run import Attempt, AttemptEnd, AttemptState
from finsched.provider import Provider
from finsched.run.clock import Clock
from finsched.run.journal import Journal
from finsched.run.launching import confirm

_PATIENCE_LOOKS = 4


def reconcile(journal: Journal, attempt: Attempt, provider: Provider, clock: Clock) -> None:
    """Settle an open intent: adopt the machine that it made, or end the attempt.

    An intent stays open as long as lists may be late. Raises the `ProviderProblem` of a look.
    """
    if attempt.state is not AttemptState.INTENDED:
        return
    found = provider.compute.find(attempt.token) if provider.compute else ()
    if found:
        confirm(journal, attempt.number, found, clock)
        return
    if clock.wall() - clock.real(attempt.intended_at) < _patience(provider):
        return
    detail = "no machine came of the create call"
    end = AttemptEnded(attempt=attempt.number, end=AttemptEnd.NOT_LAUNCHED, detail=detail)
    journal.record(end, clock.now())


def _patience(provider: Provider) -> timedelta:
    """How long after an intent a cloud's lists may not tell yet of the machine that it made.

    One that shows up later is fenced, has no lease, and is found by a sweep.
    """
    return _PATIENCE_LOOKS * provider.poll_interval
