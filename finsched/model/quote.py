"""What a job would cost on an offer, in named parts, and why an offer is out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from finsched.model.evidence import Evidence
from finsched.model.interruption import Hazard
from finsched.model.market import Location, Offer


class Basis(StrEnum):
    """What the amounts of a quote are for."""

    RUN = "run"  # the whole finished run
    HOUR = "hour"  # one hour, because the job does not say how much work it is


class RejectionCode(StrEnum):
    """Why an offer cannot run the job, or may not."""

    CLOUD = "cloud"  # not among where.clouds
    NOT_LAUNCHABLE = "not_launchable"
    GPU = "gpu"  # another GPU
    GPU_COUNT = "gpu_count"
    GPU_MEMORY = "gpu_memory"
    MEMORY = "memory"
    VCPUS = "vcpus"
    REGION = "region"
    RESIDENCY = "residency"
    CAPACITY_TYPE = "capacity_type"
    TIER = "tier"  # queued or reserved-ahead capacity, not startable now
    NO_CHECKPOINT = "no_checkpoint"  # spot, long job, nothing saved
    NEVER_FINISHES = "never_finishes"
    DEADLINE = "deadline"
    MAX_HOURLY = "max_hourly"
    MAX_COST = "max_cost"
    SCAVENGE_BELOW = "scavenge_below"  # too dear at present: the job waits for less
    SPOT_ABOVE_ON_DEMAND = "spot_above_on_demand"
    SPEED_UNKNOWN = "speed_unknown"  # no way to say how long the work takes there


THRESHOLDS = frozenset(
    {RejectionCode.MAX_HOURLY, RejectionCode.MAX_COST, RejectionCode.SCAVENGE_BELOW}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Expected USD in named parts; GPU time idle while staging is in `startup_usd`."""

    compute_usd: float = 0.0
    rework_usd: float = 0.0
    checkpoint_usd: float = 0.0
    startup_usd: float = 0.0
    transfer_usd: float = 0.0
    storage_usd: float = 0.0

    @property
    def total_usd(self) -> float:
        """The sum of the parts."""
        return (
            self.compute_usd
            + self.rework_usd
            + self.checkpoint_usd
            + self.startup_usd
            + self.transfer_usd
            + self.storage_usd
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Expected wall-clock hours in named parts."""

    work: float = 0.0
    checkpoint: float = 0.0
    rework: float = 0.0
    restart: float = 0.0
    staging: float = 0.0

    @property
    def expected(self) -> float:
        """The sum of the parts."""
        return self.work + self.checkpoint + self.rework + self.restart + self.staging


class Movement(StrEnum):
    """How data gets to the job."""

    STAY = "stay"  # compute where the data is
    STREAM = "stream"  # read it from afar, every time
    COPY_ONCE = "copy_once"  # copy it first, then read locally


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPlan:
    """How one dataset reaches (or leaves) the job, with what the alternative would cost.

    `break_even_reads` is the number of reads from which one copy is cheaper than streaming.
    """

    uri: str
    source: Location
    destination: Location
    movement: Movement
    size_gb: float
    usd: float
    alternative_usd: float | None
    hours: float
    break_even_reads: int | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Expected cost and time of this job on this offer, in named parts.

    Amounts are for `basis`; `speedup` is this offer's GPU against the job's reference,
    `restart_hours` what an interruption costs in time beside the work that is lost, and
    `least_billed_hours` what a start is billed however soon it ends.
    """

    offer: Offer
    nodes: int
    basis: Basis
    cost: Cost
    hours: Hours
    hazard: Hazard
    expected_interruptions: float
    deadline_probability: float
    checkpoint_every_seconds: float | None
    speedup: float
    restart_hours: float = 0.0
    least_billed_hours: float = 0.0
    transfers: tuple[TransferPlan, ...]
    evidence: tuple[Evidence, ...]
    marks: tuple[str, ...] = ()  # cautions for people: "host memory unknown", "derived price"

    @property
    def total_usd(self) -> float:
        """The number that offers are ranked by."""
        return self.cost.total_usd

    @property
    def price_usd_per_hour(self) -> float:
        """The hourly price of all nodes together."""
        return self.offer.price_usd_per_hour * self.nodes


# A named tuple: a decision makes thousands.
class Rejection(NamedTuple):
    """An offer that is not feasible, with the reason; `price` thresholds keep their quote."""

    offer: Offer
    code: RejectionCode
    reason: str
    quote: Quote | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The quotes in order, cheapest first, and everything that is out, with its reason."""

    job: str
    basis: Basis
    as_of: datetime
    quotes: tuple[Quote, ...]
    rejections: tuple[Rejection, ...]
    best_on_demand: Quote | None
    best_of_one_cloud: Quote | None  # cheapest when everything must stay on one data-holding cloud
    notes: tuple[str, ...] = ()
    launchable: frozenset[str] = frozenset()  # providers that could be started from here now

    @property
    def best(self) -> Quote | None:
        """The cheapest feasible quote."""
        return self.quotes[0] if self.quotes else None
