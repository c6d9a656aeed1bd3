"""Perfect foresight against every course there is, on windows small enough to try them all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from finsched.backtest.omniscient import least_cost
from finsched.backtest.recorded import Window
from finsched.backtest.replay import replay
from finsched.decide.spot.policies import POLICIES
from finsched.decide.spot.situation import Off, Placement, Situation
from tests.backtest.test_replay import WINDOW, generated


class Course:
    """A list of placements; a pool that is gone means idle."""

    def __init__(self, placements: tuple[Placement, ...]) -> None:
        self._placements = iter(placements)

    def decide(self, now: Situation) -> Placement:
        wanted = next(self._placements)
        return Off.IDLE if isinstance(wanted, int) and not now.available[wanted] else wanted


def small(seed: int, pools: int, ticks: int) -> Window:
    chance = random.Random(seed)
    return replace(
        WINDOW,
        work_s=chance.choice([900, 1200, 1500]),
        changeover_s=chance.choice([0, 120, 600, 720]),
        egress=chance.choice([0.0, 0.02]),
        regions=("a", "b")[:pools],
        available=tuple(tuple(chance.random() < 0.6 for _ in range(ticks)) for _ in range(pools)),
    )


def every_cost(window: Window) -> Iterator[float]:
    places: list[Placement] = [Off.IDLE, Off.ON_DEMAND, *range(len(window.regions))]
    for course in product(places, repeat=window.ticks):
        outcome = replay(window, lambda _, c=course: Course(c))
        if not outcome.missed:
            yield outcome.cost


@pytest.mark.parametrize(("pools", "ticks"), [(1, 7), (2, 5)])
def test_foresight_finds_the_cheapest_of_all_courses(pools: int, ticks: int) -> None:
    for seed in range(12):
        window = small(seed, pools, ticks)
        assert least_cost(window) == pytest.approx(min(every_cost(window))), f"seed {seed}"


def test_no_policy_beats_foresight() -> None:
    for seed in range(5):
        window = generated(seed)
        least = least_cost(window)
        for policy in POLICIES.values():
            assert replay(window, policy).cost >= least - 1e-9, f"seed {seed}"
