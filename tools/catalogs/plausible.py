"""Sets implausible prices aside: shown as excluded, never silently dropped or offered.

A price is implausible when it is not positive, or when its price per GPU-hour is below a fifth or
above ten times the median of the same GPU and capacity type and no second provider asks about the
same (within a factor of 1.5). The median is over providers, each with its own median, so that one
provider's many zones do not outvote the rest; with fewer than four providers nothing is judged.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from tools.catalogs.offers import Dropped, OfferRow, TypeRow

LOWEST_SHARE = 1 / 5
HIGHEST_SHARE = 10.0  # a large host around one small GPU is dear, and real
ABOUT_THE_SAME = 1.5
FEWEST_PROVIDERS = 4

Types = dict[tuple[str, str], TypeRow]
Key = tuple[str, str]  # GPU, capacity type
Prices = dict[str, list[float]]  # provider: its prices per GPU-hour


def sift(offers: list[OfferRow], types: Types) -> tuple[list[OfferRow], list[Dropped]]:
    """Part the offers into plausible ones and quarantined ones with the reason."""
    peers = _prices_by_provider(offers, types)
    kept, dropped = [], []
    for offer in offers:
        price = _per_gpu(offer, types)
        reason = _reason(price, offer.provider, peers[_key(offer, types)])
        if reason:
            dropped.append(Dropped(offer, reason))
        else:
            kept.append(offer)
    return kept, dropped


def _reason(price: float, provider: str, peers: Prices) -> str:
    if price <= 0:
        return "not_positive"
    if len(peers) < FEWEST_PROVIDERS:
        return ""
    middle = median(median(each) for each in peers.values())
    share = price / middle
    if LOWEST_SHARE <= share <= HIGHEST_SHARE or _seconded(price, provider, peers):
        return ""
    return f"out_of_band: {share:.2f} of the median of its GPU ({middle:.4f} USD per GPU-hour)"


def _seconded(price: float, provider: str, peers: Prices) -> bool:
    return any(
        price / ABOUT_THE_SAME <= other <= price * ABOUT_THE_SAME
        for name, prices in peers.items()
        if name != provider
        for other in prices
    )


def _prices_by_provider(offers: list[OfferRow], types: Types) -> dict[Key, Prices]:
    prices: dict[Key, Prices] = defaultdict(lambda: defaultdict(list))
    for offer in offers:
        prices[_key(offer, types)][offer.provider].append(_per_gpu(offer, types))
    return prices


def _key(offer: OfferRow, types: Types) -> Key:
    return types[offer.provider, offer.instance_type].gpu, offer.capacity_type


def _per_gpu(offer: OfferRow, types: Types) -> float:
    return offer.price_usd_per_hour / types[offer.provider, offer.instance_type].gpu_count
