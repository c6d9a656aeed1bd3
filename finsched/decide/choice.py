"""What a policy wants for a run with a deadline, behind the net that keeps the deadline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from finsched.decide.cooldown import Cooling, cooling
from finsched.decide.prospects import Prospects
from finsched.decide.remaining import done, in_hand
from finsched.decide.spot.framing import Frame
from finsched.decide.spot.safety import can_still_fall_back
from finsched.decide.spot.sightings import spell_ages_s
from finsched.decide.spot.situation import Off, Placement, Policy, Situation, Weighing
from finsched.decide.step import Launch, Move, Stay, Wait
from finsched.model.market import CapacityType
from finsched.model.quote import Quote
from finsched.model.run import Attempt, AttemptState, Choice, Option, Run

LONGEST_LOOK = timedelta(minutes=10)


def choose(run: Run, ahead: Prospects, frame: Frame, now: datetime) -> Launch | Move | Wait | Stay:
    """Ask the run's policy, and overrule it where only on-demand still keeps the deadline."""
    desk = _Desk(run=run, frame=frame, policy=ahead.make_policy(frame.job), now=now)
    wanted = desk.policy.decide(desk.situation)
    if isinstance(wanted, int) and not desk.situation.available[wanted]:
        wanted = Off.IDLE
    if wanted is not Off.ON_DEMAND and not desk.is_safe:
        return desk.go(Off.ON_DEMAND, "one more interruption would miss the deadline")
    return desk.go(wanted, _reason(wanted))


def _reason(wanted: Placement) -> str:
    if wanted is Off.IDLE:
        return "waiting is expected to cost least, and there is time"
    return "least expected cost to the end that keeps the deadline"


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """One decision of one run: the situation as its policy sees it, and the step that follows."""

    run: Run
    frame: Frame
    policy: Policy
    now: datetime

    @cached_property
    def situation(self) -> Situation:
        """What the policy is told."""
        pools = [quote.offer.pool for quote in self.frame.pools]
        return Situation(
            time_left_s=self._left.total_seconds(),
            work_left_s=(1 - in_hand(self.run, self.now)) * self.frame.job.work_s,
            placement=self._placement,
            changeover_left_s=_changeover_left_s(self.run.live_attempt, self.frame, self.now),
            data_region=None,
            available=[self._can_be_asked(index) for index in range(len(pools))],
            ages_s=spell_ages_s(self.run, pools, self.now),
        )

    @property
    def is_safe(self) -> bool:
        """Whether on-demand would still do if all that is not kept were lost at the next look."""
        kept = replace(self.situation, work_left_s=(1 - done(self.run)) * self.frame.job.work_s)
        return can_still_fall_back(self.frame.job, kept, Off.IDLE)

    def go(self, wanted: Placement, why: str) -> Launch | Move | Wait | Stay:
        """The step that leads to a placement."""
        if self._stays(wanted):
            return Stay()
        quote = self.frame.quote(wanted)
        if quote is None:
            return Wait(until=self._next_look, choice=self._choice("wait", "", why))
        if self.run.live_attempt is None:
            return Launch(quote=quote, choice=self._choice("launch", named(quote), why))
        return Move(quote=quote, choice=self._choice("move", named(quote), why))

    def _stays(self, wanted: Placement) -> bool:
        """A live attempt is left for something else only once it works, and one at a time."""
        attempt = self.run.live_attempt
        if attempt is None:
            return False
        if wanted == self._placement or wanted is Off.IDLE:
            return True
        return wanted is not Off.ON_DEMAND and attempt.state is not AttemptState.RUNNING

    @cached_property
    def _placement(self) -> Placement:
        attempt = self.run.live_attempt
        if attempt is None:
            return Off.IDLE
        offer = attempt.placement.offer
        if offer.capacity_type is CapacityType.ON_DEMAND:
            return Off.ON_DEMAND
        index = self.frame.index(offer.pool)
        return Off.IDLE if index is None else index

    def _can_be_asked(self, index: int) -> bool:
        """On spot only the own pool counts: nobody tells whether another has a machine."""
        if isinstance(self._placement, int):
            return index == self._placement
        return (self.frame.pools[index].offer.pool, CapacityType.SPOT) not in self._hot

    @cached_property
    def _hot(self) -> Cooling:
        return cooling(self.run, self.now)

    @property
    def _left(self) -> timedelta:
        return (self.run.deadline_at or self.now) - self.now

    @property
    def _slack_s(self) -> float:
        """The time left beyond the work that is not kept and a start on demand."""
        work_s = (1 - done(self.run)) * self.frame.job.work_s
        return self._left.total_seconds() - work_s - self.frame.job.changeover_s

    @property
    def _next_look(self) -> datetime:
        """When the choice may be another: a pool has cooled down, or the slack is used up."""
        slack = timedelta(seconds=max(self._slack_s, 0.0))
        return min([self.now + min(LONGEST_LOOK, slack), *self._hot.values()])

    def _choice(self, step: str, target: str, why: str) -> Choice:
        return Choice(
            step=step,
            target=target,
            why=why,
            slack_seconds=round(self._slack_s, 1),
            options=self._options(),
        )

    def _options(self) -> tuple[Option, ...]:
        if not isinstance(self.policy, Weighing):
            return ()
        weighed = self.policy.weigh(self.situation)
        ranked = sorted(weighed.items(), key=lambda item: item[1])
        return tuple(Option(name=self._name(way), expected_usd=usd) for way, usd in ranked)

    def _name(self, placement: Placement) -> str:
        quote = self.frame.quote(placement)
        return "wait for spot" if quote is None else named(quote)


def named(quote: Quote) -> str:
    """A placement in words: `spot aws/use1-az1/p4d.24xlarge`."""
    return f"{quote.offer.capacity_type.replace('_', '-')} {quote.offer.pool}"


def _changeover_left_s(attempt: Attempt | None, frame: Frame, now: datetime) -> float:
    if attempt is None or attempt.started_at is not None:
        return 0.0
    gone_s = (now - attempt.intended_at).total_seconds()
    return max(frame.job.changeover_s - gone_s, 0.0)
