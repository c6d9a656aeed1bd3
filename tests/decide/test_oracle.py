"""A brute-force oracle, written from the design alone, agrees on the winner and its price."""

from __future__ import annotations

import math
import random
from datetime import timedelta
from typing import NamedTuple

import pytest

from finsched.decide.pricing.cadence import ROUND_MINUTES
from finsched.decide.rank import decide
from finsched.model.job import CheckpointSpec, Dataset, GpuRequest, JobSpec
from finsched.model.market import (
    BillingRule,
    CapacityType,
    InstanceType,
    Location,
    Market,
    Offer,
    TransferPath,
)
from finsched.testing.builders import (
    NOW,
    hazard_prior,
    job,
    machine,
    market,
    offer,
    path,
    spot,
    terms,
)

INTERNET = Location("internet", "*")
PLACES = [Location("aws", "us-east-1"), Location("aws", "eu-north-1"), Location("gcp", "west")]
SPEED_OF_H100 = min(989 / 312, 3350 / 2039)
BOOT_HOURS = 3 / 60
STORAGE = {"aws": 0.023, "gcp": None}
JOBS = 400


class Best(NamedTuple):
    total_usd: float
    offer: Offer


def random_market(draw: random.Random) -> Market:
    machines: list[InstanceType] = []
    for provider in ("aws", "gcp"):
        for gpu in ("A100-80GB", "H100", "K80"):
            machines += [machine(provider, f"{gpu}-{count}", gpu, count) for count in (4, 8)]
    offers, hazards = [], {}
    for place in PLACES:
        for each in machines:
            if each.provider == place.provider and draw.random() < 0.6:
                price = draw.uniform(5, 60)
                offers.append(offer(price, instance_type=each, region=place.region))
                cheap = spot(
                    price * draw.uniform(0.2, 1.1), instance_type=each, region=place.region
                )
                offers.append(cheap)
                hazards[cheap.pool] = hazard_prior(10 ** draw.uniform(-3, 0.3))
    pairs = [(here, there) for here in PLACES for there in (*PLACES, INTERNET) if here != there]
    return market(
        *offers,
        hazards=hazards,
        paths=[random_path(draw, here, there) for here, there in pairs],
        provider_terms=[
            terms(
                provider,
                storage_usd_per_gb_month=rate,
                billing=BillingRule(granularity_seconds=draw.choice((1, 3600))),
            )
            for provider, rate in STORAGE.items()
        ],
    )


def random_path(draw: random.Random, here: Location, there: Location) -> TransferPath:
    first = draw.uniform(0.01, 0.12)
    return path(here, there, (0, first), (500, first * 0.7), gbit_per_second=draw.uniform(1, 10))


def random_job(draw: random.Random) -> JobSpec:
    gpus = tuple(
        GpuRequest(count=draw.choice((4, 8)), name=name)
        for name in draw.sample(("A100-80GB", "H100", "K80"), draw.randint(1, 3))
    )
    saved = CheckpointSpec(
        uri="s3://ckpt",
        location=draw.choice(PLACES),
        size_gb=draw.uniform(0.1, 60),
        save_time=timedelta(seconds=round(draw.uniform(1, 900))),
    )
    lake = Dataset(
        uri="s3://lake",
        location=draw.choice(PLACES),
        size_gb=draw.uniform(1, 3000),
        reads=draw.randint(1, 5),
    )
    out = Dataset(uri="s3://out", location=draw.choice(PLACES), size_gb=draw.uniform(1, 300))
    return job(
        hours=10 ** draw.uniform(-0.5, 2.3),
        gpus=gpus,
        checkpoint=saved if draw.random() < 0.8 else None,
        inputs=(lake,) if draw.random() < 0.6 else (),
        outputs=(out,) if draw.random() < 0.4 else (),
    )


def tiered(road: TransferPath, size_gb: float) -> float:
    """Gigabyte brackets, one after the other."""
    usd, left = 0.0, size_gb
    for place, tier in enumerate(road.tiers):
        last = place == len(road.tiers) - 1
        room = left if last else road.tiers[place + 1].start_gb - tier.start_gb
        usd += min(left, room) * tier.usd_per_gb
        left -= min(left, room)
    return usd


