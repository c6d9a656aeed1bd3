"""What is known of pools over time: prices, interruptions and how long machines were there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import NamedTuple

from finsched import settings
from finsched.catalog import load_market, nearest_gpus, resolve_gpu
from finsched.catalog.browse import NOT_STARTABLE_NOW, usd_per_gpu_hour
from finsched.catalog.history import availability, price_history
from finsched.decide.offers.hazard import Hazards, aged, spot_hazard
from finsched.decide.offers.memory import Memory, Seen
from finsched.errors import SpecError
from finsched.experience.recall import recall
from finsched.model.history import Availability, PriceSeries
from finsched.model.interruption import Hazard
from finsched.model.market import ANY_REGION, Accelerator, CapacityType, Market, Offer, Pool

MOST_PARTS = 3  # provider, place, instance type


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHazard:
    """How often the spot machines of a pool are taken back; a zone of "" is the whole region.

    `own` is what our own runs saw of it, weighted by its age; `own_share` its part of all hours.
    """

    pool: Pool
    gpu: str | None
    hazard: Hazard
    own: Seen
    own_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is known over time of the pools asked for; every part has the most telling first.

    `gpus` are those asked for by name, or the only one of the pools. `without_hazard` are the
    providers whose spot pools nobody has measured, for which a quote takes `assumed_hazard`;
    `latest` is the cheapest offer of each way of buying whose price nobody followed.
    """

    as_of: datetime
    gpus: tuple[Accelerator, ...]
    prices: tuple[PriceSeries, ...]
    latest: tuple[Offer, ...]
    interruptions: tuple[PoolHazard, ...]
    without_hazard: tuple[str, ...]
    assumed_hazard: Hazard
    availability: tuple[Availability, ...]
    notes: tuple[str, ...] = ()


class Recorded(NamedTuple):
    """Everything that was followed over time."""

    prices: tuple[PriceSeries, ...]
    availability: tuple[Availability, ...]


def history(pool: str = "", *, gpus: Sequence[str] = ()) -> History:
    """Return what was recorded of a pool, of some GPUs, or of everything.

    `pool` is `provider`, `provider/place` or `provider/place/type`; a place is a region, a zone or
    the beginning of one, and so is a type. Raises SpecError for what nobody knows.
    """
    chosen = settings.load()
    cache_dir, state_dir = chosen.cache_dir, chosen.state_dir
    market = load_market(now=datetime.now(UTC), cache_dir=cache_dir, state_dir=state_dir)
    learnt = recall(chosen.state_dir, None, market.as_of)
    market = replace(market, experience=learnt.experience, notes=market.notes + learnt.notes)
    recorded = Recorded(price_history(cache_dir, state_dir), availability(cache_dir))
    return history_in(market, recorded, pool, gpus=gpus)


def history_in(
    market: Market, recorded: Recorded, pool: str = "", *, gpus: Sequence[str] = ()
) -> History:
    """Return what a market and some records say of a pool, of some GPUs, or of everything."""
    names = tuple(_canonical(name, market) for name in gpus)
    machines = _asked_for(pool, names, _known_machines(market, recorded))
    offers = _offers(market.offers, machines)
    prices = _prices(recorded.prices, machines)
    return History(
        as_of=market.as_of,
        gpus=tuple(market.accelerators[name] for name in names or _only_gpu(machines)),
        prices=prices,
        latest=_latest(offers, {series.capacity_type for series in prices}),
        interruptions=_interruptions(offers, market),
        without_hazard=_without_hazard(offers, market),
        assumed_hazard=spot_hazard(None, today=market.as_of.date()),
        availability=_availability(recorded.availability, machines),
        notes=market.notes,
    )


# --- which machines are meant -------------------------------------------------------------------


class _Machine(NamedTuple):
    """A machine type in one place, from the market or from a record; "" where a list names none."""

    provider: str
    region: str
    zone: str
    instance_type: str
    gpu: str


def _known_machines(market: Market, recorded: Recorded) -> set[_Machine]:
    sold = {_Machine(*offer.pool, offer.instance_type.gpu or "") for offer in market.offers}
    priced = {
        _Machine(each.provider, each.region, each.zone, each.instance_type, each.gpu)
        for each in recorded.prices
    }
    measured = {
        _Machine(each.provider, each.region, each.zone, each.instance_type, each.gpu)
        for each in recorded.availability
    }
    return sold | priced | measured


def _canonical(name: str, market: Market) -> str:
    found = resolve_gpu(name, market.accelerators)
    if found is not None:
        return found
    nearest = nearest_gpus(name, market.accelerators)
    guess = f"did you mean {' or '.join(nearest)}? " if nearest else ""
    raise SpecError(f"unknown GPU: {name}", fix=f"{guess}`finsched gpus` lists them all")


def _asked_for(pool: str, gpus: Sequence[str], known: set[_Machine]) -> set[_Machine]:
    parts = pool.strip("/").split("/") if pool else []
    chosen = {machine for machine in known if _matches(machine, parts)}
    if not chosen:
        raise SpecError(f"unknown pool: {pool}", fix=_nearest_pools(pool, parts, known))
    of_gpus = {machine for machine in chosen if not gpus or machine.gpu in gpus}
    if not of_gpus:
        raise SpecError(
            f"{pool} has no {' or '.join(gpus)}",
            fix=f"`finsched gpus {gpus[0]}` lists who sells it",
        )
    return of_gpus


