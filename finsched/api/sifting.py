"""What is believed of providers' answers: named as the catalog does, placed, and weighed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import inf
from statistics import median

from finsched.api.hearing import Heard
from finsched.catalog import resolve_gpu
from finsched.catalog.live import Taken
from finsched.catalog.quarantine import Known, Peers, sift
from finsched.model.market import (
    Accelerator,
    CapacityType,
    InstanceType,
    Market,
    Offer,
)
from finsched.provider import PriceAnswer

SAME_MEMORY = 0.15  # vendors call a card of 79.6 GiB one of 80 GB
FEWEST_PEERS = 3  # other providers, whose prices make a middle


class Sieve:
    """Holds answers against what is known of the market.

    `accept` are pools, `provider/region-or-zone/type` or the beginning of one, whose prices a
    person has looked at.
    """

    def __init__(self, known: Market, accept: Sequence[str] = ()) -> None:
        self._known = known
        self._accept = tuple(pool.strip("/").lower() for pool in accept)
        self._canonical = _Canonical(known.accelerators)
        self._zones = _Zones(known.offers)

    def taken(self, heard: Heard) -> Taken:
        """Return what is to be kept of one provider's answers."""
        offers = (
            self._canonical.offer(offer) for answer in heard.answers for offer in self._sold(answer)
        )
        return Taken(
            provider=heard.provider,
            asked_at=heard.asked_at,
            regions=heard.regions,
            answered=sum(not answer.problems for answer in heard.answers),
            sifted=sift(offers, Known(self._last_price, self._peers, self._is_accepted)),
            changes=tuple(
                change._replace(instance_type=self._canonical.machine(change.instance_type))
                for answer in heard.answers
                for change in answer.changes
                if 0 < change.price_usd_per_hour < inf
            ),
            priors=heard.priors,
            problems=heard.problems,
        )

    def _sold(self, answer: PriceAnswer) -> Iterator[Offer]:
        if not answer.only_where_known:
            yield from answer.offers
            return
        for offer in answer.offers:
            for zone in self._zones.of(offer):
                yield offer._replace(zone=zone)

    def _last_price(self, offer: Offer) -> float | None:
        """The last price of a pool, or the middle of those of its region where it is new."""
        of_pool, of_region = self._last_prices
        prices = of_region.get(_sold_in_region(offer))
        middle = median(prices) if prices else None
        return of_pool.get((offer.pool, offer.capacity_type, offer.tier), middle)

    @cached_property
    def _last_prices(
        self,
    ) -> tuple[dict[tuple[object, ...], float], dict[tuple[object, ...], list[float]]]:
        of_pool: dict[tuple[object, ...], float] = {}
        of_region: dict[tuple[object, ...], list[float]] = defaultdict(list)
        for offer in self._known.offers:
            of_pool[offer.pool, offer.capacity_type, offer.tier] = offer.price_usd_per_hour
            of_region[_sold_in_region(offer)].append(offer.price_usd_per_hour)
        return of_pool, of_region

    def _peers(self, offer: Offer) -> Peers | None:
        """What a machine with these GPUs costs at other providers, each at its middle per GPU."""
        kind = offer.instance_type
        asked = self._per_gpu.get((kind.gpu, offer.capacity_type), {}) if kind.gpu else {}
        others = [usd for provider, usd in asked.items() if provider != offer.provider]
        if len(others) < FEWEST_PEERS:
            return None
        return Peers(median(others) * kind.gpu_count, min(others) * kind.gpu_count)

    @cached_property
    def _per_gpu(self) -> dict[tuple[str | None, CapacityType], dict[str, float]]:
        asked: dict[tuple[str | None, CapacityType], dict[str, list[float]]]
        asked = defaultdict(lambda: defaultdict(list))
        for offer in self._known.offers:
            kind = offer.instance_type
            if kind.gpu_count:
                prices = asked[kind.gpu, offer.capacity_type][offer.provider]
                prices.append(offer.price_usd_per_hour / kind.gpu_count)
        return {
            sale: {provider: median(prices) for provider, prices in by_provider.items()}
            for sale, by_provider in asked.items()
        }

    def _is_accepted(self, offer: Offer) -> bool:
        places = {place for place in (offer.zone, offer.region) if place}
        pools = [f"{offer.provider}/{place}/{offer.instance_type.name}" for place in places]
        return any(pool.lower().startswith(begun) for pool in pools for begun in self._accept)


def _sold_in_region(offer: Offer) -> tuple[object, ...]:
    sale = (offer.capacity_type, offer.tier)
    return (offer.provider, offer.region, offer.instance_type.name, *sale)


class _Zones:
    """In which zones a machine is known to be sold, that way of buying or else any."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        self._of_sale: dict[tuple[object, ...], set[str]] = defaultdict(set)
        self._of_machine: dict[tuple[object, ...], set[str]] = defaultdict(set)
        for offer in offers:
            sale = _sold_in_region(offer)
            self._of_sale[sale].add(offer.zone)
            self._of_machine[sale[:3]].add(offer.zone)

    def of(self, offer: Offer) -> Sequence[str]:
        sale = _sold_in_region(offer)
        return sorted(self._of_sale.get(sale) or self._of_machine.get(sale[:3]) or ())


class _Canonical:
    """Names GPUs as the catalog does: an A100 of 80 GiB is not the A100, which has 40."""

    def __init__(self, known: Mapping[str, Accelerator]) -> None:
        self._known = known
        self._machines: dict[InstanceType, InstanceType] = {}

    def offer(self, offer: Offer) -> Offer:
        return offer._replace(instance_type=self.machine(offer.instance_type))

    def machine(self, machine: InstanceType) -> InstanceType:
        if machine not in self._machines:
            self._machines[machine] = replace(machine, gpu=self._gpu(machine))
        return self._machines[machine]

    def _gpu(self, machine: InstanceType) -> str | None:
        memory_gib = machine.gpu_memory_gib
        if machine.gpu is None or not memory_gib:
            return machine.gpu
        for spelling in (machine.gpu, f"{machine.gpu}-{memory_gib:.0f}GB"):
            found = resolve_gpu(spelling, self._known)
            if found and _is_about(memory_gib, self._known[found].memory_gib):
                return found
        same_name = resolve_gpu(machine.gpu, self._known) is not None
        return f"{machine.gpu}-{memory_gib:.0f}GB" if same_name else machine.gpu


def _is_about(told_gib: float, known_gib: float | None) -> bool:
    return not known_gib or abs(told_gib / known_gib - 1) <= SAME_MEMORY
