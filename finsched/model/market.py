"""What can be bought: accelerators, instance types, pools, offers and the market of one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from finsched.model.evidence import Evidence
from finsched.model.experience import Pace, Starts
from finsched.model.interruption import HazardPrior, Observation

ANY_REGION = "*"
_GPU_VENDOR_PREFIXES = ("nvidia", "tesla", "geforce", "amd", "google", "aws")
_IGNORED_IN_GPU_NAMES = str.maketrans("", "", " -_.()")


class CapacityType(StrEnum):
    """How a machine is bought."""

    SPOT = "spot"
    ON_DEMAND = "on_demand"


class Tier(StrEnum):
    """What a provider sells beside its standard machines; each is shown as what it is."""

    STANDARD = "standard"
    COMMUNITY = "community"  # hosts of private people
    MARKETPLACE = "marketplace"  # the lowest live ask, may be gone
    FLEX_START = "flex_start"  # queued, starts when there is capacity
    CALENDAR = "calendar"  # reserved ahead for a date
    PROTOTYPING = "prototyping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A GPU model; `name` is the canonical one (A100 is the 40 GiB card)."""

    name: str
    vendor: str
    memory_gib: float | None
    tdp_watts: float | None = None
    dense_fp16_tflops: float | None = None
    memory_bandwidth_gb_per_s: float | None = None
    interconnect: str = ""
    aliases: tuple[str, ...] = ()
    evidence: Evidence | None = None


def normalise_gpu_name(name: str) -> str:
    """Return what two spellings of a GPU share: no case, blanks, dashes or vendor in front."""
    text = name.lower().translate(_IGNORED_IN_GPU_NAMES)
    for prefix in _GPU_VENDOR_PREFIXES:
        if text.startswith(prefix) and text != prefix:
            text = text.removeprefix(prefix)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """A machine size of one provider; unknown host figures are None, never zero."""

    provider: str
    name: str
    gpu: str | None
    gpu_count: int
    gpu_memory_gib: float | None = None
    vcpus: float | None = None
    memory_gib: float | None = None

    @property
    def engine(self) -> str:
        """What does the work and so sets the pace: the GPU, or the machine where it has none."""
        return self.gpu or self.name


class Pool(NamedTuple):
    """Provider, region, zone and instance type: what is interrupted together."""

    provider: str
    region: str
    zone: str
    instance_type: str

    def __str__(self) -> str:
        """`provider/zone-or-region/instance_type`, as people write it."""
        return f"{self.provider}/{self.zone or self.region}/{self.instance_type}"


# A named tuple: a decision makes thousands.
class Offer(NamedTuple):
    """A pool at a capacity type with a price and a time: something we could buy.

    `price_usd_per_hour` is for one whole instance. `region` is "*" where the provider has one
    price everywhere; `zone` is "" where it does not say.
    """

    instance_type: InstanceType
    region: str
    zone: str
    capacity_type: CapacityType
    tier: Tier
    price_usd_per_hour: float
    evidence: Evidence

    @property
    def provider(self) -> str:
        """The provider's name, as in `where.clouds`."""
        return self.instance_type.provider

    @property
    def pool(self) -> Pool:
        """The pool this offer draws from."""
        return Pool(self.instance_type.provider, self.region, self.zone, self.instance_type.name)


class Location(NamedTuple):
    """A provider's region; provider "internet" stands for anywhere else."""

    provider: str
    region: str

    def __str__(self) -> str:
        """`provider/region`."""
        return f"{self.provider}/{self.region}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressTier:
    """From `start_gb` moved in a month, each further GB costs `usd_per_gb` (marginal)."""

    start_gb: float
    usd_per_gb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPath:
    """Price and speed of moving bytes from one location to another."""

    source: Location
    destination: Location
    tiers: tuple[EgressTier, ...]  # ascending; empty means the price is unknown
    gbit_per_second: float
    price_evidence: Evidence
    speed_evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRule:
    """How a provider turns running time into billed time."""

    minimum_seconds: int = 60
    granularity_seconds: int = 1
    first_hour_free_when_interrupted: bool = False
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageRate:
    """Object storage of a provider, per decimal GB and month of 730 hours."""

    usd_per_gb_month: float
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTerms:
    """What holds for every machine of a provider; None where the source does not say."""

    provider: str
    billing: BillingRule = field(default_factory=BillingRule)
    storage: StorageRate | None = None
    notice: timedelta | None = None  # warning before an interruption
    boot: timedelta = timedelta(minutes=3)
    boot_evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Geography:
    """Where a region lies: a continent code such as `us`, `eu`, `ap`, and a country if known.

    `area` is geography: London and Zurich lie in the area `eu`; `in_eu` is membership of the
    European Union.
    """

    area: str
    country: str = ""  # ISO 3166-1 alpha-2, lower case
    in_eu: bool = False


class CoolDown(NamedTuple):
    """Machines that are not asked for until a moment: those of a pool, as they were bought.

    With a `gpu` it is every machine of the region that has that GPU.
    """

    pool: Pool
    capacity_type: CapacityType
    until: datetime
    gpu: str = ""

    def covers(self, offer: Offer) -> bool:
        """Whether an offer is among those machines."""
        if offer.capacity_type is not self.capacity_type:
            return False
        if not self.gpu:
            return offer.pool == self.pool
        here = (offer.provider, offer.region, offer.instance_type.gpu)
        return here == (self.pool.provider, self.pool.region, self.gpu)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What our own ended runs teach about one job on this market.

    `cooling` is what just took or refused a machine of another run. `starts` is by provider and
    instance type; `paces` by what does the work, a GPU or else the machine itself, and how many.
    """

    observations: Mapping[Pool, tuple[Observation, ...]] = field(default_factory=dict)
    starts: Mapping[tuple[str, str], Starts] = field(default_factory=dict)
    paces: Mapping[tuple[str, int], Pace] = field(default_factory=dict)
    cooling: tuple[CoolDown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """All offers, hazards and transfer prices known at one moment: an immutable snapshot.

    `launchable` names the providers that can be launched on from here; `launch_regions` says where,
    for those that may not be launched on everywhere.
    """

    as_of: datetime
    offers: tuple[Offer, ...]
    accelerators: Mapping[str, Accelerator]
    hazards: Mapping[Pool, HazardPrior]
    paths: Mapping[tuple[Location, Location], TransferPath]
    terms: Mapping[str, ProviderTerms]
    geography: Mapping[Location, Geography]
    launchable: frozenset[str] = frozenset()
    launch_regions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    experience: Experience = field(default_factory=Experience)

    def can_launch(self, offer: Offer) -> bool:
        """Whether an offer could be started from here."""
        regions = self.launch_regions.get(offer.provider)
        reached = regions is None or offer.region in regions
        return reached and offer.provider in self.launchable