def hours_on(road: TransferPath, size_gb: float) -> float:
    return size_gb * 8 / road.gbit_per_second / 3600


def oracle(spec: JobSpec, snapshot: Market) -> Best | None:
    """Try every offer, every round interval and every way to move the data."""
    results = [
        Best(total, candidate)
        for candidate in snapshot.offers
        if (total := cheapest_run(spec, snapshot, candidate)) is not None
    ]
    return min(results, key=lambda best: best.total_usd, default=None)


def cheapest_run(spec: JobSpec, snapshot: Market, candidate: Offer) -> float | None:
    kind = candidate.instance_type
    work_hours = oracle_work_hours(spec, kind)
    if work_hours is None or above_on_demand(snapshot, candidate):
        return None
    is_spot = candidate.capacity_type is CapacityType.SPOT
    hazard = snapshot.hazards[candidate.pool].shape / (
        snapshot.hazards[candidate.pool].exposure_hours
    )
    hazard = hazard if is_spot else 0.0
    if spec.checkpoint is None and hazard * work_hours > 0.2:
        return None
    movements = ("stream", "copy") if spec.inputs else ("none",)
    totals = [run_usd(spec, snapshot, candidate, work_hours, hazard, way) for way in movements]
    return min((total for total in totals if total is not None), default=None)


def oracle_work_hours(spec: JobSpec, kind: InstanceType) -> float | None:
    assert spec.work is not None
    wanted = {(request.name, request.count) for request in spec.requirements.gpus}
    if (kind.gpu, kind.gpu_count) not in wanted or kind.gpu == "K80":
        return None
    speed = SPEED_OF_H100 if kind.gpu == "H100" else 1.0
    stated = dict(wanted).get("A100-80GB", kind.gpu_count)
    return spec.work.hours / (speed * kind.gpu_count / stated)


def above_on_demand(snapshot: Market, candidate: Offer) -> bool:
    return candidate.capacity_type is CapacityType.SPOT and any(
        other.price_usd_per_hour <= candidate.price_usd_per_hour
        for other in snapshot.offers
        if other.capacity_type is CapacityType.ON_DEMAND and other.pool == candidate.pool
    )


def daly_hours(hazard: float, restart: float, interval: float, save: float, work: float) -> float:
    if hazard == 0:
        return (interval + save) * work / interval
    stretch = hazard * (interval + save)
    if stretch + hazard * restart > 700:
        return math.inf
    return math.exp(restart * hazard) / hazard * math.expm1(stretch) * work / interval


class Data(NamedTuple):
    """Dollars and hours of one way to move the data."""

    usd: float = 0.0
    streamed_usd: float = 0.0
    idle_hours: float = 0.0
    restage_usd: float = 0.0
    restage_hours: float = 0.0
    kept_gb: float = 0.0


class Saving(NamedTuple):
    """The checkpoint store as seen from a place."""

    size_gb: float = 0.0
    save_hours: float = 0.0
    up: TransferPath | None = None
    down: TransferPath | None = None
    usd_per_gb_month: float = 0.0


def run_usd(
    spec: JobSpec, snapshot: Market, candidate: Offer, work: float, hazard: float, way: str
) -> float | None:
    here = Location(candidate.provider, candidate.region)
    data, saving = data_of(spec, snapshot, here, work, way), saving_of(spec, snapshot, here)
    save = saving.save_hours
    interval = best_interval(saving, work, hazard, candidate.price_usd_per_hour)
    restore = 0.0 if saving.down is None else hours_on(saving.down, saving.size_gb)
    wall = daly_hours(hazard, BOOT_HOURS + restore + data.restage_hours, interval, save, work)
    first_start = BOOT_HOURS + data.idle_hours
    hours = wall + first_start
    if hours > 100 * (work + save * work / interval + first_start):
        return None
    interruptions = hazard * wall
    step = snapshot.terms[here.provider].billing.granularity_seconds / 3600
    billed = hours  # by the second; by the hour each start is rounded up
    if step == 1:
        billed = math.ceil(round(hours, 9)) + interruptions / 2
    rework = daly_hours(hazard, 0, interval, save, work) - work - save * work / interval
    usd = candidate.price_usd_per_hour * max(billed, hours)
    usd += data.usd + data.streamed_usd * (1 + rework / work) + interruptions * data.restage_usd
    usd += data.kept_gb * (STORAGE[here.provider] or 0.0) * hours / 730
    usd += 2 * saving.size_gb * saving.usd_per_gb_month * hours / 730
    if saving.up is not None and saving.down is not None:
        usd += tiered(saving.up, saving.size_gb * work / interval)
        usd += tiered(saving.down, saving.size_gb * interruptions)
    return usd


