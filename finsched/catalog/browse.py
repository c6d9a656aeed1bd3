"""Sums the market up by GPU and by provider, for people who look before they ask for a quote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from finsched.model.market import Accelerator, CapacityType, Location, Market, Offer, Tier

NOT_STARTABLE_NOW = frozenset({Tier.FLEX_START, Tier.CALENDAR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is sold of one GPU, by everybody or by one provider, and the cheapest of it.

    The cheapest is per GPU-hour, among offers that start without queueing or reserving ahead.
    """

    gpu: Accelerator
    providers: tuple[str, ...]
    regions: tuple[Location, ...]
    gpu_counts: tuple[int, ...]
    on_demand: Offer | None
    spot: Offer | None


def usd_per_gpu_hour(offer: Offer) -> float:
    """Return the price of one GPU of an offer, its share of the host included."""
    return offer.price_usd_per_hour / offer.instance_type.gpu_count


def by_gpu(market: Market) -> list[Summary]:
    """Sum up every GPU that somebody sells, the largest memory first."""
    offers: dict[str, list[Offer]] = defaultdict(list)
    for offer in market.offers:
        if offer.instance_type.gpu:
            offers[offer.instance_type.gpu].append(offer)
    rows = [_summary(market.accelerators[gpu], each) for gpu, each in offers.items()]
    return sorted(rows, key=lambda row: (-(row.gpu.memory_gib or 0), row.gpu.name))


def by_provider(market: Market, gpu: str) -> list[Summary]:
    """Sum up what each provider sells of one GPU, by name of the provider."""
    offers: dict[str, list[Offer]] = defaultdict(list)
    for offer in market.offers:
        if offer.instance_type.gpu == gpu:
            offers[offer.provider].append(offer)
    return [_summary(market.accelerators[gpu], offers[provider]) for provider in sorted(offers)]


def _summary(gpu: Accelerator, offers: list[Offer]) -> Summary:
    return Summary(
        gpu=gpu,
        providers=tuple(sorted({offer.provider for offer in offers})),
        regions=tuple(sorted({Location(offer.provider, offer.region) for offer in offers})),
        gpu_counts=tuple(sorted({offer.instance_type.gpu_count for offer in offers})),
        on_demand=_cheapest(offers, CapacityType.ON_DEMAND),
        spot=_cheapest(offers, CapacityType.SPOT),
    )


def _cheapest(offers: Iterable[Offer], capacity_type: CapacityType) -> Offer | None:
    startable = [
        offer
        for offer in offers
        if offer.capacity_type is capacity_type and offer.tier not in NOT_STARTABLE_NOW
    ]
    return min(startable, key=usd_per_gpu_hour, default=None)
