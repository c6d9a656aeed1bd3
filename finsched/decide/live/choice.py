"""What a policy wants for a run with a deadline, behind the net that keeps the deadline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from finsched.decide.live.cooldown import Cooling, cooling, cools
from finsched.decide.live.prospects import Prospects
from finsched.decide.live.remaining import done, in_hand
from finsched.decide.live.step import Launch, Move, Stay, Wait
from finsched.decide.spot.framing import Frame
from finsched.decide.spot.ruling import Ruling, rule
from finsched.decide.spot.sightings import spell_ages_s
from finsched.decide.spot.situation import Off, Placement, Policy, Situation, Weighing
from finsched.model.market import CapacityType
from finsched.model.quote import Quote
from finsched.model.run import Attempt, AttemptState, Choice, Option, Run

LONGEST_LOOK = timedelta(minutes=10)
_LEAST_WORK_S = 1.0


def choose(run: Run, ahead: Prospects, frame: Frame, now: datetime) -> Launch | Move | Wait | Stay:
    """Ask the run's policy, and overrule it where only on-demand still keeps the deadline."""
    policy = ahead.make_policy(frame.job) if frame.pools else _Patient()
    hot = cooling(run, now, ahead.elsewhere)
    desk = _Desk(run=run, frame=frame, policy=policy, now=now, hot=hot)
    ruling = rule(desk.policy, frame.job, desk.situation, desk.kept_left_s)
    return desk.go(ruling)


class _Patient:
    """Wants nothing: without spot to choose, only the net decides."""

    def decide(self, now: Situation) -> Placement:  # noqa: ARG002 - the protocol's signature
        return Off.IDLE


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """One decision of one run: the situation as its policy sees it, and the step that follows."""

    run: Run
    frame: Frame
    policy: Policy
    now: datetime
    hot: Cooling

    @cached_property
    def situation(self) -> Situation:
        """What the policy is told."""
        pools = [quote.offer.pool for quote in self.frame.pools]
        return Situation(
            time_left_s=self._left.total_seconds(),
            work_left_s=max(
                (1 - in_hand(self.run, self.now)) * self.frame.job.work_s, _LEAST_WORK_S
            ),
            placement=self._placement,
            changeover_left_s=_changeover_left_s(self.run.live_attempt, self.frame, self.now),
            data_region=None,
            available=[self._can_be_asked(index) for index in range(len(pools))],
            ages_s=spell_ages_s(self.run, pools, self.now),
        )

    @property
    def kept_left_s(self) -> float:
        """The work that is not behind a commit; a run that has not ended needs a start at least."""
        return max((1 - done(self.run)) * self.frame.job.work_s, _LEAST_WORK_S)

    def go(self, ruling: Ruling) -> Launch | Move | Wait | Stay:
        """The step that leads to a placement."""
        wanted = ruling.placement
        if self._stays(wanted):
            return Stay()
        quote, why = self.frame.quote(wanted), self._reason(ruling)
        if quote is None:
            return Wait(until=self._next_look, choice=self._choice("wait", "", why))
        if wanted is Off.ON_DEMAND:
            why = self._beside_spot(quote, why)
        if self.run.live_attempt is None:
            return Launch(quote=quote, choice=self._choice("launch", named(quote), why))
        return Move(quote=quote, choice=self._choice("move", named(quote), why))

    def _reason(self, ruling: Ruling) -> str:
        """Why the run goes there."""
        if self.situation.time_left_s < self.situation.work_left_s:
            return "there is less time than work: late, if nothing goes faster than expected"
        if ruling.forced:
            return "one more interruption would miss the deadline"
        if ruling.placement is Off.IDLE:
            return "every spot pool cools down, and there is time"
        if isinstance(self.policy, Weighing):
            if ruling.placement is Off.ON_DEMAND and self._is_dearer:
                return "only on demand is sure to keep the deadline"
            return "least expected cost, and the deadline is kept"
        return f"so decides the policy {self.run.policy}"

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
        return not cools(self.frame.pools[index], self.hot)

    @property
    def _left(self) -> timedelta:
        return (self.run.deadline_at or self.now) - self.now

    @property
    def _slack_s(self) -> float:
        """The time left beyond the work that is not kept and a start on demand."""
        left_s = self._left.total_seconds()
        return left_s - self.kept_left_s - self.frame.job.changeover_s

    @property
    def _next_look(self) -> datetime:
        """When the choice may be another: a pool has cooled down, or the slack is used up."""
        slack = timedelta(seconds=max(self._slack_s, 0.0))
        return min([self.now + min(LONGEST_LOOK, slack), *(each.until for each in self.hot)])

    def _choice(self, step: str, target: str, why: str) -> Choice:
        return Choice(
            step=step,
            target=target,
            why=why,
            slack_seconds=round(self._slack_s, 1),
            options=self._options(),
        )

    @cached_property
    def _weighed(self) -> Mapping[Placement, float]:
        return self.policy.weigh(self.situation) if isinstance(self.policy, Weighing) else {}

    @property
    def _is_dearer(self) -> bool:
        """Whether anything else that could be had is expected to cost less than on-demand."""
        calm_usd = self._weighed.get(Off.ON_DEMAND)
        return calm_usd is not None and min(self._weighed.values()) < calm_usd

    def _beside_spot(self, on_demand: Quote, why: str) -> str:
        """Why a run goes on demand where spot could be had for less an hour."""
        spot = [(usd, where) for where, usd in self._weighed.items() if isinstance(where, int)]
        calm_usd = self._weighed.get(Off.ON_DEMAND)
        if not spot or calm_usd is None:
            return why
        spot_usd, best = min(spot)
        usd_per_hour = self.frame.pools[best].price_usd_per_hour
        if usd_per_hour >= on_demand.price_usd_per_hour:
            return why
        return (
            f"dearer than spot at ${usd_per_hour:,.2f}/h, because {why};"
            f" ${calm_usd:,.2f} expected to the end, ${spot_usd:,.2f} on spot"
        )

    def _options(self) -> tuple[Option, ...]:
        ranked = sorted(self._weighed.items(), key=lambda item: item[1])
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
