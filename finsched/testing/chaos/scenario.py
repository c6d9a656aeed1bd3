"""What one seed means: clouds, a job, limits, a lease. Nothing else decides what a run meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from finsched.model.job import Budget, CapacityPreference, CheckpointSpec, JobSpec
from finsched.model.market import BillingRule, CapacityType, InstanceType, Market
from finsched.testing.builders import ACCELERATORS, NOW, hazard_prior, job
from finsched.testing.chaos.zones import ZONES
from finsched_sim.market import CloudPlan, PricePath, Shelf, price_path, spells
from finsched_sim.workload import Workload
from finsched_sim.world import World

HOURS = 3600.0
DAY_S = 24 * HOURS
HORIZON_S = 60 * HOURS
_CLOCKS_CHANGE = (datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
_BEGINNINGS = (NOW, NOW, *(change - timedelta(hours=9) for change in _CLOCKS_CHANGE))
_GANGS = 0.25  # of the seeds have a job of several nodes
_TOGETHER = 0.125  # of the seeds have two runs at a time
_POLICIES = ("uniform-progress", "greedy", "on-demand")  # `adaptive` plans for seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything about a simulated run but its faults.

    There are `lanes` runs at a time, and machines of `neighbours` in the same accounts.
    """

    seed: int
    plans: tuple[CloudPlan, ...]
    job: JobSpec
    policy: str
    workload: Workload
    lease: timedelta
    hazards_per_hour: Mapping[str, float]
    began_at: datetime
    zone: str
    lanes: int
    neighbours: int
    months_budget_usd: float | None


def scenario(seed: int) -> Scenario:
    """Draw the scenario of a seed."""
    dice = Random(f"scenario {seed}")  # noqa: S311 - a seeded plan, no secret
    plans = tuple(_cloud(dice, f"sim-{letter}") for letter in "abc"[: dice.randint(2, 3)])
    hours = dice.uniform(8.0, 26.0)
    nodes = dice.choice((2, 2, 3, 4)) if dice.random() < _GANGS else 1
    lanes = 2 if dice.random() < _TOGETHER else 1
    drawn = _job(dice, hours, nodes)
    limit = drawn.budget.max_cost_usd
    return Scenario(
        seed=seed,
        plans=plans,
        job=drawn,
        policy=dice.choice(_POLICIES),
        workload=_workload(dice, hours),
        lease=timedelta(seconds=dice.choice((900, 900, 1800, 7200))),
        hazards_per_hour={plan.name: dice.uniform(0.01, 0.2) for plan in plans},
        began_at=dice.choice(_BEGINNINGS),
        zone=dice.choice(ZONES),
        lanes=lanes,
        neighbours=dice.choice((0, 0, 1)),
        months_budget_usd=limit * dice.uniform(1.2, 3.0) if limit and lanes > 1 else None,
    )


def shortened(drawn: Scenario, hours: float) -> Scenario:
    """Return the scenario with a job of so many hours at most, and with limits to match."""
    job, work = drawn.job, drawn.job.work
    share = min(hours / work.hours, 1.0) if work else 1.0
    if work is None or share == 1.0:
        return drawn
    limit, deadline = job.budget.max_cost_usd, job.deadline
    budget = replace(job.budget, max_cost_usd=round(limit * share, 2) if limit else None)
    if isinstance(deadline, timedelta):
        deadline *= share
    work = replace(work, hours=work.hours * share)
    workload = replace(drawn.workload, work_s=drawn.workload.work_s * share)
    job = replace(job, work=work, budget=budget, deadline=deadline)
    return replace(drawn, job=job, workload=workload)


def market(world: World, drawn: Scenario) -> Market:
    """Return what the clouds sell at this moment, as the scheduler knows it."""
    offers = tuple(offer for cloud in world.clouds.values() for offer in cloud.offers())
    return Market(
        as_of=world.timeline.now(),
        offers=offers,
        accelerators=ACCELERATORS,
        hazards={
            offer.pool: hazard_prior(drawn.hazards_per_hour[offer.provider])
            for offer in offers
            if offer.capacity_type is CapacityType.SPOT
        },
        paths={},
        terms={name: cloud.terms() for name, cloud in world.clouds.items()},
        geography={},
        launchable=frozenset(world.clouds),
    )


