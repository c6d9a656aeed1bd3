"""Which live prices are absurd: kept aside with the reason, never quoted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from finsched.model.market import CapacityType, Offer, Tier

MOST_OF_ON_DEMAND = 1.5  # measured spot prices reach on-demand and, in bundled zones, a little more
LEAST_OF_ON_DEMAND = 0.05  # half of the deepest discount that a cloud speaks of
MOST_TIMES = 10.0
LEAST_OF_PEERS, MOST_OF_PEERS = 0.2, 10.0  # the band in which the bundled lists are believed
ABOUT_THE_SAME = 1.5  # a market may be far below the clouds where another asks nearly as little

Sale = tuple[str, str, Tier]
"""A machine in a region, sold as what."""

LastPrice = Callable[[Offer], float | None]
"""Returns the last price that was believed of an offer's pool, or else of its region."""


class Peers(NamedTuple):
    """What providers ask for a machine with the same GPUs, in USD per hour."""

    middle: float
    lowest: float


class Known(NamedTuple):
    """What an answer is held against.

    `peers` returns what others ask for such a machine, None where too few do: it judges a machine
    that was never sold before, such as one of eight GPUs at the price of one. `is_accepted` says
    whether a person has looked at the price and believes it.
    """

    last_price: LastPrice
    peers: Callable[[Offer], Peers | None]
    is_accepted: Callable[[Offer], bool]


class Quarantined(NamedTuple):
    """An offer that is not believed, and why."""

    offer: Offer
    reason: str


class Sifted(NamedTuple):
    """What is believed of an answer, and what is not."""

    accepted: tuple[Offer, ...]
    quarantined: tuple[Quarantined, ...]


def sift(offers: Iterable[Offer], known: Known) -> Sifted:
    """Part offers into believable ones and absurd ones.

    A spot price is held against the believed on-demand price of the same answer, or else the last.
    """
    accepted: list[Offer] = []
    quarantined: list[Quarantined] = []
    on_demand: dict[Sale, float] = {}
    for offer in sorted(offers, key=_is_spot):  # on-demand prices first
        reason = _no_price(offer)
        if not reason and not known.is_accepted(offer):
            reason = _absurdity(offer, known) or _not_spot(offer, on_demand, known.last_price)
        if reason:
            quarantined.append(Quarantined(offer, reason))
            continue
        accepted.append(offer)
        if not _is_spot(offer):
            on_demand[_sale(offer)] = offer.price_usd_per_hour
    return Sifted(tuple(accepted), tuple(quarantined))


def _sale(offer: Offer) -> Sale:
    return (offer.region, offer.instance_type.name, offer.tier)


def _is_spot(offer: Offer) -> bool:
    return offer.capacity_type is CapacityType.SPOT


def _no_price(offer: Offer) -> str:
    return "" if 0 < offer.price_usd_per_hour < float("inf") else "not above zero"


def _absurdity(offer: Offer, known: Known) -> str:
    usd, last_usd = offer.price_usd_per_hour, known.last_price(offer)
    if last_usd:
        if 1 / MOST_TIMES < usd / last_usd < MOST_TIMES:
            return ""
        return f"{usd / last_usd:.3g} times the last known price, {last_usd:g} USD per hour"
    return _unlike_peers(usd, known.peers(offer))


def _unlike_peers(usd: float, peers: Peers | None) -> str:
    if peers is None:
        return ""
    given = usd < LEAST_OF_PEERS * peers.middle and usd * ABOUT_THE_SAME < peers.lowest
    if not given and usd <= MOST_OF_PEERS * peers.middle:
        return ""
    times = f"{usd / peers.middle:.3g} times what others ask for its GPUs"
    return f"{times}, {peers.middle:.4g} USD per hour"


def _not_spot(offer: Offer, on_demand: Mapping[Sale, float], last_price: LastPrice) -> str:
    if not _is_spot(offer):
        return ""
    plain = offer._replace(capacity_type=CapacityType.ON_DEMAND, zone="")
    usd = on_demand.get(_sale(offer)) or last_price(plain)
    if not usd or LEAST_OF_ON_DEMAND <= offer.price_usd_per_hour / usd <= MOST_OF_ON_DEMAND:
        return ""
    return f"spot at {offer.price_usd_per_hour / usd:.3g} times on-demand, {usd:g} USD per hour"
