"""The guarantee: a job that can finish on demand is never late, whoever takes its machines."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from finsched.backtest.recorded import Window
from finsched.backtest.replay import replay
from finsched.decide.spot.policies import POLICIES
from finsched.decide.spot.safety import can_still_fall_back
from finsched.decide.spot.situation import Off, Placement, Policy, Situation, SpotJob

WINDOW = Window(
    id="w",
    setting="s",
    mode="single",
    group="g",
    tick_s=600,
    work_s=8 * 3600,
    changeover_s=720,
    spot_price=0.3,
    egress=0.1,
    regions=("us-west-2",),
    available=(),
)
SHAPES = [
    {"changeover_s": 60.0, "deadline_ticks": 52},
    {"changeover_s": 720.0, "deadline_ticks": 50},
    {"changeover_s": 720.0, "deadline_ticks": 64},
    {"changeover_s": 1800.0, "deadline_ticks": 58},
    {"changeover_s": 720.0, "deadline_ticks": 200, "tick_s": 195.0},
]


class Watched:
    """A policy that tells the adversary what it did last."""

    def __init__(self, inner: Policy, seen: dict[str, Any]) -> None:
        self._inner, self._seen = inner, seen

    def decide(self, now: Situation) -> Placement:
        placement = self._inner.decide(now)
        self._seen["ticks_on_spot"] = (
            self._seen.get("ticks_on_spot", 0) + 1 if isinstance(placement, int) else 0
        )
        return placement


class Adversary(Sequence[bool]):
    """Offers spot, and takes it back once the job has used it for some ticks: each time anew."""

    def __init__(self, ticks: int, seed: int, seen: dict[str, Any]) -> None:
        self._ticks, self._seed, self._seen = ticks, seed, seen

    def __len__(self) -> int:
        return self._ticks

    def __getitem__(self, _index: Any) -> Any:
        raise NotImplementedError

    def __iter__(self) -> Iterator[bool]:
        chance = random.Random(self._seed)
        patience = chance.choice([1, 2, 3, 5, 20])
        absent = chance.choice([0.0, 0.0, 0.3, 0.9])
        for _ in range(self._ticks):
            yield self._seen.get("ticks_on_spot", 0) < patience and chance.random() >= absent


class Chaos:
    """Decides by chance, behind the net."""

    def __init__(self, job: SpotJob, seed: int) -> None:
        self._job, self._chance = job, random.Random(seed)

    def decide(self, now: Situation) -> Placement:
        free = [pool for pool, is_up in enumerate(now.available) if is_up]
        wanted = self._chance.choice([Off.IDLE, Off.ON_DEMAND, *free])
        return wanted if can_still_fall_back(self._job, now, wanted) else Off.ON_DEMAND


def shaped(shape: dict[str, float], seed: int, seen: dict[str, Any], pools: int = 1) -> Window:
    changes = dict(shape)
    ticks = int(changes.pop("deadline_ticks"))
    flags = tuple(Adversary(ticks, seed + pool, seen) for pool in range(pools))
    return replace(WINDOW, available=flags, regions=("us-west-2",) * pools, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_adaptive_policy_meets_every_deadline_against_an_adversary(
    shape: dict[str, float],
) -> None:
    for seed in range(200):
        seen: dict[str, Any] = {}
        window = shaped(shape, seed, seen, pools=1 + seed % 2)
        outcome = replay(window, lambda job, s=seen: Watched(POLICIES["adaptive"](job), s))
        assert not outcome.missed, f"seed {seed}"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_net_alone_meets_every_deadline(shape: dict[str, float]) -> None:
    for seed in range(1000):
        seen: dict[str, Any] = {}
        window = shaped(shape, seed, seen)
        outcome = replay(window, lambda job, s=seen, n=seed: Watched(Chaos(job, n), s))
        assert not outcome.missed, f"seed {seed}"
