"""Time of one decision per offer considered and per feasible offer, on a synthetic market.

Run: `python benchmarks/bench_decide.py`. The targets are 10 us per offer considered (few of them
feasible) and 40 us per feasible one.
"""

from __future__ import annotations

import random
import statistics
import time
from datetime import timedelta

from finsched.decide.offers.feasible import feasible
from finsched.decide.rank import decide
from finsched.model.job import CheckpointSpec, Dataset, GpuRequest, JobSpec
from finsched.model.market import Location, Market
from finsched.testing.builders import NOW, hazard_prior, job, machine, market, offer, path, spot

SEED = 20260615
REPEATS = 7
INPUT_AT = Location("aws", "us-east-1")


def synthetic_market(seed: int = SEED) -> Market:
    """Some 6,000 offers: 6 clouds, 10 regions, 50 machines, spot and on-demand."""
    draw = random.Random(seed)
    machines = [
        machine(f"cloud{index % 6}", f"machine-{index}", gpu, count)
        for index, (gpu, count) in enumerate(
            (draw.choice(("A100-80GB", "H100", "K80", "T4", "L4", "V100")), draw.choice((1, 4, 8)))
            for _ in range(50)
        )
    ]
    offers, hazards = [], {}
    for each in machines:
        for region in range(10):
            price = each.gpu_count * draw.uniform(1, 12)
            offers.append(offer(price, instance_type=each, region=f"region-{region}"))
            for zone in range(11):
                place = {"region": f"region-{region}", "zone": f"zone-{region}-{zone}"}
                cheap = spot(price * draw.uniform(0.2, 0.9), instance_type=each, **place)
                offers.append(cheap)
                hazards[cheap.pool] = hazard_prior(draw.uniform(0.001, 0.2))
    paths = [
        path(INPUT_AT, Location(f"cloud{cloud}", f"region-{region}"), 0.02)
        for cloud in range(6)
        for region in range(10)
    ]
    draw.shuffle(offers)
    return market(*offers, hazards=hazards, paths=paths)


def selective_job() -> JobSpec:
    """A job that few offers fit."""
    return _job((GpuRequest(count=8, name="A100-80GB"),))


def open_job() -> JobSpec:
    """A job that every machine with a known GPU fits."""
    counts = (1, 4, 8)
    names = ("A100-80GB", "H100")
    return _job(tuple(GpuRequest(count=count, name=name) for name in names for count in counts))


def _job(gpus: tuple[GpuRequest, ...]) -> JobSpec:
    return job(
        gpus=gpus,
        checkpoint=CheckpointSpec(size_gb=16, save_time=timedelta(seconds=60)),
        inputs=(Dataset(uri="s3://lake/tokens", location=INPUT_AT, size_gb=500, reads=2),),
    )


def measure(spec: JobSpec, snapshot: Market) -> tuple[float, float, int]:
    """Median seconds of the feasibility pass and of the whole decision, and the feasible offers."""
    screens, decisions = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        candidates, _ = feasible(spec, snapshot)
        middle = time.perf_counter()
        decide(spec, snapshot, now=NOW)
        screens.append(middle - start)
        decisions.append(time.perf_counter() - middle)
    return statistics.median(screens), statistics.median(decisions), len(candidates)


def main() -> None:
    """Print the figures."""
    snapshot = synthetic_market()
    considered = len(snapshot.offers)
    for name, spec in (("selective", selective_job()), ("open", open_job())):
        screen, whole, count = measure(spec, snapshot)
        print(
            f"{name}: {considered} offers, {count} feasible; "
            f"screening {screen / considered * 1e6:.2f} us per offer, "
            f"pricing {(whole - screen) / max(count, 1) * 1e6:.1f} us per feasible offer, "
            f"all {whole / considered * 1e6:.2f} us per offer, {whole * 1e3:.1f} ms"
        )


if __name__ == "__main__":
    main()
