"""What was left behind at the providers: found, and explained from the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

from finsched import plugins
from finsched.catalog.idle import idle_usd_per_month
from finsched.decide.leftovers.orphans import Fate, Ruling, Situation, rule, rule_without_run
from finsched.decide.pricing.transfer import HOURS_PER_MONTH
from finsched.errors import FinschedError, LedgerProblem, NotConfigured, SpecError
from finsched.ledger import Ledger
from finsched.model.run import Attempt, Run
from finsched.node.mail.orders import lease_until
from finsched.node.store import Store, StoreError
from finsched.provider import OwnedResource, Provider
from finsched.run.clock import AnchoredClock, Clock, wall_clock
from finsched.run.home import installation, is_supervised
from finsched.settings import Settings

INSTANCE = "instance"
_BOOT = timedelta(minutes=5)  # a machine's first lease begins when it has booted


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """Something of ours at a provider, what becomes of it, and what it costs where known."""

    resource: OwnedResource
    ruling: Ruling
    usd_per_month: float | None = None
    deleted: bool = False
    problem: str = ""

    @property
    def is_orphan(self) -> bool:
        """Whether it is left over and may be deleted."""
        return self.ruling.fate is Fate.ORPHAN


class Unasked(NamedTuple):
    """A provider that did not say, or not wholly, what it holds of ours."""

    provider: str
    problem: FinschedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All that was found, and who could not be asked."""

    finds: tuple[Find, ...]
    unasked: tuple[Unasked, ...] = ()
    not_set_up: tuple[str, ...] = ()  # and never launched on from here


@dataclass(kw_only=True)
class Sweep:
    """Looks at what carries our installation's tag, and changes nothing.

    `only_runs` narrows it to runs that a person named, which count as given up.
    """

    settings: Settings
    ledger: Ledger
    only_runs: frozenset[str] = frozenset()
    open_store: Callable[[str], Store] = Store
    provider: Callable[[str], Provider] = field(init=False)

    def __post_init__(self) -> None:
        self.provider = cache(lambda name: plugins.load(name, self.settings))

    @property
    def state_dir(self) -> Path:
        """Where the runs have their locks."""
        return self.settings.state_dir

    def survey(self, providers: Sequence[str] = ()) -> Survey:
        """Ask every provider, or those named, and say of each thing what becomes of it.

        The ledger is read after the providers: what they list was written down before it was made.
        """
        owned: list[OwnedResource] = []
        unasked, not_set_up = [], []
        for name in providers or self._names():
            try:
                owned.extend(self._owned_at(name))  # keeps what came before a failure
            except FinschedError as problem:
                if providers or self._matters(name, problem):
                    unasked.append(Unasked(name, problem))
                else:
                    not_set_up.append(name)
        finds = [find for run, group in by_run(owned) for find in self.judge(run, group)]
        return Survey(finds=tuple(finds), unasked=tuple(unasked), not_set_up=tuple(not_set_up))

    def judge(
        self, run_id: str | None, owned: Sequence[OwnedResource], *, locked: bool = False
    ) -> list[Find]:
        """Say what becomes of things of one run; with `locked` the caller holds the run's lock."""
        try:
            run = self.ledger.run(run_id) if run_id else None
        except SpecError:
            run = None
        except LedgerProblem as problem:
            kept = Ruling(fate=Fate.KEPT, why=problem.message)
            return [Find(resource=each, ruling=kept) for each in owned]
        if run is None:
            return [_of_nobody(each, run_id) for each in owned]
        supervised = not locked and is_supervised(self.state_dir, run.id)
        situation = cache(lambda number: self._situation(run, number, supervised=supervised))
        return [
            Find(
                resource=each,
                ruling=_ruling(run, each.attempt, situation),
                usd_per_month=_usd_per_month(each, run),
            )
            for each in owned
        ]

    def is_over(self, run: Run, attempt: Attempt) -> bool:
        """Whether the ledger says that a live attempt is over; the caller holds the run's lock."""
        situation = self._situation(run, attempt.number, supervised=False)
        return rule(run, attempt.number, situation).fate is Fate.ORPHAN

    def _names(self) -> list[str]:
        return sorted({*plugins.names(), *self.ledger.providers()})

    def _owned_at(self, name: str) -> Iterator[OwnedResource]:
        inventory = self.provider(name).inventory
        for resource in inventory.owned(installation(self.state_dir)) if inventory else ():
            if not self.only_runs or resource.run in self.only_runs:
                yield resource

    def _matters(self, name: str, problem: FinschedError) -> bool:
        """A cloud that is not set up here holds nothing of ours, unless we launched there."""
        return not isinstance(problem, NotConfigured) or name in self.ledger.providers()

    def _situation(self, run: Run, number: int | None, *, supervised: bool) -> Situation:
        clock = clock_of(run)
        given_up = run.id in self.only_runs
        watched = supervised or given_up
        live = [each for each in run.live_attempts if each.number == number and not watched]
        return Situation(
            now=clock.now(),
            supervised=supervised,
            lease_until=self._lease_until(run, live[0], clock) if live else None,
            given_up=given_up,
        )

    def _lease_until(self, run: Run, attempt: Attempt, clock: Clock) -> datetime:
        """Until when a machine may run by itself: from its launch on, or as its orders say.

        Raises StoreError where nobody can tell.
        """
        first = clock.real(attempt.intended_at) + _BOOT + self.settings.lease
        renewed = None
        with suppress(ValueError, KeyError):  # an order that cannot be read renews none
            renewed = lease_until(self.open_store(run.store_uri), attempt.number)
        return clock.at(max(first, renewed or first))


def _ruling(run: Run, number: int | None, situation: Callable[[int | None], Situation]) -> Ruling:
    try:
        return rule(run, number, situation(number))
    except StoreError as error:
        return Ruling(fate=Fate.KEPT, why=f"nobody can tell how long its lease lasts: {error}")


def clock_of(run: Run) -> Clock:
    """Return the clock that a run's events are written in."""
    return AnchoredClock(run.anchor) if run.anchor else wall_clock()


def by_run(owned: Iterable[OwnedResource]) -> list[tuple[str | None, list[OwnedResource]]]:
    """Group by run; the order in a group stays, because things are deleted in it."""
    groups: dict[str | None, list[OwnedResource]] = {}
    for resource in owned:
        groups.setdefault(resource.run, []).append(resource)
    return list(groups.items())


def _of_nobody(resource: OwnedResource, run_id: str | None) -> Find:
    ruling = rule_without_run(run_id, shared=resource.shared)
    return Find(resource=resource, ruling=ruling, usd_per_month=_of_its_own(resource))


def _usd_per_month(resource: OwnedResource, run: Run) -> float | None:
    """What it costs of its own, or for a machine the price at which it was launched."""
    if resource.kind != INSTANCE or run.rehearsal:
        return _of_its_own(resource)
    for attempt in run.attempts:
        if attempt.number == resource.attempt:
            return attempt.placement.offer.price_usd_per_hour * HOURS_PER_MONTH
    return None


def _of_its_own(resource: OwnedResource) -> float | None:
    """What the provider says, or else the price of its kind in the catalog."""
    if resource.usd_per_month is not None or not resource.billed_as:
        return resource.usd_per_month
    usd = idle_usd_per_month().get((resource.provider, resource.billed_as))
    return None if usd is None else usd * resource.billed_units
