"""What a run does next: a pure function from its state and its prospects to one step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from finsched.decide.live.choice import choose, named
from finsched.decide.live.cooldown import Cooling, cooling, cools
from finsched.decide.live.limits import affordable, fits, over
from finsched.decide.live.moving import allowed, beside_a_standby
from finsched.decide.live.prospects import Prospects, rested
from finsched.decide.live.punctual import punctual
from finsched.decide.live.step import End, Launch, Pause, Stay, Step, Wait
from finsched.decide.timing.start_window import TooLate, outside
from finsched.model.market import CapacityType
from finsched.model.quote import Quote
from finsched.model.run import AttemptEnd, Choice, Outcome, Run

NODE_FAILURES_IN_A_ROW = 3
REFUSALS_BEFORE_WAITING = 5
LONGEST_WAIT = timedelta(minutes=10)
PRICES_LOOKED_UP_EVERY = timedelta(minutes=10)


def next_step(
    run: Run,
    *,
    now: datetime,
    spent_usd: Decimal,
    reserve: timedelta = timedelta(0),
    ahead: Prospects | None = None,
) -> Step:
    """Return what the run does next.

    `reserve` is the time that a last checkpoint needs: limits are met that much before they are
    reached. `ahead` is what the run could choose from; a live attempt stays without it.
    """
    end = over(run, now, spent_usd, reserve)
    if end:
        return end
    if run.live_attempt:
        return _while_live(run, now, spent_usd, ahead)
    return _between(run, now, spent_usd, ahead or Prospects())


def _while_live(run: Run, now: datetime, spent_usd: Decimal, ahead: Prospects | None) -> Step:
    if ahead and ahead.live_too_dear:
        return Pause(choice=Choice(step="pause", why=ahead.live_too_dear))
    frame = ahead.frame if ahead else None
    if run.standby:
        return beside_a_standby(run.standby, now, frame.job.changeover_s if frame else None)
    if ahead is None or frame is None:
        return Stay()
    frame = frame.without_spot() if _only_calm(run) else frame
    return allowed(run, choose(run, ahead, frame, now), now, spent_usd)


def _between(run: Run, now: datetime, spent_usd: Decimal, ahead: Prospects) -> Step:
    """Between two attempts: launch or wait, as long as there is something to pay it with."""
    step = _broken(run) or _held(run, now, ahead) or _wanted(run, now, ahead)
    if not isinstance(step, Launch):
        return step
    if not (affordable(run, step.quote, spent_usd) and fits(run, step.quote, spent_usd)):
        step = _something_affordable(run, now, spent_usd, ahead)
    if not isinstance(step, Launch):
        return step
    return _back_off(run, now, step.quote, cooling(run, now, ahead.elsewhere)) or step


def _held(run: Run, now: datetime, ahead: Prospects) -> Step | None:
    """Why nothing may start now: the start window, something that is missing, or the prices."""
    held = outside(run, now)
    if isinstance(held, TooLate):
        return End(outcome=Outcome.DEADLINE, why=held.why)
    if held:
        return Wait(until=held.until, choice=Choice(step="wait", why=held.why))
    if why := ahead.lacks or ahead.too_dear:
        until = now + PRICES_LOOKED_UP_EVERY
        return Wait(until=until, choice=Choice(step="wait", why=why))
    return None


def _wanted(run: Run, now: datetime, ahead: Prospects) -> Step:
    quotes = _allowed(run, rested(ahead.quotes, cooling(run, now, ahead.elsewhere)))
    if not quotes:
        return End(outcome=Outcome.NO_PLACEMENT, why="no feasible offer is left for the rest")
    frame = ahead.frame
    if frame is None or not frame.pools or _only_calm(run):
        return _cheapest(run, punctual(quotes, _left_s(run, now)))
    return choose(run, ahead, frame, now)


def _something_affordable(run: Run, now: datetime, spent_usd: Decimal, ahead: Prospects) -> Step:
    """What is expected to end within the budget, else what can at least be started."""
    quotes = _allowed(run, rested(ahead.quotes, cooling(run, now, ahead.elsewhere)))
    startable = [quote for quote in quotes if affordable(run, quote, spent_usd)]
    payable = [quote for quote in startable if fits(run, quote, spent_usd)]
    if startable:
        return _cheapest(run, punctual(payable or startable, _left_s(run, now)))
    return End(outcome=Outcome.BUDGET, why="what is left of the budget does not pay for a start")


def _left_s(run: Run, now: datetime) -> float | None:
    return (run.deadline_at - now).total_seconds() if run.deadline_at else None


def _cheapest(run: Run, quotes: Sequence[Quote]) -> Launch:
    quote = quotes[0]
    rest = "for what is left" if run.attempts else "for the whole run"
    cents = quote.total_usd >= 0.01
    amount = f"${quote.total_usd:,.2f} expected {rest}" if cents else f"hardly a cent {rest}"
    why = f"cheapest feasible, {amount}"
    return Launch(quote=quote, choice=Choice(step="launch", target=named(quote), why=why))


def _broken(run: Run) -> End | None:
    if _in_a_row(run, AttemptEnd.NODE_FAILED) < NODE_FAILURES_IN_A_ROW:
        return None
    detail = run.last_attempt.detail if run.last_attempt else ""
    why = f"{NODE_FAILURES_IN_A_ROW} machines in a row broke: {detail}"
    return End(outcome=Outcome.BROKEN, why=why)


def _back_off(run: Run, now: datetime, wanted: Quote, hot: Cooling) -> Wait | None:
    """A pause after many refusals, once every pool that could be asked cools down."""
    last, refusals = run.last_attempt, _in_a_row(run, AttemptEnd.NOT_LAUNCHED)
    if last is None or last.ended_at is None or refusals < REFUSALS_BEFORE_WAITING:
        return None
    if not cools(wanted, hot):
        return None
    pause = timedelta(seconds=30 * 2 ** min(refusals - REFUSALS_BEFORE_WAITING, 10))
    until = last.ended_at + min(pause, LONGEST_WAIT)
    why = f"{refusals} launches in a row were refused"
    return Wait(until=until, choice=Choice(step="wait", why=why)) if until > now else None


def _allowed(run: Run, quotes: Sequence[Quote]) -> Sequence[Quote]:
    """The quotes in order; only calm ones once the allowed interruptions are used up."""
    if not _only_calm(run):
        return quotes
    return [each for each in quotes if each.offer.capacity_type is CapacityType.ON_DEMAND]


def _only_calm(run: Run) -> bool:
    allowed = run.job.budget.max_interruptions
    return allowed is not None and run.interruptions >= allowed


def _in_a_row(run: Run, end: AttemptEnd) -> int:
    """How many attempts in a row ended so, standbys apart, since the run was resumed."""
    worked = [attempt for attempt in run.recent_attempts if not attempt.waiting]
    others = (index for index, each in enumerate(reversed(worked)) if each.end is not end)
    return next(others, len(worked))