def _cloud(dice: Random, name: str) -> CloudPlan:
    machine = InstanceType(
        provider=name,
        name=f"{name}-8x",
        gpu="A100-80GB",
        gpu_count=8,
        gpu_memory_gib=80,
        vcpus=96,
        memory_gib=1152,
    )
    shelves = [
        shelf
        for zone in "12"[: dice.randint(1, 2)]
        for shelf in _shelves(dice, machine, f"{name}-r{zone}", f"{name}-r{zone}a")
    ]
    return CloudPlan(
        name=name,
        shelves=tuple(shelves),
        billing=dice.choice(
            (BillingRule(), BillingRule(), BillingRule(minimum_seconds=600, granularity_seconds=60))
        ),
        boot_s=(40.0, dice.uniform(60.0, 400.0)),
        notice_s=dice.choice((0.0, 30.0, 120.0, 120.0)),
        list_lag_s=dice.choice((0.0, 0.0, 4.0, 30.0)),
        has_timer=dice.random() < 0.4,
        breaks_off=dice.choice((0.0, 0.0, 0.2)),
        quota={CapacityType.SPOT: 4} if dice.random() < 0.1 else {},
        poll_s=dice.uniform(390.0, 425.0),
    )


def _shelves(dice: Random, machine: InstanceType, region: str, zone: str) -> list[Shelf]:
    on_demand = round(dice.uniform(18.0, 30.0), 2)
    spot = round(on_demand * dice.uniform(0.25, 0.6), 2)
    return [
        Shelf(
            instance_type=machine,
            region=region,
            zone=zone,
            capacity_type=CapacityType.ON_DEMAND,
            price=PricePath(steps=((0.0, on_demand),)),
            capacity=spells(dice, until_s=HORIZON_S, up_s=60 * HOURS, down_s=HOURS),
        ),
        Shelf(
            instance_type=machine,
            region=region,
            zone=zone,
            capacity_type=CapacityType.SPOT,
            price=price_path(dice, until_s=HORIZON_S, usd_per_hour=spot, every_s=2 * HOURS),
            capacity=spells(dice, until_s=HORIZON_S, up_s=9 * HOURS, down_s=1.5 * HOURS),
            losses_per_hour=dice.choice((0.0, 0.05, 0.15, 0.4)),
            room=dice.choice((None, None, 2, 4)),
        ),
    ]


def _job(dice: Random, hours: float, nodes: int) -> JobSpec:
    every = dice.choice((None, None, timedelta(minutes=20), timedelta(minutes=60)))
    checkpoint = CheckpointSpec(
        size_gb=dice.uniform(1.0, 30.0),
        save_time=timedelta(seconds=dice.choice((20, 60, 120))),
        every=every,
    )
    budget = dice.choice((None, dice.uniform(4.0, 9.0), dice.uniform(9.0, 40.0)))
    deadline = dice.choice((None, None, dice.uniform(1.1, 2.5)))
    single = job(
        hours=hours,
        checkpoint=checkpoint,
        setup="pip install -r requirements.txt",
        capacity=dice.choice(
            (CapacityPreference.AUTO, CapacityPreference.AUTO, CapacityPreference.ON_DEMAND)
        ),
        budget=Budget(
            max_cost_usd=round(budget * hours * nodes, 2) if budget else None,
            max_interruptions=dice.choice((None, None, 3)),
        ),
        deadline=timedelta(hours=hours * deadline) if deadline else None,
    )
    return replace(single, requirements=replace(single.requirements, nodes=nodes))


def _workload(dice: Random, hours: float) -> Workload:
    return Workload(
        work_s=hours * HOURS * dice.uniform(0.9, 1.1),
        fetch_s=dice.uniform(5.0, 120.0),
        setup_s=dice.uniform(10.0, 300.0),
        save_s=dice.uniform(10.0, 60.0),
        upload_s=dice.uniform(10.0, 200.0),
        report_every_s=dice.choice((900.0, 1800.0, 3600.0)),
        heeds_signal=dice.random() < 0.9,
        fails_at=dice.uniform(0.1, 0.9) if dice.random() < 0.03 else None,
        shards=dice.random() < 0.7,
    )
