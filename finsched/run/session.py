"""Everything a supervisor needs, put together from the settings: doors to clouds, store, time."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from types import FrameType
from typing import Any

from finsched import plugins, quoting
from finsched.errors import SpecError, StoreProblem
from finsched.ledger import Ledger
from finsched.model.event import ClockAnchored, Resumed, StopRequested
from finsched.model.market import Market
from finsched.model.run import Outcome, Run
from finsched.node.clock import utc_now
from finsched.node.store import Store, StoreError
from finsched.observe.notifier import notified
from finsched.provider import Provider
from finsched.run.clock import AnchoredClock, Clock, anchored, wall_clock
from finsched.run.home import Supervised, installation, supervision
from finsched.run.journal import Journal, Listener, Observer
from finsched.run.launching import LaunchTerms
from finsched.run.outlook import Outlook
from finsched.run.patience import Patience, not_ended, store_waited_for, unconfirmed, waited_for
from finsched.run.present import present_moment
from finsched.run.reserving import reserve
from finsched.run.supervisor import Supervisor, Surroundings
from finsched.settings import Settings

_LOOK_AGAIN_SECONDS = 0.3
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One process that supervises runs: its settings, its ledger, its secrets, its listener.

    A process with many runs shares the doors to the clouds, what is known of the market, and the
    `observer` that tells people of them.
    """

    settings: Settings
    ledger: Ledger
    secrets: Mapping[str, str]
    listener: Listener | None = None
    door: Callable[[str], Provider] | None = None
    market: Callable[[Run, datetime], Market] | None = None
    observer: Observer | None = None
    patience: Callable[[], Patience] = Patience

    def supervise(self, run_id: str, patience: Patience | None = None) -> Run:
        """Carry a run to its end; Ctrl-C, SIGTERM and SIGHUP stop it cleanly.

        Raises `Supervised` when another process does so already, and `NoAnswer` where it is to stop
        and clouds do not answer: it stays as stopping then.
        """
        patience = patience or self.patience()
        with (
            supervision(self.settings.state_dir, run_id),
            notified(self.settings, self.ledger) as notifier,
        ):
            journal = Journal(self.ledger, run_id, self.listener, notifier)
            supervisor = Supervisor(journal, _with_patience(self.surroundings(journal), patience))
            with _signals_to(supervisor.interrupt):
                return supervisor.supervise()

    def resume(self, run_id: str, *, max_cost_usd: float | None, deadline: timedelta | None) -> Run:
        """Write down that a person wants the run to go on, and carry it to its end."""
        self.reopen(run_id, max_cost_usd=max_cost_usd, deadline=deadline)
        return self.supervise(run_id)

    def reopen(
        self, run_id: str, *, max_cost_usd: float | None, deadline: timedelta | None
    ) -> None:
        """Write down that a person wants the run to go on; nobody else may be supervising it."""
        with supervision(self.settings.state_dir, run_id):
            run = self.ledger.run(run_id)
            now = present_moment(run)
            if run.outcome is Outcome.FINISHED:
                raise SpecError(f"run {run_id} has finished", fix="launch the job again")
            if run.store_discarded_at:
                kept = f"the store of run {run_id} was deleted, and its checkpoints with it"
                raise SpecError(kept, fix="launch the job again")
            until = now + deadline if deadline else None
            resumed = Resumed(max_cost_usd=max_cost_usd, deadline=until)
            with self.ledger.transaction():  # or somebody else frees what was set aside
                self._reserve(run, max_cost_usd)
                self.ledger.append(run_id, resumed, now)

    def _reserve(self, run: Run, max_cost_usd: float | None) -> None:
        """Set aside what the run may cost from here on."""
        if run.rehearsal is None:
            job = quoting.overridden(run.job, max_cost_usd=max_cost_usd)
            reserve(self.ledger, run.id, job, self.settings.budgets, utc_now())

    def stop(self, run_id: str) -> Run:
        """Ask the run to end; carry it there, or wait for the supervisor that does.

        Raises `NoAnswer` as `supervise` does.
        """
        run = self.ledger.run(run_id)
        if run.outcome is None:
            request = StopRequested(reason="stopped by a person")
            self.ledger.append(run_id, request, present_moment(run))
        patience = self.patience()
        patience.dwindles()
        while (run := self.ledger.run(run_id)).outcome is None:
            try:
                return self.supervise(run_id, patience)
            except Supervised:
                if patience.is_over:
                    _leave_unconfirmed(run)
                time.sleep(_LOOK_AGAIN_SECONDS)
        return run

    def surroundings(self, journal: Journal) -> Surroundings:
        """Return what the supervisor of a run acts on."""
        run, clock = journal.run, self._clock(journal)
        outlook = Outlook(run, self.market or self._market, clock)
        return Surroundings(
            provider_for=self.door or cache(self._provider),
            store=_store(run.store_uri),
            clock=clock,
            terms=LaunchTerms(
                installation=installation(self.settings.state_dir),
                lease=self.settings.lease,
                secrets=self.secrets,
            ),
            look_ahead=outlook.ahead,
            place=outlook.place,
        )

    def _clock(self, journal: Journal) -> Clock:
        """The run's clock; a rehearsal that had paused goes on at the moment it stood still."""
        run = journal.run
        if run.rehearsal is None or run.anchor is None:
            return wall_clock()
        if run.live_attempts:
            return AnchoredClock(run.anchor)
        last = self.ledger.records(run.id)[-1]
        clock = anchored(last.at, run.rehearsal.speed)
        journal.record(ClockAnchored(anchor=clock.anchor), last.at)
        return clock

    def _market(self, run: Run, now: datetime) -> Market:
        return quoting.read_market(run.job, self.settings, now=now)

    def _provider(self, name: str) -> Provider:
        return plugins.load(name, self.settings)


def _store(uri: str) -> Store:
    try:
        return Store(uri)
    except StoreError as error:
        raise StoreProblem(str(error), fix="check the store's URI and its credentials") from error


def _with_patience(around: Surroundings, patience: Patience) -> Surroundings:
    """A person who stops the run is not held up by a cloud that does not answer."""

    @cache
    def provider_for(name: str) -> Provider:
        return waited_for(around.provider_for(name), patience)

    store = store_waited_for(around.store, patience)
    return replace(around, provider_for=provider_for, store=store, patience=patience)


def _leave_unconfirmed(run: Run) -> None:
    """Who carries the run waits for its cloud; a person need not. Raises `NoAnswer`."""
    if run.live_attempts and all(attempt.unconfirmed for attempt in run.live_attempts):
        raise not_ended(run.id, [unconfirmed(attempt) for attempt in run.live_attempts])


@contextmanager
def _signals_to(handle: Callable[[], None]) -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and a closed terminal into a request while a run is supervised."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        handle()

    before: dict[int, Any] = {number: signal.signal(number, on_signal) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
