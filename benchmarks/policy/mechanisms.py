"""What cheaper starts and safer work are worth under the same policy, each on its own.

Run: `python -m benchmarks.policy.mechanisms --traces DIR --windows FILE`. Costs are of on-demand
at the same work; these replays have other machines than the ones the policies are scored on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from benchmarks.policy.cases import Case, read_cases
from benchmarks.policy.overlap import Overlap
from benchmarks.policy.replays import MissedDeadline
from finsched.backtest.course import Course, Upkeep
from finsched.backtest.recorded import Window
from finsched.backtest.replay import replay
from finsched.backtest.summary import Result, cells
from finsched.decide.pricing.cadence import interval_hours
from finsched.decide.pricing.walltime import stretch
from finsched.decide.spot.adaptive import Adaptive
from finsched.decide.spot.policies import MakePolicy
from finsched.decide.spot.situation import SpotJob
from finsched.decide.spot.spells import MEASURED, STEP_S

MakeCourse = Callable[[SpotJob], Course]
_SAVE_S = (10, 60, 180)
_LONG_WORK_HOURS = 48.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """A change to the machines; `lost_s` is the most work that an interruption can lose."""

    name: str
    make_course: MakeCourse = Course
    changeover: float = 1.0
    lost_s: float = 0.0


def losing(kept_every_s: float) -> MakeCourse:
    """Courses that keep their work only at every so-manieth second of running."""
    return lambda job: Course(
        job, lambda _: Upkeep(start_s=job.changeover_s, kept_every_s=kept_every_s)
    )


MECHANISMS = (
    Mechanism(name="as scored"),
    Mechanism(name="make before break", make_course=Overlap),
    Mechanism(name="starts take half as long", changeover=0.5),
    Mechanism(name="starts take a tenth", changeover=0.1),
    Mechanism(name="both: a tenth, make before break", make_course=Overlap, changeover=0.1),
    Mechanism(name="0.25 h lost on average, no hint", make_course=losing(1800), lost_s=1800),
    Mechanism(name="0.5 h lost on average, no hint", make_course=losing(3600), lost_s=3600),
)


def main(arguments: list[str] | None = None) -> None:
    """Print what each mechanism gives, and what a cadence by age would."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--windows", type=Path, required=True)
    asked = parser.parse_args(arguments)
    cases, _ = read_cases(asked.traces, asked.windows)
    print(f"{'':<36}{'default single':>16}{'default multi':>16}{'mean of cells':>16}")
    for mechanism in MECHANISMS:
        costs = costs_by_cell(cases, mechanism)
        shown = (costs.get(("default", mode), float("nan")) for mode in ("single", "multi"))
        columns = [*shown, fmean(costs.values())]
        print(f"{mechanism.name:<36}" + "".join(f"{cost:>16.4f}" for cost in columns))
    for save_s in _SAVE_S:
        constant, by_age = cadence_overheads(save_s / 3600)
        print(f"saves of {save_s} s: {constant:.2%} lost at one interval, {by_age:.2%} by age")


def costs_by_cell(cases: Sequence[Case], mechanism: Mechanism) -> dict[tuple[str, str], float]:
    """Mean cost of every setting and mode, of on-demand at the same work."""
    results = [_result(case.window, mechanism) for case in cases]
    return {(cell.setting, cell.mode): cell.norm_cost for cell in cells(results)}


def cadence_overheads(save_hours: float) -> tuple[float, float]:
    """The expected share of time lost to saves and rework: one interval for all ages, and by age.

    Time on spot is shared by age as availability is; the hazard is that of the age.
    """
    hazards = [ends * 3600 / STEP_S for ends in MEASURED.up_ends]
    mean = MEASURED.losses_per_hour_up
    constant = [_overhead(save_hours, _interval(save_hours, mean), hazard) for hazard in hazards]
    by_age = [_overhead(save_hours, _interval(save_hours, hazard), hazard) for hazard in hazards]
    return _by_share(constant), _by_share(by_age)


def _result(window: Window, mechanism: Mechanism) -> Result:
    changed = replace(window, changeover_s=window.changeover_s * mechanism.changeover)
    outcome = replay(changed, _wary(mechanism.lost_s), mechanism.make_course)
    if outcome.missed:
        raise MissedDeadline(window.id)
    return Result(window=changed, outcome=outcome)


def _wary(lost_s: float) -> MakePolicy:
    """The policy counts what can be lost as part of every start, so that it is never late."""
    return lambda job: Adaptive(replace(job, changeover_s=job.changeover_s + lost_s))


def _interval(save_hours: float, hazard_per_hour: float) -> float:
    return interval_hours(
        work_hours=_LONG_WORK_HOURS, save_hours=save_hours, hazard_per_hour=hazard_per_hour
    )


def _overhead(save_hours: float, every_hours: float, hazard_per_hour: float) -> float:
    return stretch(every_hours, save_hours, hazard_per_hour) / hazard_per_hour - 1


def _by_share(overheads: Sequence[float]) -> float:
    shares = MEASURED.up_share
    weighted = sum(share * lost for share, lost in zip(shares, overheads, strict=True))
    return weighted / sum(shares)


if __name__ == "__main__":
    main()