def _matches(machine: _Machine, parts: Sequence[str]) -> bool:
    if len(parts) > MOST_PARTS:
        return False
    provider, place, kind = [*parts, "", "", ""][:MOST_PARTS]
    return (
        provider in ("", machine.provider)
        and (machine.region == ANY_REGION or _begins(place, machine.region, machine.zone))
        and _begins(kind, machine.instance_type)
    )


def _begins(beginning: str, *names: str) -> bool:
    return any(name.lower().startswith(beginning.lower()) for name in names)


def _nearest_pools(pool: str, parts: Sequence[str], known: Iterable[_Machine]) -> str:
    """The names of the same depth that look most like it, correct as far as they can be."""
    names = {
        "/".join((machine.provider, place, machine.instance_type)[: len(parts)])
        for machine in known
        for place in (machine.region, machine.zone)
        if place and machine.instance_type
    }
    near = get_close_matches(pool.strip("/"), sorted(names), n=3, cutoff=0.6)
    guess = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{guess}write provider, provider/region or provider/region/type"


def _only_gpu(machines: set[_Machine]) -> tuple[str, ...]:
    names = {machine.gpu for machine in machines if machine.gpu}
    return tuple(names) if len(names) == 1 else ()


# --- what is known of them ----------------------------------------------------------------------


def _offers(offers: Iterable[Offer], machines: set[_Machine]) -> list[Offer]:
    pools = {machine[:4] for machine in machines}
    return [offer for offer in offers if offer.pool in pools]


def _prices(recorded: Iterable[PriceSeries], machines: set[_Machine]) -> tuple[PriceSeries, ...]:
    """The series of these machines, and of their GPUs where a list prices GPUs alone."""
    pools = {each[:4] for each in machines}
    types = {(each.provider, each.region, each.instance_type) for each in machines}
    gpus = {(each.provider, each.region, each.gpu) for each in machines}
    chosen = [
        series
        for series in recorded
        if (series.provider, series.region, series.instance_type or series.gpu)
        in (types if series.instance_type else gpus)
        and (not series.zone or _pool_of(series) in pools)
    ]
    return tuple(sorted(chosen, key=_telling))


def _pool_of(series: PriceSeries) -> Pool:
    return Pool(series.provider, series.region, series.zone, series.instance_type)


def _telling(series: PriceSeries) -> tuple[object, ...]:
    """Prices that moved come first, then those followed for longest, then the cheapest."""
    days = (series.last.last_day - series.first.first_day).days
    return (-series.changes, -days, series.last.usd_per_gpu_hour, series.provider, series.region)


def _latest(offers: Iterable[Offer], followed: set[CapacityType]) -> tuple[Offer, ...]:
    cheapest: dict[CapacityType, Offer] = {}
    for offer in offers:
        kind = offer.capacity_type
        if kind in followed or offer.tier in NOT_STARTABLE_NOW or not offer.instance_type.gpu:
            continue
        if kind not in cheapest or usd_per_gpu_hour(offer) < usd_per_gpu_hour(cheapest[kind]):
            cheapest[kind] = offer
    return tuple(cheapest[kind] for kind in sorted(cheapest))


def _interruptions(offers: Iterable[Offer], market: Market) -> tuple[PoolHazard, ...]:
    """One hazard a region and type, but a zone apart where our own runs tell it from the others."""
    hazards, today = Hazards(market), market.as_of.date()
    memory = Memory(market.experience.observations, today)
    found: dict[Pool, PoolHazard] = {}
    for pool, gpu in {
        offer.pool: offer.instance_type.gpu for offer in _known(offers, market)
    }.items():
        own = memory.own(pool)
        shown = pool if own.instance_hours else pool._replace(zone="")
        exposure_hours = aged(market.hazards[pool], today).exposure_hours
        all_hours = exposure_hours + own.plus(memory.siblings(pool)).instance_hours
        found[shown] = PoolHazard(
            pool=shown,
            gpu=gpu,
            hazard=hazards.of(pool),
            own=own,
            own_share=own.instance_hours / all_hours,
        )
    return tuple(sorted(found.values(), key=_confidence))


def _known(offers: Iterable[Offer], market: Market) -> list[Offer]:
    spot = (offer for offer in offers if offer.capacity_type is CapacityType.SPOT)
    return [offer for offer in spot if offer.pool in market.hazards]


def _confidence(known: PoolHazard) -> tuple[object, ...]:
    """The narrowest belief first, then the calmest pool."""
    hazard = known.hazard
    width = hazard.high_per_hour / hazard.per_hour
    return (round(width, 3), hazard.per_hour, known.pool)


def _without_hazard(offers: Iterable[Offer], market: Market) -> tuple[str, ...]:
    spot = [offer for offer in offers if offer.capacity_type is CapacityType.SPOT]
    return tuple(sorted({offer.provider for offer in spot if offer.pool not in market.hazards}))


def _availability(
    recorded: Sequence[Availability], machines: set[_Machine]
) -> tuple[Availability, ...]:
    """By zone where its name was asked for; else by region, whose zone ids name no zone here."""
    asked = {machine[:4] for machine in machines}
    traced = {(each.provider, each.region, each.zone, each.instance_type) for each in recorded}
    by_region = {(pool[0], pool[1], pool[3]) for pool in asked - traced}
    chosen = [
        each
        for each in recorded
        if (each.provider, each.region, each.zone, each.instance_type) in asked
        or (each.provider, each.region, each.instance_type) in by_region
    ]
    return tuple(sorted(chosen, key=lambda each: (not each.gpu, each.nodes, -each.up_share)))
