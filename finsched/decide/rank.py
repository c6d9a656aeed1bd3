"""A job and a market to a decision: the quotes in order, and every rejection."""

from __future__ import annotations

from datetime import datetime

from finsched.decide.offers.feasible import feasible
from finsched.decide.offers.where import data_problem
from finsched.decide.pricing.quoter import Quoter
from finsched.decide.timing.scavenging import NO_PROMISE
from finsched.decide.timing.start_window import window_said
from finsched.model.job import JobSpec
from finsched.model.market import CapacityType, Market, Pool
from finsched.model.quote import Basis, Decision, Quote, Rejection


def decide(job: JobSpec, market: Market, *, now: datetime) -> Decision:
    """Quote every offer that can run the job, cheapest first.

    Prices are taken as they are: discounts are the caller's. Offers whose asked-for host size is
    unknown come after all others.
    """
    candidates, rejections = feasible(job, market)
    quoter = Quoter(job, market, now)
    ranked: list[tuple[bool, Quote]] = []
    for candidate in candidates:
        result = quoter.quote(candidate)
        if isinstance(result, Rejection):
            rejections.append(result)
        else:
            ranked.append((candidate.host_unknown, result))
    ranked.sort(key=_order)
    quotes = tuple(quote for _, quote in ranked)
    return Decision(
        job=job.name,
        basis=Basis.HOUR if job.work is None else Basis.RUN,
        as_of=market.as_of,
        quotes=quotes,
        rejections=tuple(rejections),
        best_on_demand=_first(quotes, CapacityType.ON_DEMAND),
        best_of_one_cloud=_first_on(quotes, _data_clouds(job)),
        notes=market.notes + _notes(job, market),
    )


def _order(ranked: tuple[bool, Quote]) -> tuple[bool, float, float, Pool, str, str]:
    """Known hosts first, then the total; the rest only makes ties come out the same every time."""
    host_unknown, quote = ranked
    offer = quote.offer
    price = offer.price_usd_per_hour
    return host_unknown, quote.total_usd, price, offer.pool, offer.capacity_type, offer.tier


def _first(quotes: tuple[Quote, ...], capacity_type: CapacityType) -> Quote | None:
    return next((quote for quote in quotes if quote.offer.capacity_type is capacity_type), None)


def _first_on(quotes: tuple[Quote, ...], clouds: frozenset[str]) -> Quote | None:
    return next((quote for quote in quotes if quote.offer.provider in clouds), None)


def _data_clouds(job: JobSpec) -> frozenset[str]:
    """The clouds that already hold inputs, outputs or checkpoints of the job."""
    places = [dataset.location for dataset in (*job.inputs, *job.outputs)]
    if job.checkpoint is not None:
        places.append(job.checkpoint.location)
    return frozenset(place.provider for place in places if place is not None)


def _notes(job: JobSpec, market: Market) -> tuple[str, ...]:
    notes = []
    problem = data_problem(job, market.geography)
    if problem is not None:
        notes.append(f"no offer can help: {problem}")
    if job.work is None and job.budget.max_cost_usd is not None:
        notes.append("max_cost cannot be checked before the run: work.hours is not set")
    if job.work is None and job.deadline is not None:
        notes.append("the deadline cannot be checked before the run: work.hours is not set")
    return tuple(notes) + _notes_on_time(job)


def _notes_on_time(job: JobSpec) -> tuple[str, ...]:
    """When the job may start and at which price it runs, where it says so."""
    notes = []
    if job.start is not None:
        notes.append(f"the job starts {window_said(job.start)}")
    if (below := job.scavenge_below_usd_per_hour) is not None:
        notes.append(f"the job runs only while all nodes cost less than ${below:,.2f} an hour")
    if below is not None and job.deadline is not None:
        notes.append(NO_PROMISE)
    return tuple(notes)
