"""How a market of similar pools moves: a Markov chain over the ages of its two oldest up spells.

Pools are taken as independent and alike but for their ages. Off spot, a state is the pair (oldest,
second oldest), or how long nothing has been up; on spot it is (the own pool, the best other one).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from finsched.decide.spot.spells import AGES, DOWN, Beliefs

Matrix = NDArray[np.float32]
Moves = list[tuple[float, int]]

PAIRS = AGES * (AGES + 1) // 2 + AGES
OFF_STATES = PAIRS + AGES
ON_STATES = AGES * (AGES + 1)
_MOST_POOLS = 5


def off_state(first: int, second: int, nothing_up_for: int) -> int:
    """The state off spot: two age classes in any order, or the age of the spell without any."""
    old, young = max(first, second), min(first, second)
    if old == DOWN:
        return PAIRS + nothing_up_for
    return old * (old + 3) // 2 + young + 1


def on_state(own: int, best_other: int) -> int:
    """The state on spot, in a pool of age class `own`."""
    return own * (AGES + 1) + best_other + 1


def on_pairs() -> list[tuple[int, int]]:
    """(own, best other) of every state on spot, in order."""
    return [(own, other) for own in range(AGES) for other in range(DOWN, AGES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Chances to move within one step: off spot, and on spot where the pool lasts or is lost."""

    off: Matrix
    lasts: Matrix
    lost: Matrix


def chain(beliefs: Beliefs, pools: int) -> Chain:
    """The chain of a market of `pools` pools; more than five are taken as five."""
    others = min(pools, _MOST_POOLS) - 1
    off = np.zeros((OFF_STATES, OFF_STATES), np.float32)
    lasts = np.zeros((ON_STATES, ON_STATES), np.float32)
    lost = np.zeros((ON_STATES, OFF_STATES), np.float32)
    for own, other in on_pairs():
        for chance, own_next, other_next in _pair_moves(beliefs, own, other, others):
            if own_next == DOWN:
                lost[on_state(own, other), off_state(DOWN, other_next, 0)] += chance
            else:
                lasts[on_state(own, other), on_state(own_next, other_next)] += chance
            if other <= own:
                off[off_state(own, other, 0), off_state(own_next, other_next, 0)] += chance
    for age in range(AGES):
        for chance, state in _moves_without_any(beliefs, age, others):
            off[off_state(DOWN, DOWN, age), state] += chance
    return Chain(off=off, lasts=lasts, lost=lost)


def _pair_moves(
    beliefs: Beliefs, own: int, other: int, others: int
) -> Iterable[tuple[float, int, int]]:
    for own_chance, own_next in beliefs.up_next(own):
        for other_chance, other_next in _other_moves(beliefs, other, others):
            yield own_chance * other_chance, own_next, other_next


def _other_moves(beliefs: Beliefs, best: int, others: int) -> Moves:
    """The next age class of the best other pool."""
    if others == 0:
        return [(1.0, DOWN)]
    if best == DOWN:
        comes = 1 - (1 - beliefs.down_ends_mean) ** others
        return [(comes, 0), (1 - comes, DOWN)]
    (ends, _), *lasting = beliefs.up_next(best)
    return lasting + [(ends * chance, age) for chance, age in _runner_up(beliefs, best, others - 1)]


def _runner_up(beliefs: Beliefs, best: int, unseen: int) -> Moves:
    """The age class of the oldest of pools that are not older than `best`."""
    if unseen == 0:
        return [(1.0, DOWN)]
    shares = [1 - sum(beliefs.up_share), *beliefs.up_share[: best + 1]]
    at_most = [(share / sum(shares)) ** unseen for share in accumulate(shares)]
    return [(upper - lower, age - 1) for age, (lower, upper) in enumerate(pairwise([0, *at_most]))]


def _moves_without_any(beliefs: Beliefs, age: int, others: int) -> Moves:
    """While no pool is up: the youngest down spell has its age, the others the mean chance."""
    none = (1 - beliefs.down_ends[age]) * (1 - beliefs.down_ends_mean) ** others
    grows = none * beliefs.down_grows[age] / (1 - beliefs.down_ends[age])
    older = min(age + 1, AGES - 1)
    return [
        (1 - none, off_state(0, DOWN, 0)),
        (grows, off_state(DOWN, DOWN, older)),
        (max(0.0, none - grows), off_state(DOWN, DOWN, age)),
    ]
