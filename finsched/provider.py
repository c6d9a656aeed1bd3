"""The port: what a provider package hands over.

A provider is a record of small parts, not a base class. A part it lacks is None and shown as
missing. `provider(settings) -> Provider` is the entry point; it raises `NotConfigured` with the
name of the setting or credential that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from finsched.model.interruption import HazardPrior, Notice
from finsched.model.job import JobSpec
from finsched.model.market import (
    Accelerator,
    CapacityType,
    InstanceType,
    Offer,
    Pool,
    ProviderTerms,
)


class InstanceState(StrEnum):
    """What a provider says of an instance; absence from an answer means UNKNOWN, never gone."""

    PENDING = "pending"
    RUNNING = "running"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    UNKNOWN = "unknown"


class EndReason(StrEnum):
    """Why an instance ended, as far as its provider can tell."""

    INTERRUPTED = "interrupted"  # the provider took it back
    TERMINATED_BY_US = "terminated_by_us"
    ENDED_ITSELF = "ended_itself"  # the node agent switched it off
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A machine that was created for an attempt."""

    id: str
    pool: Pool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """One answer about one instance; billing runs from `billing_from` to `ended_at`."""

    id: str
    state: InstanceState
    billing_from: datetime | None = None
    ended_at: datetime | None = None
    reason: EndReason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """All that a provider needs to start one attempt.

    `token` is deterministic per attempt: the same token never makes a second machine.
    `node_config` is the node agent's document (finsched/node/config.py): plain JSON, no secret.
    `secrets` exist in memory only and reach the job's environment by the provider's safest way.
    `hints` are for one provider alone, such as the rehearsal's interruptions for `local`.
    `disk_gb` is what the job asks for on each node, None where it does not say.
    """

    token: str
    installation: str
    run: str
    attempt: int
    offer: Offer
    nodes: int
    node_config: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    tags: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    disk_gb: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedResource:
    """Something at the provider that carries our installation's tag.

    `shared` means that all runs use it and none owns it. `billed_as` is the item of the catalog
    `idle.csv` that it is billed as, so many units of it; empty where it costs nothing known.
    """

    provider: str
    kind: str
    id: str
    run: str | None
    created_at: datetime | None
    usd_per_month: float | None = None
    billed_as: str = ""
    billed_units: float = 1.0
    installation: str = ""
    attempt: int | None = None
    shared: bool = False


class Prices(Protocol):
    """What can be bought there now."""

    def offers(self) -> Iterable[Offer]:
        """Yield every offer, each with its source and time."""
        ...

    def terms(self) -> ProviderTerms:
        """Return what holds for every machine of this provider."""
        ...

    def accelerators(self) -> Iterable[Accelerator]:
        """Yield accelerators that the bundled tables may not know."""
        ...


class PriceChange(NamedTuple):
    """A pool's price at a way of buying began to hold at a moment; per whole instance."""

    instance_type: InstanceType
    region: str
    zone: str
    capacity_type: CapacityType
    at: datetime
    price_usd_per_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceAnswer:
    """What one region said when it was asked for prices; what it did not say stays unknown.

    `offers` are all that it sells of the ways of buying that answered. `changes` are in the order
    of their time. `problems` say in words what could not be asked. `only_where_known` marks a price
    list that names no places of sale: an offer of it counts in the zones where the machine is known
    to be sold.
    """

    region: str
    offers: tuple[Offer, ...] = ()
    changes: tuple[PriceChange, ...] = ()
    problems: tuple[str, ...] = ()
    only_where_known: bool = False


class LivePrices(Protocol):
    """Prices asked of the provider's own API, region by region."""

    def regions(self) -> Sequence[str]:
        """Return the regions that can be asked. Raises a `ProviderProblem`."""
        ...

    def ask(
        self, regions: Sequence[str], known: Mapping[str, InstanceType], *, past: timedelta | None
    ) -> Iterable[PriceAnswer]:
        """Ask every region at once and yield each answer as it comes; a dead region has problems.

        `known` are the provider's machines by name, whose hardware need not be asked for. With
        `past` the answers also tell how prices changed for so long.
        """
        ...


class Interruptions(Protocol):
    """What the provider publishes about taking machines back."""

    def priors(self) -> Mapping[tuple[str, str], HazardPrior]:
        """Return a prior by region and instance type. Raises a `ProviderProblem`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What an account may run of a kind of machine, and what a launch needs of it, in `unit`s.

    `have` is the whole quota: what already runs is not taken off.
    """

    name: str
    code: str
    region: str
    unit: str
    have: float
    need: float

    @property
    def is_enough(self) -> bool:
        """Whether the launch fits into the whole quota."""
        return self.have >= self.need


class Capacity(Protocol):
    """What can be known before a launch; None is unknown, and nothing is ever made up."""

    def quota(self, offer: Offer, nodes: int) -> Quota | None:
        """Return the quota that so many machines of an offer count against."""
        ...

    def placement_score(self, offer: Offer, nodes: int) -> int | None:
        """Return how likely a spot request would succeed now, from 1 to 10, the best."""
        ...


class Compute(Protocol):
    """Machines: created once per token, watched, ended."""

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """Create all nodes or none; idempotent by `request.token`.

        Raises a `ProviderProblem` that says what to do next.
        """
        ...

    def find(self, token: str) -> Sequence[Instance]:
        """Return what a launch with this token created: how a lost answer is found again."""
        ...

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Return what is known; an id that is missing from the answer is unknown, not gone."""
        ...

    def terminate(self, instance_id: str) -> None:
        """Ask for the end of an instance and return at once; idempotent, unknown ids are fine."""
        ...


class Notices(Protocol):
    """Warnings that the provider gives outside of the machine."""

    def pending(self, ids: Sequence[str]) -> Mapping[str, Notice]:
        """Return the notices that are out for these instances."""
        ...


class Lender(Protocol):
    """What machines hold for a short time only, such as credentials for another cloud's store."""

    def renew(self, run: str, attempt: int, store_uri: str) -> None:
        """Keep it from running out; asked as often as a lease is renewed.

        Raises NotConfigured, StoreProblem.
        """
        ...


class Inventory(Protocol):
    """Everything of ours there, for the sweep."""

    def owned(self, installation: str) -> Iterable[OwnedResource]:
        """Yield only what carries this installation's tag, in an order in which it can be deleted.

        Raises a `ProviderProblem` at the end where a part of the provider could not be asked.
        """
        ...

    def delete(self, resource: OwnedResource) -> None:
        """Delete one resource that still carries its installation's tag; idempotent."""
        ...


class Verdict(StrEnum):
    """What a check found."""

    OK = "ok"
    PROBLEM = "problem"  # a launch would fail, or end badly
    UNKNOWN = "unknown"  # it could not be told, or matters only to some


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was checked: how it stands, and what to do now where it is not well."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""


class Checks(Protocol):
    """Whether a launch would work, found out before one is tried."""

    def run(self, job: JobSpec | None) -> Iterable[Finding]:
        """Yield one finding a check, changing nothing; with a job also what it alone needs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A cloud as finsched sees it: a name and the parts that it has."""

    name: str
    prices: Prices
    compute: Compute | None = None
    notices: Notices | None = None
    inventory: Inventory | None = None
    live_prices: LivePrices | None = None
    interruptions: Interruptions | None = None
    capacity: Capacity | None = None
    checks: Checks | None = None
    lender: Lender | None = None
    regions: frozenset[str] | None = None  # where it may launch; None is wherever it sells
    poll_interval: timedelta = timedelta(seconds=15)
