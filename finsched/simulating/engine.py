"""One job in one future: the clock goes from decision to decision, the policy is production's.

A policy decides at every tick of the job, when its machine is taken back and when a cool-down
ends. Where it is patient the clock jumps to the next moment at which anything can change. As in
production the net overrules it: on-demand, where one more interruption would miss the deadline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from finsched.backtest.course import Course, Upkeep
from finsched.decide.spot.ruling import rule
from finsched.decide.spot.situation import Off, Placement, Policy, Situation, SpotJob
from finsched.simulating.futures import PoolFuture
from finsched.simulating.patience import Patience
from finsched.simulating.sight import CoolDown, Sight

_PRODUCTION = CoolDown()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job went in one future; `finish_s` is None if it had not ended at its horizon."""

    cost: float
    finish_s: float | None
    starts: int
    interruptions: int
    spot_s: float
    on_demand_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a life goes: until when at most, what machines need, and who has the last word.

    `upkeep` None takes the job's changeover for every start and loses no work.
    """

    horizon_s: float
    upkeep: Callable[[Placement], Upkeep] | None = None
    patience: Patience = Patience.NONE
    has_net: bool = True
    cool_down: CoolDown = _PRODUCTION


def live_through(
    job: SpotJob, policy: Policy, future: Sequence[PoolFuture], rules: Rules
) -> Outcome:
    """Run a job in a future, to its end or to the horizon."""
    life = _Life(job, policy, Sight(future, rules.cool_down), rules)
    while life.goes_on:
        life.decide()
        life.run()
    return life.outcome()


class _Life:
    """A job under way: its course, its clock, and the end of the machine that it holds."""

    def __init__(self, job: SpotJob, policy: Policy, sight: Sight, rules: Rules) -> None:
        self._job, self._policy, self._sight, self._rules = job, policy, sight, rules
        self._course = Course(job, rules.upkeep, hands_over=True)
        self._now_s, self._tick = 0.0, 0
        self._lost_at_s = math.inf
        self._finished = False

    @property
    def goes_on(self) -> bool:
        """Whether the end is still to come."""
        return not self._finished and self._now_s < self._rules.horizon_s

    def decide(self) -> None:
        """Ask the policy until it gets what it wants; it leaves a machine only for another."""
        while not self._goes_where_it_wants():
            pass
        self._sight.look(self._now_s)

    def _goes_where_it_wants(self) -> bool:
        self._sight.look(self._now_s)
        wanted = self._wanted(self._now_s)
        if wanted == self._course.placement:
            return True
        lost_at_s: float | None = math.inf
        if isinstance(wanted, int):
            lost_at_s = self._sight.ask(wanted, self._now_s)
        else:
            self._sight.leave()
        if lost_at_s is None:
            return False
        self._lost_at_s = lost_at_s
        self._course.go_to(wanted)
        return True

    def run(self) -> None:
        """Until the next decision, the loss of the machine, or the end."""
        finish_s = self._now_s + self._course.left_s
        until_s = min(self._lost_at_s, self._next_decision_s(), self._rules.horizon_s)
        if finish_s <= until_s:
            self._finished = self._course.run_for(math.inf)
            self._now_s = finish_s
            return
        self._course.run_for(until_s - self._now_s)
        self._now_s = until_s
        if self._lost_at_s <= until_s:
            self._course.interrupt()
            self._sight.lose(until_s)
            self._lost_at_s = math.inf

    def outcome(self) -> Outcome:
        """The account at the end."""
        course = self._course
        return Outcome(
            cost=course.cost,
            finish_s=self._now_s if self._finished else None,
            starts=course.starts,
            interruptions=course.interruptions,
            spot_s=course.spot_s,
            on_demand_s=course.on_demand_s,
        )

    def _wanted(self, at_s: float) -> Placement:
        """What the policy wants, behind the net; asked for a moment before any cool-down ends."""
        ages_s = self._sight.ages_s(at_s)
        now = self._situation(at_s, self._course.work_left_s, ages_s)
        kept_left_s = self._course.kept_left_s if self._rules.has_net else -math.inf
        wanted, forced = rule(self._policy, self._job, now, kept_left_s)
        if forced or wanted is Off.ON_DEMAND:
            return wanted
        return self._course.placement if self._stays(wanted) else wanted

    def _stays(self, wanted: Placement) -> bool:
        """As in production: no machine is given up to wait, nor for spot before it runs."""
        if self._course.placement is Off.IDLE:
            return False
        return wanted is Off.IDLE or self._course.changeover_left_s > 0

    def _situation(self, at_s: float, work_left_s: float, ages_s: list[float]) -> Situation:
        return Situation(
            time_left_s=self._job.deadline_s - at_s,
            work_left_s=work_left_s,
            placement=self._course.placement,
            changeover_left_s=self._changeover_left_s,
            data_region=self._course.data_region,
            available=self._sight.can_be_asked,
            ages_s=ages_s,
        )

    @property
    def _changeover_left_s(self) -> float:
        """What is left of the changeover that the policy knows of; none once the job runs."""
        left_s = self._course.changeover_left_s
        gone_s = self._course.start_s - left_s
        return max(self._job.changeover_s - gone_s, 0.0) if left_s > 0 else 0.0

    def _next_decision_s(self) -> float:
        placement, patience = self._course.placement, self._rules.patience
        if placement is Off.ON_DEMAND and Patience.ON_DEMAND in patience:
            return math.inf
        if isinstance(placement, int) and Patience.ON_SPOT in patience:
            return self._net_s()
        change_s = self._sight.next_change_s
        if placement is Off.IDLE and Patience.IDLE in patience and not self._sight.any_to_ask:
            return min(self._gives_up_s(), change_s)
        return min(self._next_tick() * self._job.tick_s, change_s)

    def _net_s(self) -> float:
        """The first tick at which the net could need to catch the job, were nothing kept before."""
        if not self._rules.has_net or math.isinf(self._job.deadline_s):
            return math.inf
        tick_s = self._job.tick_s
        needed_s = tick_s + self._course.kept_left_s + self._job.changeover_s
        tick = math.ceil((self._job.deadline_s - needed_s) / tick_s)
        return max(tick, self._next_tick()) * tick_s

    def _next_tick(self) -> int:
        """The first tick after now."""
        tick_s = self._job.tick_s
        self._tick = max(self._tick, int(self._now_s // tick_s))
        while self._tick * tick_s <= self._now_s:
            self._tick += 1
        return self._tick

    def _gives_up_s(self) -> float:
        """The first tick before the next change at which the policy no longer waits."""
        tick_s, first = self._job.tick_s, self._next_tick()
        last = math.ceil(min(self._sight.next_change_s, self._rules.horizon_s) / tick_s)
        if last <= first or self._still_waits(last - 1):
            return math.inf
        while first < last:
            middle = (first + last) // 2
            if self._still_waits(middle):
                first = middle + 1
            else:
                last = middle
        return first * tick_s

    def _still_waits(self, tick: int) -> bool:
        return self._wanted(tick * self._job.tick_s) is Off.IDLE
