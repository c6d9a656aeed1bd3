"""How fast to forget, and how much a sibling zone tells, from recorded spot availability.

Run: `python benchmarks/hazard_memory.py TRACES`, a folder of `<collection>/<pool>.json` series.
A pool is seen on a random tenth of its days, as a ledger sees it, and the losses of its next three
days are predicted by the Gamma-Poisson posterior. Scores are mean log-likelihoods, in nats.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple

SEEDS = range(6)
SEEN_SHARES = (0.3, 0.1, 0.05)
AHEAD_DAYS = 3
LEAST_UP_HOURS = 6.0
PRIOR_SHAPE, PRIOR_HOURS = 0.5, 10.0
HALF_LIVES_DAYS = (3.0, 7.0, 10.0, 14.0, 21.0, 30.0, 60.0, 365.0)
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)


class Place(NamedTuple):
    """A pool of the recordings, whatever the size of its gang."""

    provider: str
    zone: str
    machine: str

    @property
    def region(self) -> str:
        """The region of the zone: `us-west-2` of `us-west-2a`, `us-east1` of `us-east1-b`."""
        return self.zone[:-1].rstrip("-")


class Day(NamedTuple):
    """A day of a pool: losses in hours up, and those of the days ahead."""

    day: float
    losses: int
    up_hours: float
    losses_ahead: int
    up_hours_ahead: float


Pools = dict[Place, list[Day]]


def read(folder: Path) -> dict[str, Pools]:
    """The days of every pool, by collection."""
    collections: dict[str, Pools] = defaultdict(lambda: defaultdict(list))
    for file in sorted(folder.glob("*/*.json")):
        series = json.loads(file.read_text())
        place = Place(*series["pool"].split("/"))
        collections[series["collection"]][place] += _days(series)
    return collections


def _days(series: dict[str, object]) -> Iterator[Day]:
    gap_s = float(series["gap_seconds"])  # type: ignore[arg-type]
    up = [flag for flag, ticks in series["available"] for _ in range(ticks)]  # type: ignore[attr-defined]
    start = datetime.fromisoformat(str(series["start"])).timestamp()
    step = int(86_400 / gap_s)
    for at in range(0, len(up) - AHEAD_DAYS * step, step):
        now = _count(up[at : at + step + 1], gap_s)
        ahead = _count(up[at : at + AHEAD_DAYS * step + 1], gap_s)
        yield Day((start + at * gap_s) / 86_400, *now, *ahead)


def _count(flags: Sequence[int], gap_s: float) -> tuple[int, float]:
    losses = sum(was > is_now for was, is_now in pairwise(flags))
    return losses, sum(flags[:-1]) * gap_s / 3600


def score(losses: int, up_hours: float, seen: tuple[float, float]) -> float:
    """Log-likelihood of a count under the posterior: a negative binomial."""
    shape, hours = PRIOR_SHAPE + seen[0], PRIOR_HOURS + seen[1]
    ways = math.lgamma(shape + losses) - math.lgamma(shape) - math.lgamma(losses + 1)
    total = hours + up_hours
    return ways + shape * math.log(hours / total) + losses * math.log(up_hours / total)


def seen_before(days: Sequence[Day], now: float, half_life_days: float) -> tuple[float, float]:
    """Losses and hours of whole days before `now`, weighted by their age."""
    losses = hours = 0.0
    for each in days:
        if each.day + 1 <= now:
            weight = 0.5 ** ((now - each.day - 0.5) / half_life_days)
            losses, hours = losses + weight * each.losses, hours + weight * each.up_hours
    return losses, hours


def print_half_lives(pools: Pools) -> None:
    """The score of own experience alone, by half-life and by how much was seen."""
    print("half-life, days  ", *(f"{days:>8g}" for days in HALF_LIVES_DAYS))
    for share in SEEN_SHARES:
        scores = [0.0] * len(HALF_LIVES_DAYS)
        count = 0
        for _, own, _, day in _targets(pools, share, same_region=None):
            if not any(each.day + 1 <= day.day for each in own):
                continue
            count += 1
            for index, half_life in enumerate(HALF_LIVES_DAYS):
                seen = seen_before(own, day.day, half_life)
                scores[index] += score(day.losses_ahead, day.up_hours_ahead, seen)
        print(f"{share:>4.0%} of days seen ", *(f"{each / count:8.3f}" for each in scores))


def print_weights(pools: Pools, half_life_days: float) -> None:
    """What the experience of other zones adds to the score, by its weight."""
    print("weight of others ", *(f"{weight:>8g}" for weight in WEIGHTS))
    for same_region, name in ((True, "siblings"), (False, "elsewhere")):
        for share in SEEN_SHARES:
            scores = [0.0] * len(WEIGHTS)
            count = 0
            for _, own, others, day in _targets(pools, share, same_region=same_region):
                losses, hours = seen_before(others, day.day, half_life_days)
                if not hours:
                    continue
                count += 1
                mine = seen_before(own, day.day, half_life_days)
                for index, weight in enumerate(WEIGHTS):
                    seen = mine[0] + weight * losses, mine[1] + weight * hours
                    scores[index] += score(day.losses_ahead, day.up_hours_ahead, seen)
            gains = ((each - scores[0]) / count for each in scores)
            print(f"{name:>9}, {share:>4.0%}  ", *(f"{gain:8.3f}" for gain in gains))


def _targets(
    pools: Pools, share: float, *, same_region: bool | None
) -> Iterator[tuple[Place, list[Day], list[Day], Day]]:
    """Every pool's day with the days that were seen of the pool and of the others."""
    for seed in SEEDS:
        draw = random.Random(seed)
        seen = {
            place: [day for day in days if draw.random() < share] for place, days in pools.items()
        }
        for place, days in pools.items():
            others = [
                day
                for other in pools
                if _is_other(place, other, same_region)
                for day in seen[other]
            ]
            for day in days:
                if day.up_hours_ahead >= LEAST_UP_HOURS:
                    yield place, seen[place], others, day


def _is_other(place: Place, other: Place, same_region: bool | None) -> bool:
    alike = (place.provider, place.machine) == (other.provider, other.machine)
    return other != place and alike and (place.region == other.region) == same_region


def print_pairs(collections: dict[str, Pools]) -> None:
    """How alike the loss rates of two zones are over a collection, on a log scale."""
    for same_region, name in ((True, "one region"), (False, "two regions")):
        pairs = [
            (_log_rate(pools[one]), _log_rate(pools[two]))
            for pools in collections.values()
            for one, two in combinations(pools, 2)
            if _is_other(one, two, same_region)
            and min(_up_hours(pools[one]), _up_hours(pools[two])) > LEAST_UP_HOURS
        ]
        apart = math.sqrt(sum((one - two) ** 2 for one, two in pairs) / len(pairs))
        print(f"{name}: {len(pairs)} pairs, rates apart by a factor of {math.exp(apart):.2f}")


def _up_hours(days: Sequence[Day]) -> float:
    return sum(day.up_hours for day in days)


def _log_rate(days: Sequence[Day]) -> float:
    return math.log((sum(day.losses for day in days) + 0.5) / (_up_hours(days) + 1))


def main() -> None:
    """Print the three tables."""
    collections = read(Path(sys.argv[1]))
    together: Pools = defaultdict(list)
    for pools in collections.values():
        for place, days in pools.items():
            together[place] += days
    print_pairs(collections)
    print_half_lives(together)
    print_weights(together, half_life_days=14.0)


if __name__ == "__main__":
    main()
