"""Which live prices are absurd: kept aside with the reason, never quoted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from finsched.model.market import CapacityType, Offer

MOST_OF_ON_DEMAND = 1.5  # measured spot prices reach on-demand and, in bundled zones, a little more
LEAST_OF_ON_DEMAND = 0.05  # half of the deepest discount that a cloud speaks of
MOST_TIMES = 10.0

LastPrice = Callable[[Offer], float | None]
"""Returns the last price that was believed of an offer's pool, or else of its region."""


class Quarantined(NamedTuple):
    """An offer that is not believed, and why."""

    offer: Offer
    reason: str


class Sifted(NamedTuple):
    """What is believed of an answer, and what is not."""

    accepted: tuple[Offer, ...]
    quarantined: tuple[Quarantined, ...]


def sift(offers: Iterable[Offer], last_price: LastPrice) -> Sifted:
    """Part offers into believable ones and absurd ones.

    A spot price is held against the on-demand price of the same answer, or else the last one.
    """
    everything = tuple(offers)
    on_demand = {
        (offer.region, offer.instance_type.name): offer.price_usd_per_hour
        for offer in everything
        if offer.capacity_type is CapacityType.ON_DEMAND and offer.price_usd_per_hour > 0
    }
    accepted, quarantined = [], []
    for offer in everything:
        reason = _absurdity(offer, last_price(offer)) or _not_spot(offer, on_demand, last_price)
        if reason:
            quarantined.append(Quarantined(offer, reason))
        else:
            accepted.append(offer)
    return Sifted(tuple(accepted), tuple(quarantined))


def _absurdity(offer: Offer, last_usd: float | None) -> str:
    usd = offer.price_usd_per_hour
    if not 0 < usd < float("inf"):
        return "not above zero"
    if last_usd and not 1 / MOST_TIMES < usd / last_usd < MOST_TIMES:
        return f"{usd / last_usd:.3g} times the last known price, {last_usd:g} USD per hour"
    return ""


def _not_spot(offer: Offer, on_demand: dict[tuple[str, str], float], last_price: LastPrice) -> str:
    if offer.capacity_type is not CapacityType.SPOT:
        return ""
    plain = offer._replace(capacity_type=CapacityType.ON_DEMAND, zone="")
    usd = on_demand.get((offer.region, offer.instance_type.name)) or last_price(plain)
    if not usd or LEAST_OF_ON_DEMAND <= offer.price_usd_per_hour / usd <= MOST_OF_ON_DEMAND:
        return ""
    return f"spot at {offer.price_usd_per_hour / usd:.3g} times on-demand, {usd:g} USD per hour"
