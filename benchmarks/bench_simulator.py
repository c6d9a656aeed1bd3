"""Simulated instance-hours a minute on one core, by policy, in CPU time of this process.

Run: `python benchmarks/bench_simulator.py`. The targets are 1,000,000 for a simple policy whose
time may jump, and 150,000 for `adaptive`, which is asked at every step. An instance-hour is one
that the job pays; waiting counts for nothing. The first plan of `adaptive` is told beside it.
"""

from __future__ import annotations

import time

from finsched.backtest.course import Upkeep
from finsched.decide.spot.policies import named
from finsched.decide.spot.situation import Pool, SpotJob
from finsched.simulating.engine import Rules, live_through
from finsched.simulating.futures import Futures
from finsched.simulating.patience import patience_of

SEED = 20260615
HOUR = 3600.0
WORK_HOURS, DEADLINE_HOURS, START_S, KEPT_EVERY_S = 48, 60, 300, HOUR
MARKETS = {
    "1 pool": (Pool(region="a", price_per_hour=3.0),),
    "5 pools in 2 regions": tuple(
        Pool(region="ab"[index % 2], price_per_hour=3.0 + index / 10) for index in range(5)
    ),
}
FUTURES = {"greedy": 1500, "uniform-progress": 1500, "adaptive": 60}


def job(pools: tuple[Pool, ...]) -> SpotJob:
    """Two days of work with half a day of slack; an interruption loses half an hour on average."""
    return SpotJob(
        tick_s=600,
        deadline_s=DEADLINE_HOURS * HOUR,
        work_s=WORK_HOURS * HOUR,
        changeover_s=START_S + KEPT_EVERY_S / 2,
        on_demand_price_per_hour=10.0,
        egress_price=0.0,
        pools=pools,
    )


def measure(policy: str, pools: tuple[Pool, ...]) -> tuple[float, float]:
    """Instance-hours a minute, and the seconds that the first policy of a job takes to be made."""
    spec, upkeep = job(pools), Upkeep(start_s=START_S, kept_every_s=KEPT_EVERY_S)
    start = time.process_time()
    named(policy)(spec)
    made_s = time.process_time() - start
    rules = Rules(horizon_s=spec.deadline_s, upkeep=lambda _: upkeep, patience=patience_of(policy))
    futures = Futures(pools, [2.0] * len(pools), seed=SEED)
    paid_s, start = 0.0, time.process_time()
    for number in range(FUTURES[policy]):
        outcome = live_through(spec, named(policy)(spec), futures.future(number), rules)
        paid_s += outcome.spot_s + outcome.on_demand_s
    return paid_s / HOUR / (time.process_time() - start) * 60, made_s


def main() -> None:
    """Print one line a policy and market."""
    for market, pools in MARKETS.items():
        for policy in FUTURES:
            per_minute, made_s = measure(policy, pools)
            print(
                f"{market:<22}{policy:<18}{per_minute:>12,.0f} instance-hours a minute"
                f", first plan {made_s:.2f} s"
            )


if __name__ == "__main__":
    main()
