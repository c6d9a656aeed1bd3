"""What even a right plan pays for not knowing the future: markets that move as they are believed.

Run: `python -m benchmarks.policy.made_up --traces DIR --windows FILE`. Made-up pools draw the end
of every spell from chances by its age: first all from the beliefs of the policy, then each from
those fitted on one recorded pool, with the policy told so and not told so. One pool at a time.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from benchmarks.policy.ablation import beliefs_about
from benchmarks.policy.cases import Case, read_cases
from finsched.backtest.omniscient import least_cost
from finsched.backtest.recorded import Window
from finsched.backtest.replay import replay
from finsched.decide.spot.adaptive import Adaptive
from finsched.decide.spot.spells import MEASURED, STEP_S, Beliefs, age_class

_SEED = 7
_BEFORE = 432  # steps that nobody sees, so that a job begins at any moment of a spell
_RAREST, _COMMONEST = 0.02, 0.995


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Of one job in a made-up market."""

    told: float
    untold: float
    foresight: float


def main(arguments: list[str] | None = None) -> None:
    """Print the excess by setting, and its mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--windows", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=4, help="for each pool and setting")
    asked = parser.parse_args(arguments)
    cases, recordings = read_cases(asked.traces, asked.windows)
    lived = [each for each in recordings if _RAREST < fmean(each.available) < _COMMONEST]
    own = [beliefs_about([recording.name], lived) for recording in lived]
    for name, laws in (("one law for all", [MEASURED] * len(lived)), ("each its own law", own)):
        print_excess(name, list(single_jobs(cases)), laws, asked.jobs)


def print_excess(name: str, jobs: Sequence[Window], laws: Sequence[Beliefs], each: int) -> None:
    """The excess of a policy that is told the law of its pool, and of one that is not."""
    draw = random.Random(_SEED)
    means = []
    for window in jobs:
        lives = [live(window, law, draw) for law in laws for _ in range(each)]
        told, untold = (excess(lives, which) for which in ("told", "untold"))
        means.append((told, untold))
        print(f"{name}: {window.setting:<14} told {told:.4f}, not told {untold:.4f}", flush=True)
    told, untold = (fmean(column) for column in zip(*means, strict=True))
    print(f"{name}: {'mean':<14} told {told:.4f}, not told {untold:.4f}")


def single_jobs(cases: Sequence[Case]) -> Iterator[Window]:
    """One job of every setting, on one pool, in the steps that beliefs are about."""
    seen = set()
    for case in cases:
        window = case.window
        if window.mode == "single" and window.tick_s == STEP_S and window.setting not in seen:
            seen.add(window.setting)
            yield window


def live(window: Window, law: Beliefs, draw: random.Random) -> Costs:
    """One job in a market that moves by this law."""
    made_up = replace(window, available=(tuple(availability(law, window.ticks, draw)),))
    return Costs(
        told=replay(made_up, lambda job: Adaptive(job, law)).cost,
        untold=replay(made_up, Adaptive).cost,
        foresight=least_cost(made_up),
    )


def availability(law: Beliefs, steps: int, draw: random.Random) -> list[bool]:
    """Step by step: a spell ends by the chance of its age."""
    flags: list[bool] = []
    is_up, age_s = draw.random() < sum(law.up_share), 0.0
    for _ in range(_BEFORE + steps):
        flags.append(is_up)
        ends = (law.up_ends if is_up else law.down_ends)[age_class(age_s)]
        flips = draw.random() < ends
        is_up, age_s = is_up != flips, 0.0 if flips else age_s + STEP_S
    return flags[_BEFORE:]


def excess(lives: Sequence[Costs], which: str) -> float:
    """Mean cost above mean cost with perfect foresight."""
    return fmean(getattr(each, which) for each in lives) / fmean(e.foresight for e in lives) - 1


if __name__ == "__main__":
    main()
