"""One job against recorded availability: the clock steps, the policy decides, money is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from finsched.backtest.course import Course
from finsched.backtest.recorded import Window
from finsched.decide.spot.policies import MakePolicy
from finsched.decide.spot.situation import Pool, Situation, SpotJob
from finsched.decide.spot.spells import Spells


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a replayed job cost, in hours on demand, and whether it was late."""

    cost: float
    missed: bool
    starts: int
    interruptions: int


def spot_job(window: Window) -> SpotJob:
    """The job of a window, as a policy is told it."""
    return SpotJob(
        tick_s=window.tick_s,
        deadline_s=window.ticks * window.tick_s,
        work_s=window.work_s,
        changeover_s=window.changeover_s,
        on_demand_price_per_hour=1.0,
        egress_price=window.egress,
        pools=tuple(
            Pool(region=region, price_per_hour=window.spot_price) for region in window.regions
        ),
    )


def replay(
    window: Window, make_policy: MakePolicy, make_course: Callable[[SpotJob], Course] = Course
) -> Outcome:
    """Run the job of a window under a policy; another course can have other machines."""
    job = spot_job(window)
    policy = make_policy(job)
    course, spells = make_course(job), Spells(len(job.pools))
    for tick, available in enumerate(zip(*window.available, strict=True)):
        course.take_back(available)
        spells.observe(available, job.tick_s)
        course.go_to(policy.decide(_situation(job, course, spells, tick, available)))
        if course.run_for(job.tick_s):
            break
    return Outcome(
        cost=course.cost,
        missed=course.work_left_s > 0,
        starts=course.starts,
        interruptions=course.interruptions,
    )


def _situation(
    job: SpotJob, course: Course, spells: Spells, tick: int, available: tuple[bool, ...]
) -> Situation:
    """What the policy sees."""
    return Situation(
        time_left_s=job.deadline_s - tick * job.tick_s,
        work_left_s=course.work_left_s,
        placement=course.placement,
        changeover_left_s=course.changeover_left_s,
        data_region=course.data_region,
        available=available,
        ages_s=spells.ages_s,
    )