def data_of(spec: JobSpec, snapshot: Market, here: Location, work: float, way: str) -> Data:
    data = Data()
    for lake in spec.inputs:
        if lake.location != here:
            assert lake.location is not None
            data = input_data(lake, snapshot.paths[lake.location, here], work, way)
    for out in spec.outputs:
        if out.location != here:
            assert out.location is not None
            road = snapshot.paths[here, out.location]
            data = data._replace(
                usd=data.usd + tiered(road, out.size_gb),
                idle_hours=data.idle_hours + hours_on(road, out.size_gb),
            )
    return data


def input_data(lake: Dataset, road: TransferPath, work: float, way: str) -> Data:
    if way == "stream":
        read_gb = lake.size_gb * lake.reads
        usd = tiered(road, read_gb)
        return Data(streamed_usd=usd, idle_hours=max(0.0, hours_on(road, read_gb) - work))
    usd, hours = tiered(road, lake.size_gb), hours_on(road, lake.size_gb)
    if STORAGE[road.destination.provider] is None:
        return Data(usd, idle_hours=hours, restage_usd=usd, restage_hours=hours)
    return Data(usd, idle_hours=hours, kept_gb=lake.size_gb)


def saving_of(spec: JobSpec, snapshot: Market, here: Location) -> Saving:
    saved = spec.checkpoint
    if saved is None:
        return Saving()
    home = saved.location
    assert home is not None
    save, rate = saved.save_time.total_seconds() / 3600, STORAGE[home.provider] or 0.0
    if home == here:
        return Saving(saved.size_gb, save, None, None, rate)
    roads = snapshot.paths[here, home], snapshot.paths[home, here]
    return Saving(saved.size_gb, save, *roads, rate)


def best_interval(saving: Saving, work: float, hazard: float, usd_per_hour: float) -> float:
    if hazard == 0 or saving.size_gb == 0:
        return work
    upload = 0.0 if saving.up is None else hours_on(saving.up, saving.size_gb)
    drains = [minutes / 60 for minutes in ROUND_MINUTES if upload <= minutes / 60]
    longest = min(work, max(2.0, drains[0]))
    rounds = [each for each in drains if each < longest]
    upload_usd = 0.0 if saving.up is None else tiered(saving.up, saving.size_gb)

    def usd(interval: float) -> float:
        hours = daly_hours(hazard, 0, interval, saving.save_hours, work)
        return usd_per_hour * hours + upload_usd * work / interval

    return min([*rounds, longest], key=usd)


@pytest.mark.parametrize("block", range(4))
def test_the_winner_and_its_price_are_the_oracles(block: int) -> None:
    decided = 0
    for seed in range(block * JOBS // 4, (block + 1) * JOBS // 4):
        draw = random.Random(seed)
        snapshot, spec = random_market(draw), random_job(draw)
        best, expected = decide(spec, snapshot, now=NOW).best, oracle(spec, snapshot)
        assert (best is None) == (expected is None), f"seed {seed}"
        if best is None or expected is None:
            continue
        decided += 1
        assert best.total_usd == pytest.approx(expected.total_usd, rel=1e-6), f"seed {seed}"
        assert best.offer == expected.offer, f"seed {seed}"
    assert decided > JOBS // 8
