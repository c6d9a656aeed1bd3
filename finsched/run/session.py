"""Everything a supervisor needs, put together from the settings: doors to clouds, store, time."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from types import FrameType
from typing import Any

from finsched import plugins, quoting
from finsched.decide.cooldown import cooling
from finsched.decide.rank import decide
from finsched.decide.remaining import remaining
from finsched.errors import StoreProblem
from finsched.ledger import Ledger
from finsched.model.event import ClockAnchored
from finsched.model.market import Market
from finsched.model.quote import Decision, Quote
from finsched.model.run import Placement, Run
from finsched.node.store import Store, StoreError
from finsched.provider import Provider
from finsched.run.clock import AnchoredClock, Clock, anchored, wall_clock
from finsched.run.home import installation, supervision
from finsched.run.journal import Journal, Listener
from finsched.run.launching import LaunchTerms
from finsched.run.placing import placement
from finsched.run.supervisor import Supervisor, Surroundings
from finsched.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One process that supervises runs: its settings, its ledger, its secrets, its listener."""

    settings: Settings
    ledger: Ledger
    secrets: Mapping[str, str]
    listener: Listener | None = None

    def supervise(self, run_id: str) -> Run:
        """Carry a run to its end; Ctrl-C and SIGTERM stop it cleanly.

        Raises `Supervised` when another process does so already.
        """
        with supervision(self.settings.state_dir, run_id):
            journal = Journal(self.ledger, run_id, self.listener)
            clock = self._clock(journal)
            supervisor = Supervisor(journal, self._surroundings(journal.run, clock))
            with _signals_to(supervisor.interrupt):
                return supervisor.supervise()

    def _clock(self, journal: Journal) -> Clock:
        """The run's clock; a rehearsal that had paused goes on at the moment it stood still."""
        run = journal.run
        if run.rehearsal is None or run.anchor is None:
            return wall_clock()
        if run.live_attempt:
            return AnchoredClock(run.anchor)
        last = self.ledger.records(run.id)[-1]
        clock = anchored(last.at, run.rehearsal.speed)
        journal.record(ClockAnchored(anchor=clock.anchor), last.at)
        return clock

    def _surroundings(self, run: Run, clock: Clock) -> Surroundings:
        market = quoting.read_market(run.job, self.settings, now=clock.now())
        return Surroundings(
            provider_for=cache(self._provider),
            store=_store(run.store_uri),
            clock=clock,
            terms=LaunchTerms(
                installation=installation(self.settings.state_dir),
                lease=self.settings.lease,
                secrets=self.secrets,
            ),
            decide=_decider(market),
            place=_placer(market),
        )

    def _provider(self, name: str) -> Provider:
        return plugins.load(name, self.settings)


def _decider(market: Market) -> Callable[[Run, datetime], Decision]:
    """Quote what remains, first without the pools that cool down, then with them."""

    def decide_rest(run: Run, now: datetime) -> Decision:
        rest = remaining(run)
        rested = decide(rest, _usable(run, market), now=now, excluded=cooling(run, now))
        return rested if rested.quotes else decide(rest, _usable(run, market), now=now)

    return decide_rest


def _usable(run: Run, market: Market) -> Market:
    if run.rehearsal:
        return market
    offers = tuple(offer for offer in market.offers if offer.provider in market.launchable)
    return replace(market, offers=offers)


def _placer(market: Market) -> Callable[[Run, Quote, str], Placement]:
    def place(run: Run, quote: Quote, why: str) -> Placement:
        return placement(run.job, quote, market, why)

    return place


def _store(uri: str) -> Store:
    try:
        return Store(uri)
    except StoreError as error:
        raise StoreProblem(str(error), fix="check the store's URI and its credentials") from error


@contextmanager
def _signals_to(handle: Callable[[], None]) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a request while a run is supervised."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        handle()

    before: dict[int, Any] = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
