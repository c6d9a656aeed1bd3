"""What is known of cheaper times to start, from the prices of the pools that fit a job."""

from __future__ import annotations

from calendar import day_name
from collections.abc import Iterable, Sequence

from finsched.decide.timing.start_effect import (
    FEWEST_WEEKS,
    SIGNIFICANCE,
    WeekdayEffect,
    weekday_effect,
)
from finsched.model.history import PriceSeries
from finsched.model.market import ANY_REGION, CapacityType, Offer
from finsched.model.quote import Decision

Sold = tuple[str, str, str | None, CapacityType]  # provider, region, GPU, capacity type


def cheaper_times(decision: Decision, history: Iterable[PriceSeries]) -> str:
    """Return one sentence on the weekdays on which what fits a job is cheaper.

    Where no effect was measured it says that, and of how much evidence.
    """
    fitting = _fitting(decision)
    followed = [series for series in history if series.daily and _sold(series) in fitting]
    if not followed:
        return "the time of start: no measured effect is known, no price here was followed daily"
    # Bonferroni: the more prices are tested, the stricter each test.
    level = SIGNIFICANCE / len(followed)
    tested = [(weekday_effect(each.daily_prices(), level), each) for each in followed]
    measured = [found for found in tested if found[0].measurable]
    if measured:
        return _best_day(*min(measured, key=lambda found: found[0].percent or 0.0))
    return _no_effect([effect for effect, _ in tested])


def _fitting(decision: Decision) -> set[Sold]:
    kept_out = [each.quote for each in decision.rejections if each.quote is not None]
    offers = [quote.offer for quote in (*decision.quotes, *kept_out)]
    return {_key(offer, region) for offer in offers for region in (offer.region, ANY_REGION)}


def _key(offer: Offer, region: str) -> Sold:
    return offer.provider, region, offer.instance_type.gpu, offer.capacity_type


def _sold(series: PriceSeries) -> Sold:
    return series.provider, series.region, series.gpu, series.capacity_type


def _best_day(effect: WeekdayEffect, series: PriceSeries) -> str:
    what = f"{series.provider} {series.region} {series.gpu} {series.capacity_type.value}"
    return (
        f"the time of start: {what} costs {-(effect.percent or 0.0):.1f} % less on a "
        f"{day_name[effect.cheapest_weekday or 0]} than in the mean of its week "
        f"({effect.weeks} full weeks)"
    )


def _no_effect(effects: Sequence[WeekdayEffect]) -> str:
    weeks = max(effect.weeks for effect in effects)
    needed = f", {FEWEST_WEEKS} are needed" if weeks < FEWEST_WEEKS else ""
    prices = "1 price" if len(effects) == 1 else f"{len(effects)} prices"
    return (
        f"the time of start: no measurable effect of the weekday in {prices}, "
        f"followed daily ({weeks} full weeks{needed})"
    )
