"""Writes down the end of attempts whose machines have ended while nobody watched.

A sweep that is killed may have ended a machine and not said so. Its provider no longer lists the
machine as something to delete, but tells for a while how it ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from finsched.errors import LedgerProblem, ProviderProblem, SpecError, StoreProblem
from finsched.model.run import Attempt, Run
from finsched.node.store import StoreError
from finsched.run.correspondence import Correspondence
from finsched.run.home import Supervised, supervision
from finsched.run.journal import Journal
from finsched.run.reconcile import reconcile
from finsched.run.sweep import Sweep, clock_of
from finsched.run.watching import watch

_STAYS_OPEN = (LedgerProblem, ProviderProblem, SpecError, StoreError, StoreProblem, OSError)


def settle(sweep: Sweep, providers: Collection[str] = ()) -> None:
    """Close what is over and ended, of all providers or those named; what cannot be asked stays."""
    for run_id in sweep.only_runs or sweep.ledger.run_ids():
        with suppress(Supervised, *_STAYS_OPEN):
            if not sweep.ledger.run(run_id).live_attempts:
                continue
            with supervision(sweep.state_dir, run_id):
                _settle_run(sweep, Journal(sweep.ledger, run_id), providers)


def _settle_run(sweep: Sweep, journal: Journal, providers: Collection[str]) -> None:
    for attempt in _over(sweep, journal.run, providers):
        provider, clock = sweep.provider(attempt.provider), clock_of(journal.run)
        reconcile(journal, attempt, provider, clock)
        post = Correspondence(sweep.open_store(journal.run.store_uri), attempt.number)
        for confirmed in journal.run.live_attempts:
            if confirmed.number == attempt.number and confirmed.instance_ids:
                watch(journal, confirmed, provider, post, clock)


def _over(sweep: Sweep, run: Run, providers: Collection[str]) -> Iterator[Attempt]:
    for attempt in run.live_attempts:
        if (not providers or attempt.provider in providers) and sweep.is_over(run, attempt):
            yield attempt
