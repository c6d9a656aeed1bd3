"""How long spot availability lasts: the chance that a spell ends, by how old the spell is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

STEP_S = 600.0
"""The step of every probability here: availability was probed once in ten minutes."""

AGE_EDGES_S = (600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0)
AGES = len(AGE_EDGES_S) + 1
DOWN = -1
"""Stands for the age class of a pool that has nothing to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """Per age class, within one step: the chances that a spell ends, or grows into the next class.

    `up_share` is the chance to find a pool in an up spell of that class, at any time.
    """

    up_ends: tuple[float, ...]
    up_grows: tuple[float, ...]
    down_ends: tuple[float, ...]
    down_grows: tuple[float, ...]
    up_share: tuple[float, ...]
    down_ends_mean: float

    def up_next(self, age: int) -> list[tuple[float, int]]:
        """Where a pool up for `age` is a step later: (chance, age class) with DOWN for ended."""
        ends, grows = self.up_ends[age], self.up_grows[age]
        older = min(age + 1, AGES - 1)
        return [(ends, DOWN), (grows, older), (max(0.0, 1 - ends - grows), age)]

    def over(self, steps: int) -> Beliefs:
        """The same beliefs for a step that is so many times as long."""
        if steps == 1:
            return self
        return replace(
            self,
            up_ends=_compound(self.up_ends, steps),
            up_grows=_grows_over(self.up_ends, self.up_grows, steps),
            down_ends=_compound(self.down_ends, steps),
            down_grows=_grows_over(self.down_ends, self.down_grows, steps),
            down_ends_mean=_compound((self.down_ends_mean,), steps)[0],
        )

    def taken_back(self, ratio: float) -> Beliefs:
        """The same beliefs for pools that take their machines back `ratio` times as often.

        Down spells stay as they are; the time up is shared anew, so that older spells are commoner
        in a calmer pool.
        """
        if ratio == 1:
            return self
        ends = tuple(1 - (1 - chance) ** ratio for chance in self.up_ends)
        grows = tuple(
            grow * (1 - new) / (1 - old)
            for grow, old, new in zip(self.up_grows, self.up_ends, ends, strict=True)
        )
        changed = replace(self, up_ends=ends, up_grows=grows)
        times = [
            share * new / old
            for share, old, new in zip(
                self.up_share, self._steps_by_class(), changed._steps_by_class(), strict=True
            )
        ]
        whole = sum(times) + 1 - sum(self.up_share)
        return replace(changed, up_share=tuple(time / whole for time in times))

    @property
    def losses_per_hour_up(self) -> float:
        """How often a machine is taken back while it is up, at any age."""
        up = sum(self.up_share)
        ends = sum(share * end for share, end in zip(self.up_share, self.up_ends, strict=True))
        return ends / up * 3600 / STEP_S

    def _steps_by_class(self) -> list[float]:
        """Expected steps that an up spell spends in each age class."""
        reached, steps = 1.0, []
        for end, grow in zip(self.up_ends, self.up_grows, strict=True):
            steps.append(reached / (end + grow))
            reached *= grow / (end + grow)
        return steps

    def expected_steps_up(self, age: int) -> float:
        """Expected rest of an up spell, in steps."""
        rest = 1 / self.up_ends[-1]
        for at in range(AGES - 2, age - 1, -1):
            leaves = self.up_ends[at] + self.up_grows[at]
            rest = 1 / leaves + self.up_grows[at] / leaves * rest
        return rest


# 27 availability series of Wu et al., "Can't Be Late" (NSDI 2024), AWS V100 and K80, 2022-2023:
# the share of steps, over windows of 72 h that begin blind, each series with the same weight.
# Fitted by benchmarks/policy/fitting.py.
MEASURED = Beliefs(
    up_ends=(0.3102, 0.1815, 0.1145, 0.0632, 0.0423, 0.0267, 0.0163),
    up_grows=(0.6898, 0.3730, 0.2645, 0.1349, 0.0650, 0.0296, 0.0),
    down_ends=(0.3899, 0.2151, 0.1485, 0.0801, 0.0472, 0.0285, 0.0109),
    down_grows=(0.6101, 0.3515, 0.2455, 0.1274, 0.0609, 0.0296, 0.0),
    up_share=(0.0420, 0.0521, 0.0509, 0.0735, 0.0907, 0.1004, 0.1562),
    down_ends_mean=0.0970,
)


def _age_of_an_unseen_spell_s() -> float:
    mean = MEASURED.losses_per_hour_up * STEP_S / 3600
    nearest = min(range(AGES), key=lambda age: abs(MEASURED.up_ends[age] - mean))
    return AGE_EDGES_S[nearest - 1] if nearest else 0.0


UNSEEN_AGE_S = _age_of_an_unseen_spell_s()
"""The age given to a spell that nobody saw begin: there it ends as often as any come upon."""


def _compound(chances: Iterable[float], times: int) -> tuple[float, ...]:
    """The chance that it happens at least once in so many tries."""
    return tuple(1 - (1 - chance) ** times for chance in chances)


def _grows_over(ends: Sequence[float], grows: Sequence[float], steps: int) -> tuple[float, ...]:
    given_it_lasts = _compound(
        (grow / (1 - end) for end, grow in zip(ends, grows, strict=True)), steps
    )
    lasts = (1 - end for end in _compound(ends, steps))
    return tuple(last * grow for last, grow in zip(lasts, given_it_lasts, strict=True))


def age_class(age_s: float) -> int:
    """The class of a spell that has lasted `age_s` so far."""
    return bisect_right(AGE_EDGES_S, age_s)


class Spells:
    """How old the spell of each pool is, in seconds; the first ones nobody saw begin."""

    def __init__(self, pools: int) -> None:
        self.ages_s = [UNSEEN_AGE_S] * pools
        self._before: Sequence[bool] | None = None

    def observe(self, available: Sequence[bool], elapsed_s: float) -> None:
        """Take in the flags of this moment, `elapsed_s` after those before."""
        if self._before is not None:
            self.ages_s = [
                age_s + elapsed_s if was == is_up else 0.0
                for age_s, was, is_up in zip(self.ages_s, self._before, available, strict=True)
            ]
        self._before = tuple(available)
