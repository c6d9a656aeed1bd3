"""A run and its attempts, as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from finsched.model.job import JobSpec
from finsched.model.market import BillingRule, EgressTier, Offer


class AttemptState(StrEnum):
    """Where an attempt stands."""

    INTENDED = "intended"  # written down, the create call may or may not have happened
    LAUNCHED = "launched"  # the provider gave us instances
    RUNNING = "running"  # the node agent has reported
    ENDED = "ended"


class AttemptEnd(StrEnum):
    """How an attempt ended, and so what happens next."""

    FINISHED = "finished"  # the job is done
    INTERRUPTED = "interrupted"  # the provider took the machine back
    JOB_FAILED = "job_failed"  # the user's command failed
    LEASE_EXPIRED = "lease_expired"  # nobody renewed the node's lease
    LIMIT = "limit"  # budget or deadline
    STOPPED = "stopped"  # a person asked
    MOVED = "moved"  # the run went on elsewhere
    NOT_LAUNCHED = "not_launched"  # no capacity, no quota, or the intent came to nothing
    FENCED = "fenced"  # a newer attempt took over
    NODE_FAILED = "node_failed"  # the machine or the agent broke


class Refusal(StrEnum):
    """Why a provider made no machine: each is remembered for another place and time."""

    CAPACITY = "capacity"  # that pool has none
    QUOTA = "quota"  # the account may not have it in that region
    PRICE = "price"  # what was offered is too low by now
    OTHER = "other"  # no answer, too many requests, or the intent came to nothing


class Outcome(StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    JOB_FAILED = "job_failed"
    STOPPED = "stopped"
    BUDGET = "budget"
    DEADLINE = "deadline"
    NO_PLACEMENT = "no_placement"
    BROKEN = "broken"  # machines, their agents or the store failed again and again


class WarningCause(StrEnum):
    """What a warning is about, where that decides what is done about it."""

    OTHER = "other"
    STALE_CHECKPOINT = "stale_checkpoint"  # money burns and nothing is kept
    STALLED_JOB = "stalled_job"  # nothing moves: no progress, no GPU, hardly any processor
    NOTIFIER = "notifier"  # a person could not be told of something


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The chosen offer for an attempt, with the figures frozen when it was chosen."""

    offer: Offer
    nodes: int
    billing: BillingRule
    checkpoint_every_seconds: float | None
    expected_total_usd: float
    checkpoint_cadence: tuple[tuple[float, float], ...] = ()  # by age: (age, interval) in seconds
    speedup: float = 1.0
    copy_usd: float = 0.0  # inputs copied to the region's storage: paid once per region
    copied_uris: tuple[str, ...] = ()
    restage_usd: float = 0.0  # inputs copied to the machine: paid at every start
    stream_usd: float = 0.0  # inputs read from afar during all of the work that is left
    output_transfer_usd: float = 0.0
    restore_tiers: tuple[EgressTier, ...] = ()
    upload_tiers: tuple[EgressTier, ...] = ()
    storage_usd_per_gb_month: float = 0.0
    notice_seconds: float = 0.0
    why: str = ""

    @property
    def usd_per_hour(self) -> float:
        """Price of all nodes together."""
        return self.offer.price_usd_per_hour * self.nodes

    def checkpoint_every_at(self, age: timedelta) -> float | None:
        """Seconds between checkpoints on a machine of this age."""
        reached = [
            every for since, every in self.checkpoint_cadence if since <= age.total_seconds()
        ]
        return reached[-1] if reached else self.checkpoint_every_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Saved state with a committed manifest; nothing else counts."""

    sequence: int
    attempt: int
    at: datetime
    size_bytes: int
    progress: float | None = None
    upload_seconds: float = 0.0
    sent_bytes: int | None = None  # what the store did not hold yet; None where nobody told


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """A checkpoint that an attempt started from; `damaged` counts those it had to skip.

    `seconds` is how long it took to fetch and verify it.
    """

    sequence: int | None
    attempt: int
    at: datetime
    size_bytes: int
    damaged: int = 0
    progress: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way for a run to go on; `expected_usd` to the end, None where it was not weighed."""

    name: str
    expected_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a run decided to do next, and what it had to choose from.

    `step` is launch, move or wait, `target` the placement in words. `slack_seconds` is the time
    left beyond what the work and a start on demand need; None without a deadline.
    """

    step: str
    target: str = ""
    why: str
    slack_seconds: float | None = None
    options: tuple[Option, ...] = ()


class Direction(StrEnum):
    """Which way a checkpoint goes."""

    UPLOAD = "upload"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A checkpoint on its way; `seconds` have really passed since it began, also in a rehearsal."""

    direction: Direction
    done_bytes: int
    total_bytes: int
    seconds: float

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return min(self.done_bytes / self.total_bytes, 1.0) if self.total_bytes else 1.0

    @property
    def bytes_per_second(self) -> float | None:
        """How fast it has been so far."""
        return self.done_bytes / self.seconds if self.seconds > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a run on one set of instances."""

    number: int
    token: str
    placement: Placement
    intended_at: datetime
    state: AttemptState = AttemptState.INTENDED
    provider: str = ""  # who runs it: the offer's provider, or `local` in a rehearsal
    instance_ids: tuple[str, ...] = ()
    billing_from: datetime | None = None
    started_at: datetime | None = None  # the job's first second
    notice_at: datetime | None = None
    ended_at: datetime | None = None
    end: AttemptEnd | None = None
    detail: str = ""
    refusal: Refusal | None = None  # where it was not launched
    ran_seconds: tuple[float, ...] = ()  # of each machine, where that is not the time in between
    estimated: bool = False  # nobody could say when its machine ended
    restore: Restore | None = None
    progress: float | None = None
    progress_at: datetime | None = None
    standby: bool = False  # launched to boot and stage while another attempt works
    ready_at: datetime | None = None  # a standby has staged all it needs
    promoted_at: datetime | None = None  # a standby was told to take over
    transfer: Transfer | None = None  # only while one takes long
    mailbox_position: int = 0  # the last message of the node that the ledger has heard

    @property
    def live(self) -> bool:
        """Whether something of it may still be running."""
        return self.state is not AttemptState.ENDED

    @property
    def unconfirmed(self) -> bool:
        """Whether its provider has not said yet if there is a machine."""
        return self.state is AttemptState.INTENDED

    @property
    def waiting(self) -> bool:
        """Whether it is a standby whose turn has not come."""
        return self.standby and self.promoted_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A run of the real command on this machine, interrupted and priced as on the chosen placement.

    Real seconds count `speed` times. Interruptions fall at `interruptions` seeded points of the
    job's progress, or at the seeded arrivals of `hazard_per_hour`, which spot machines alone meet.
    `spot_capacity` is the share of spot launches that find a machine, by seeded chance.
    """

    speed: float
    seed: int
    interruptions: int | None = None
    hazard_per_hour: float | None = None
    spot_capacity: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockAnchor:
    """The moment at which simulated and real time were tied together."""

    real: datetime
    simulated: datetime
    speed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace:
    """A run's place in the queue of the per-user process: higher priorities first, then older ones.

    `after` counts the attempts that it had before it was handed over.
    """

    priority: int
    since: datetime
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One submission of a job, until it ends."""

    id: str
    job: JobSpec
    submitted_at: datetime
    store_uri: str
    workdir_key: str | None = None
    policy: str = "adaptive"
    rehearsal: Rehearsal | None = None
    anchor: ClockAnchor | None = None
    best_on_demand: Placement | None = None
    attempts: tuple[Attempt, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    choice: Choice | None = None  # the last that was written down
    queue_place: QueuePlace | None = None  # of a run that was handed to the per-user process
    stop_requested: str | None = None
    resumed_after: int = 0  # attempts up to this one no longer decide how the run ends
    limits_since: int = 0  # attempts up to this one were launched under other limits
    outcome: Outcome | None = None
    ended_at: datetime | None = None
    budget_used_percent: int = 0  # the highest step of its budget that was written down
    stale_after: tuple[int, int] | None = None  # attempts and commits at the last alarm
    store_discarded_at: datetime | None = None  # from then on its store may be empty
    detail: str = ""

    @property
    def live_attempt(self) -> Attempt | None:
        """The attempt that works, or may; a standby is none."""
        working = (each for each in self.live_attempts if not each.waiting)
        return next(working, None)

    @property
    def standby(self) -> Attempt | None:
        """The attempt that boots while the live one works on, if any."""
        return next((each for each in self.live_attempts if each.waiting), None)

    @property
    def live_attempts(self) -> tuple[Attempt, ...]:
        """All attempts of which something may be running, a standby too."""
        over = AttemptState.ENDED
        return tuple([attempt for attempt in self.attempts if attempt.state is not over])

    @property
    def last_attempt(self) -> Attempt | None:
        """The newest attempt since the run was submitted or resumed, but for a standby."""
        working = [each for each in self.recent_attempts if not each.waiting]
        return working[-1] if working else None

    @property
    def recent_attempts(self) -> tuple[Attempt, ...]:
        """The attempts that decide how the run ends: those since it was submitted or resumed."""
        return tuple(each for each in self.attempts if each.number > self.resumed_after)

    @property
    def last_at_work(self) -> Attempt | None:
        """The newest attempt whose job has begun, or else the newest of all."""
        begun = [each for each in self.attempts if each.started_at]
        return begun[-1] if begun else (self.attempts[-1] if self.attempts else None)

    @property
    def last_checkpoint(self) -> Checkpoint | None:
        """The newest committed checkpoint."""
        return self.checkpoints[-1] if self.checkpoints else None

    @property
    def waits_in_queue(self) -> bool:
        """Whether it was handed to the per-user process and nothing of it was launched since."""
        place = self.queue_place
        return place is not None and self.outcome is None and len(self.attempts) <= place.after

    @property
    def interruptions(self) -> int:
        """How often a provider took a machine of this run back."""
        return sum(attempt.end is AttemptEnd.INTERRUPTED for attempt in self.attempts)

    @property
    def standing(self) -> tuple[int, int]:
        """How many attempts and commits there are: another one calls for a new alarm."""
        return len(self.attempts), len(self.checkpoints)

    @property
    def deadline_at(self) -> datetime | None:
        """The deadline as a moment, or None."""
        deadline = self.job.deadline
        return self.submitted_at + deadline if isinstance(deadline, timedelta) else deadline
