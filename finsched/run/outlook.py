"""What a run could choose from: the market, looked up again while the run lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from finsched import policies
from finsched.decide.live.choice import LONGEST_LOOK
from finsched.decide.live.prospects import Prospects, Reaction, market_matters, prospects
from finsched.decide.offers.lessons import lived_through
from finsched.model.market import Market
from finsched.model.quote import Quote
from finsched.model.run import Placement, Run
from finsched.run.clock import Clock
from finsched.run.placing import placement

_LOOK_TAKES = timedelta(seconds=1)  # of real time, as the next
_START_TAKES = timedelta(seconds=3)


class Outlook:
    """The prospects of one run, worked out anew every ten minutes, at each start and each end."""

    def __init__(self, run: Run, look: Callable[[Run, datetime], Market], clock: Clock) -> None:
        self._look_at = look
        self._clock = clock
        self._reaction = Reaction(look=_LOOK_TAKES * clock.speed, start=_START_TAKES * clock.speed)
        self._market = self._read_market(run)
        self._read_at = clock.now()
        self._read_after = _ended(run)
        self._seen_for: tuple[int, int, int] | None = None
        self._seen = Prospects()

    def ahead(self, run: Run, now: datetime) -> Prospects:
        """The prospects at a moment."""
        span = int(now.timestamp() / LONGEST_LOOK.total_seconds())
        moment = (len(run.attempts), _ended(run), span)
        if moment != self._seen_for:
            self._seen = self._look(run, now)
            self._seen_for = moment
        return self._seen

    def place(self, run: Run, quote: Quote, why: str) -> Placement:
        """The placement of a quote, with the figures of the present market."""
        return placement(run.job, quote, self._market, why)

    def _look(self, run: Run, now: datetime) -> Prospects:
        make_policy = policies.policy(run.policy)
        if not market_matters(run):
            return Prospects(make_policy=make_policy)
        market = self._market_for(run, now)
        return prospects(run, market, now, make_policy=make_policy, reaction=self._reaction)

    def _market_for(self, run: Run, now: datetime) -> Market:
        """The market as a real run finds it now; a rehearsal's stands still, but for its own past.

        What a real run lives through comes back with the market, from the ledger.
        """
        if run.rehearsal:
            learnt = lived_through(run, self._market.experience)
            return replace(self._market, experience=learnt)
        if now - self._read_at >= LONGEST_LOOK or _ended(run) > self._read_after:
            self._market = self._read_market(run)
            self._read_at, self._read_after = now, _ended(run)
        return self._market

    def _read_market(self, run: Run) -> Market:
        market = self._look_at(run, self._clock.now())
        if run.rehearsal:
            return market
        offers = tuple(offer for offer in market.offers if market.can_launch(offer))
        if len(offers) == len(market.offers):
            return market  # which many runs may share
        return replace(market, offers=offers)


def _ended(run: Run) -> int:
    return len(run.attempts) - len(run.live_attempts)
