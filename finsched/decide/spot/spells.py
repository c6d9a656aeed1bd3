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
        return [(ends, DOWN), (grows, older), (1 - ends - grows, age)]

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
MEASURED = Beliefs(
    up_ends=(0.3027, 0.1760, 0.1102, 0.0624, 0.0419, 0.0267, 0.0164),
    up_grows=(0.6973, 0.3768, 0.2669, 0.1352, 0.0652, 0.0297, 0.0),
    down_ends=(0.3830, 0.2093, 0.1423, 0.0784, 0.0463, 0.0285, 0.0109),
    down_grows=(0.6170, 0.3554, 0.2490, 0.1279, 0.0610, 0.0296, 0.0),
    up_share=(0.0433, 0.0544, 0.0540, 0.0721, 0.0893, 0.0991, 0.1537),
    down_ends_mean=0.0970,
)


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
    """For how long each pool has been seen as it is, in seconds."""

    def __init__(self, pools: int) -> None:
        self.ages_s = [0.0] * pools
        self._before: Sequence[bool] | None = None

    def observe(self, available: Sequence[bool], elapsed_s: float) -> None:
        """Take in the flags of this moment, `elapsed_s` after those before."""
        if self._before is not None:
            self.ages_s = [
                age_s + elapsed_s if was == is_up else 0.0
                for age_s, was, is_up in zip(self.ages_s, self._before, available, strict=True)
            ]
        self._before = tuple(available)
