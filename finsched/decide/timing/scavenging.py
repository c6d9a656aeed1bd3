"""Running only while the price is low: which offers are cheap enough, and when to pause."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from finsched.model.job import JobSpec
from finsched.model.market import Offer
from finsched.model.quote import Decision, Quote, RejectionCode

if TYPE_CHECKING:
    from finsched.model.run import Run

NO_PROMISE = "scavenge_below is a hard limit: the deadline is met only if prices allow"


def cheap_enough(job: JobSpec, usd_per_hour: float) -> bool:
    """Return whether the job may run at this price of all its nodes."""
    below = job.scavenge_below_usd_per_hour
    return below is None or usd_per_hour < below


def affordable(job: JobSpec, quotes: Iterable[Quote]) -> tuple[Quote, ...]:
    """Return the quotes whose price of all nodes is below the job's threshold, in their order."""
    return tuple(quote for quote in quotes if cheap_enough(job, quote.price_usd_per_hour))


def too_dear(run: Run, offers: Iterable[Offer]) -> str | None:
    """Return why the live attempt must pause: its offer's present price, or None.

    An offer that the market does not list any more has no present price: the attempt goes on.
    """
    attempt = run.live_attempt
    if attempt is None or run.job.scavenge_below_usd_per_hour is None:
        return None
    present = _present_price(attempt.placement.offer, offers)
    if present is None:
        return None
    usd_per_hour = present * attempt.placement.nodes
    return None if cheap_enough(run.job, usd_per_hour) else not_below(run.job, usd_per_hour)


def nothing_cheap(job: JobSpec, decision: Decision) -> str | None:
    """Return why the job waits for a lower price; None where a quote or nothing at all fits."""
    if decision.quotes:
        return None
    prices = [
        rejection.quote.price_usd_per_hour
        for rejection in decision.rejections
        if rejection.code is RejectionCode.SCAVENGE_BELOW and rejection.quote is not None
    ]
    return not_below(job, min(prices)) if prices else None


def not_below(job: JobSpec, usd_per_hour: float) -> str:
    """Return the sentence for a price that is too high for the job."""
    below = job.scavenge_below_usd_per_hour or 0.0
    return f"${usd_per_hour:,.2f}/h is not under scavenge_below ${below:,.2f}"


_terms = attrgetter("pool", "capacity_type", "tier")


def _present_price(wanted: Offer, offers: Iterable[Offer]) -> float | None:
    name, terms = wanted.instance_type.name, _terms(wanted)
    # The name first: it tells nearly all offers apart, and costs the least to compare.
    same = (each for each in offers if each.instance_type.name == name and _terms(each) == terms)
    return next((each.price_usd_per_hour for each in same), None)
