"""What the user asks for, as written in job.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from finsched.model.market import Location

When = timedelta | datetime  # a duration counts from submission


class CapacityPreference(StrEnum):
    """Which capacity types a job accepts."""

    AUTO = "auto"
    SPOT = "spot"
    ON_DEMAND = "on_demand"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRequest:
    """One alternative of `resources.gpu`: exactly `count` GPUs per node, by name or by memory.

    `name` is canonical (aliases are resolved by the parser); with `name` None any GPU of at
    least `memory_gib` fits.
    """

    count: int
    name: str | None = None
    memory_gib: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Hard needs of each node; an empty `gpus` means that no GPU is asked for."""

    gpus: tuple[GpuRequest, ...] = ()
    memory_gib: float | None = None
    vcpus: float | None = None
    disk_gb: float | None = None
    nodes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where the job may run; empty `clouds` means every provider."""

    clouds: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()  # patterns; a leading "!" excludes
    residency: tuple[str, ...] = ()  # areas such as "eu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Useful work: `hours` of wall-clock on the requested number of `reference` GPUs.

    `speedup` maps a GPU to its measured speed against the reference (2.0 is twice as fast).
    """

    hours: float
    reference: str | None = None
    speedup: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Data the job reads or writes, at a location (None: unknown, priced as the internet).

    `copies` are places that an earlier attempt of the run has copied it to.
    """

    uri: str
    location: Location | None
    size_gb: float
    reads: int = 1
    copies: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSpec:
    """How the job saves itself; `every` None lets finsched choose the cadence.

    The newest `keep` checkpoints are kept.
    """

    path: str = "ckpt"
    uri: str | None = None
    location: Location | None = None
    size_gb: float = 0.0
    save_time: timedelta = timedelta(seconds=30)
    every: timedelta | None = None
    signal: str = "SIGTERM"
    keep: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Hard limits in USD; None means no limit."""

    max_cost_usd: float | None = None
    max_hourly_usd: float | None = None
    max_interruptions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWindow:
    """When the first attempt of a job may start; durations count from submission."""

    after: When | None = None
    before: When | None = None


def as_moment(when: When, since: datetime) -> datetime:
    """Return a time of a job as a moment; durations count from `since`."""
    return since + when if isinstance(when, timedelta) else when


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What the user asks for, as written in job.yaml."""

    name: str
    run: str
    requirements: Requirements
    setup: str = ""
    workdir: str | None = None
    where: Where = field(default_factory=Where)
    capacity: CapacityPreference = CapacityPreference.AUTO
    work: Work | None = None
    deadline: When | None = None
    start: StartWindow | None = None
    scavenge_below_usd_per_hour: float | None = None  # for all nodes together
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()
    checkpoint: CheckpointSpec | None = None
    budget: Budget = field(default_factory=Budget)
    tags: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
