"""What a run can choose from at a moment: the quotes of what is left, and a policy's frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from finsched.decide.live.cooldown import Cooling, cooling, cools, heat
from finsched.decide.live.remaining import done, remaining, slowness
from finsched.decide.offers.speed import speed_of
from finsched.decide.rank import decide
from finsched.decide.spot.framing import Frame, Horizon, frame
from finsched.decide.spot.policies import MakePolicy, named
from finsched.decide.timing.scavenging import nothing_cheap, too_dear
from finsched.model.job import CapacityPreference
from finsched.model.market import CapacityType, CoolDown, Market, Pool
from finsched.model.quote import Quote
from finsched.model.run import Placement, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """How slow we are ourselves: the time between two looks, and the least that a start takes."""

    look: timedelta = timedelta(0)
    start: timedelta = timedelta(0)


_AT_ONCE = Reaction()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospects:
    """The quotes for the rest of a run, the cheapest first, and its frame where there is a choice.

    `frame` is None where nothing is to be weighed: without a deadline, without stated hours of
    work, or where only spot or only on-demand may be used. Then the first quote is taken.
    `too_dear` says why nothing may run at present prices, `live_too_dear` why the live attempt may
    not go on. `lacks` says what is missing here to launch anything. `elsewhere` is what other runs
    have been refused, or have lost, a moment ago.
    """

    quotes: tuple[Quote, ...] = ()
    too_dear: str | None = None
    live_too_dear: str | None = None
    lacks: str | None = None
    frame: Frame | None = None
    elsewhere: tuple[CoolDown, ...] = ()
    make_policy: MakePolicy = field(default_factory=lambda: named("adaptive"))


def prospects(
    run: Run,
    market: Market,
    now: datetime,
    *,
    make_policy: MakePolicy,
    reaction: Reaction = _AT_ONCE,
) -> Prospects:
    """Quote what remains of a run, and frame it for its policy."""
    rest = remaining(run, slowness(run, _believed_speed(run, market)))
    decision = decide(rest, market, now=now)
    elsewhere = () if run.rehearsal else market.experience.cooling
    hot = cooling(run, now, elsewhere)
    return Prospects(
        quotes=decision.quotes,
        too_dear=nothing_cheap(run.job, decision),
        live_too_dear=too_dear(run, market.offers),
        frame=_frame(run, _without_refused(decision.quotes, hot), now, reaction),
        elsewhere=elsewhere,
        make_policy=make_policy,
    )


def market_matters(run: Run) -> bool:
    """Whether what a run does next may depend on the market.

    A live attempt without a deadline and without a price that it must stay below just goes on.
    """
    job = run.job
    return (
        run.live_attempt is None or _may_weigh(run) or job.scavenge_below_usd_per_hour is not None
    )


def rested(quotes: tuple[Quote, ...], hot: Cooling) -> tuple[Quote, ...]:
    """The quotes without those that cool down; where all do, the least hot comes first."""
    rest = tuple(quote for quote in quotes if not cools(quote, hot))
    return rest or tuple(sorted(quotes, key=lambda quote: heat(quote, hot)))


def _believed_speed(run: Run, market: Market) -> Callable[[Placement], float]:
    """The speed of a placement's machine as its next quote takes it."""

    def speed(placement: Placement) -> float:
        machine = placement.offer.instance_type
        believed = speed_of(run.job, machine, market.accelerators, market.experience.paces)
        return believed.factor if believed else placement.speedup

    return speed


def _frame(run: Run, quotes: tuple[Quote, ...], now: datetime, reaction: Reaction) -> Frame | None:
    deadline = run.deadline_at
    if deadline is None or not _may_weigh(run):
        return None
    horizon = Horizon(
        deadline_s=(deadline - run.submitted_at).total_seconds(),
        left_s=(deadline - now).total_seconds(),
        done=done(run),
        reaction_s=reaction.look.total_seconds(),
        changeover_s=max(_longest_start_s(run), reaction.start.total_seconds()),
        kept_every_s=_longest_unkept_s(run),
    )
    return frame(quotes, horizon, _held(run))


def _may_weigh(run: Run) -> bool:
    """Whether there is more than one way to go on: with a deadline, and spot and on-demand."""
    job = run.job
    both = job.capacity is CapacityPreference.AUTO
    return job.deadline is not None and job.work is not None and both


def _longest_start_s(run: Run) -> float:
    """The longest time from an intent to the job's first second that this run has seen."""
    starts = (
        (each.started_at - each.intended_at).total_seconds()
        for each in run.attempts
        if each.started_at and not each.standby
    )
    return max(starts, default=0.0)


def _longest_unkept_s(run: Run) -> float:
    """The longest time that this run has seen between two commits, or a start and the first one."""
    kept: dict[int, list[datetime]] = {}
    for point in run.checkpoints:
        kept.setdefault(point.attempt, []).append(point.at)
    gaps = [0.0]
    for attempt in run.attempts:
        if attempt.started_at:
            moments = [attempt.started_at, *kept.get(attempt.number, ())]
            gaps += [(late - early).total_seconds() for early, late in pairwise(moments)]
    return max(gaps)


def _without_refused(quotes: tuple[Quote, ...], hot: Cooling) -> tuple[Quote, ...]:
    """An on-demand pool that has just refused a machine is no way out, unless all have."""
    calm = tuple(each for each in quotes if each.offer.capacity_type is CapacityType.ON_DEMAND)
    spot = tuple(each for each in quotes if each.offer.capacity_type is CapacityType.SPOT)
    left = rested(calm, hot)
    return (*spot, *(left[:1] if left and cools(left[0], hot) else left))


def _held(run: Run) -> Pool | None:
    attempt = run.live_attempt
    return attempt.placement.offer.pool if attempt else None
