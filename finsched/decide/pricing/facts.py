"""What a job's offers share, worked out once: speed, start-up, data plans, stores, prices."""

from __future__ import annotations

from typing import NamedTuple

from finsched.decide.offers.hazard import ON_DEMAND_HAZARD, Hazards
from finsched.decide.offers.speed import Speed, speed_of
from finsched.decide.offers.startup import boot_of
from finsched.decide.pricing.checkpoint_store import CheckpointStore, checkpoint_store
from finsched.decide.pricing.paths import Roads
from finsched.decide.pricing.transfer import DataPlan, data_plans
from finsched.model.evidence import Evidence
from finsched.model.interruption import Hazard
from finsched.model.job import JobSpec
from finsched.model.market import (
    CapacityType,
    InstanceType,
    Location,
    Market,
    Offer,
    ProviderTerms,
)


class PlaceFacts(NamedTuple):
    """What holds for every machine of a provider in a region, and its way to start."""

    terms: ProviderTerms
    boot_hours: float
    plans: tuple[DataPlan, ...]
    store: CheckpointStore
    copy_usd_per_gb_month: float
    evidence: tuple[Evidence, ...]


class Facts:
    """One job in one market; answers are remembered, the inputs never change."""

    def __init__(self, job: JobSpec, market: Market) -> None:
        self._job = job
        self._market = market
        self._hazards = Hazards(market)
        self._roads = Roads(market.paths)
        self._speeds: dict[tuple[str, int], Speed | None] = {}
        self._places: dict[tuple[str, str, str, float], PlaceFacts] = {}
        self._on_demand = _on_demand_prices(market)

    def speed(self, machine: InstanceType) -> Speed | None:
        """The machine's speed at the job's work, None where nothing tells it."""
        key = machine.engine, machine.gpu_count
        if key not in self._speeds:
            paces = self._market.experience.paces
            self._speeds[key] = speed_of(self._job, machine, self._market.accelerators, paces)
        return self._speeds[key]

    def hazard(self, offer: Offer) -> Hazard:
        """The offer's hazard per instance-hour."""
        if offer.capacity_type is CapacityType.ON_DEMAND:
            return ON_DEMAND_HAZARD
        return self._hazards.of(offer.pool)

    def place(self, offer: Offer, work_hours: float) -> PlaceFacts:
        """Data, store and terms of the offer's region for a run of `work_hours`."""
        machine = offer.instance_type
        started = (machine.provider, machine.name) in self._market.experience.starts
        key = (machine.provider, offer.region, machine.name if started else "", work_hours)
        facts = self._places.get(key)
        if facts is None:
            facts = self._places[key] = self._find_place(*key)
        return facts

    def on_demand_usd_per_hour(self, offer: Offer) -> float | None:
        """The cheapest on-demand price of the same machine in the same region."""
        machine = offer.instance_type
        return self._on_demand.get((machine.provider, offer.region, machine.name))

    def _find_place(
        self, provider: str, region: str, machine: str, work_hours: float
    ) -> PlaceFacts:
        place = Location(provider, region)
        terms = self._market.terms.get(provider) or ProviderTerms(provider=provider)
        storage = terms.storage
        store = checkpoint_store(self._job.checkpoint, self._roads, self._market.terms, place)
        plans = data_plans(self._job, self._roads, storage, place, work_hours)
        boot = boot_of(terms, self._market.experience.starts.get((provider, machine)))
        stated = (boot.evidence, terms.billing.evidence)
        return PlaceFacts(
            terms=terms,
            boot_hours=boot.hours,
            plans=plans,
            store=store,
            copy_usd_per_gb_month=0.0 if storage is None else storage.usd_per_gb_month,
            evidence=(*(known for known in stated if known is not None), *store.evidence),
        )


def _on_demand_prices(market: Market) -> dict[tuple[str, str, str], float]:
    prices: dict[tuple[str, str, str], float] = {}
    for offer in market.offers:
        if offer.capacity_type is CapacityType.ON_DEMAND:
            machine = offer.instance_type
            key = (machine.provider, offer.region, machine.name)
            prices[key] = min(offer.price_usd_per_hour, prices.get(key, offer.price_usd_per_hour))
    return prices
