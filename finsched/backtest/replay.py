"""One job against recorded availability: the clock steps, the policy decides, money is counted."""

from __future__ import annotations

from dataclasses import dataclass

from finsched.backtest.recorded import Window
from finsched.decide.spot.policies import MakePolicy
from finsched.decide.spot.situation import Off, Placement, Pool, Situation, SpotJob
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


def replay(window: Window, make_policy: MakePolicy) -> Outcome:
    """Run the job of a window under a policy."""
    job = spot_job(window)
    policy = make_policy(job)
    course = _Course(job)
    for tick, available in enumerate(zip(*window.available, strict=True)):
        course.interrupt(available)
        course.go_to(policy.decide(course.situation(tick, available)))
        if course.run_tick():
            break
    return course.outcome()


class _Course:
    """The state of a replayed job between ticks."""

    def __init__(self, job: SpotJob) -> None:
        self._job = job
        self._placement: Placement = Off.IDLE
        self._changeover_left_s = 0.0
        self._work_left_s = job.work_s
        self._data_region: str | None = None
        self._cost = 0.0
        self._starts = self._interruptions = 0
        self._spells = Spells(len(job.pools))

    def interrupt(self, available: tuple[bool, ...]) -> None:
        """A pool without machines takes its own back."""
        if isinstance(self._placement, int) and not available[self._placement]:
            self._placement = Off.IDLE
            self._changeover_left_s = 0.0
            self._interruptions += 1

    def situation(self, tick: int, available: tuple[bool, ...]) -> Situation:
        """What the policy sees."""
        self._spells.observe(available, self._job.tick_s)
        return Situation(
            time_left_s=self._job.deadline_s - tick * self._job.tick_s,
            work_left_s=self._work_left_s,
            placement=self._placement,
            changeover_left_s=self._changeover_left_s,
            data_region=self._data_region,
            available=available,
            ages_s=self._spells.ages_s,
        )

    def go_to(self, placement: Placement) -> None:
        """Stay, stop, or start elsewhere and pay the changeover and the way of the data."""
        if placement == self._placement:
            return
        self._placement = placement
        if placement is Off.IDLE:
            self._changeover_left_s = 0.0
            return
        self._starts += 1
        self._changeover_left_s = self._job.changeover_s
        self._bring_data(placement)

    def run_tick(self) -> bool:
        """One tick of time; whether the work is finished."""
        if self._placement is Off.IDLE:
            return False
        tick_s = self._job.tick_s
        lost_s = min(self._changeover_left_s, tick_s)
        self._changeover_left_s -= lost_s
        done_s = min(tick_s - lost_s, self._work_left_s)
        finished = tick_s - lost_s >= self._work_left_s
        self._cost += (lost_s + done_s) / 3600 * self._price_per_hour()
        self._work_left_s -= done_s
        return finished

    def outcome(self) -> Outcome:
        """The account at the end; late with any work left."""
        return Outcome(
            cost=self._cost,
            missed=self._work_left_s > 0,
            starts=self._starts,
            interruptions=self._interruptions,
        )

    def _bring_data(self, placement: Placement) -> None:
        """On-demand runs where the data is; spot elsewhere moves it."""
        if not isinstance(placement, int):
            self._data_region = self._data_region or self._job.pools[0].region
            return
        region = self._job.pools[placement].region
        if self._data_region not in (None, region):
            self._cost += self._job.egress_price
        self._data_region = region

    def _price_per_hour(self) -> float:
        if isinstance(self._placement, int):
            return self._job.pools[self._placement].price_per_hour
        return self._job.on_demand_price_per_hour
