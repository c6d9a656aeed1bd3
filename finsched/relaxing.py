"""What would help a job that no offer can run: each wish dropped alone, and decided again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from finsched.decide.offers.where import data_problem
from finsched.decide.rank import decide
from finsched.model.job import Budget, CapacityPreference, CheckpointSpec, JobSpec
from finsched.model.market import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """One change to a job that lets offers in, with the cheapest in USD, the fastest in hours."""

    change: str
    offers: int
    cheapest_usd: float
    fastest_hours: float


DROP_DEADLINE = "drop the deadline"
DROP_RESIDENCY = "drop where.residency"
CHANGES: tuple[tuple[str, Callable[[JobSpec], JobSpec]], ...] = (
    (
        "declare a checkpoint",
        lambda job: replace(job, checkpoint=job.checkpoint or CheckpointSpec()),
    ),
    ("set capacity: auto", lambda job: replace(job, capacity=CapacityPreference.AUTO)),
    (DROP_DEADLINE, lambda job: replace(job, deadline=None)),
    ("drop where.regions", lambda job: replace(job, where=replace(job.where, regions=()))),
    ("drop where.clouds", lambda job: replace(job, where=replace(job.where, clouds=()))),
    (DROP_RESIDENCY, lambda job: replace(job, where=replace(job.where, residency=()))),
    (
        "drop resources.memory",
        lambda job: replace(job, requirements=replace(job.requirements, memory_gib=None)),
    ),
    (
        "drop resources.cpus",
        lambda job: replace(job, requirements=replace(job.requirements, vcpus=None)),
    ),
)


def relaxations(job: JobSpec, market: Market, *, now: datetime) -> Iterator[Relaxation]:
    """Yield every single change after which some offer can run the job, thresholds aside."""
    job = replace(job, budget=Budget(), scavenge_below_usd_per_hour=None)
    homeless = data_problem(job, market.geography) is not None
    for change, apply in CHANGES:
        if homeless and change == DROP_RESIDENCY:  # the data would leave as well: no help
            continue
        changed = apply(job)
        if changed == job:
            continue
        decision = decide(changed, market, now=now)
        if decision.best is not None:
            yield Relaxation(
                change=change,
                offers=len(decision.quotes),
                cheapest_usd=decision.best.total_usd,
                fastest_hours=min(quote.hours.expected for quote in decision.quotes),
            )
