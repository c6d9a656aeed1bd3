"""The market of one moment, read from the bundled tables and from what was asked live."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from finsched.catalog.cache import read
from finsched.catalog.evidence import load_evidence
from finsched.catalog.gpus import load_accelerators
from finsched.catalog.transfer import load_paths
from finsched.model.evidence import Evidence
from finsched.model.interruption import HazardPrior
from finsched.model.market import (
    BillingRule,
    CapacityType,
    Geography,
    InstanceType,
    Location,
    Market,
    Offer,
    Pool,
    ProviderTerms,
    StorageRate,
    Tier,
)

HAZARDS_OF_POOLS = """
    SELECT offer.provider, offer.region, offer.zone, offer.instance_type, hazard.rowid,
        hazard.shape, hazard.exposure_hours, hazard.saturated, hazard.evidence
    FROM offer JOIN hazard USING (instance_type, region)
    WHERE offer.capacity_type = 'spot'"""


def load_market(
    *,
    now: datetime,
    clouds: Collection[str] = (),
    locations: Collection[Location] = (),
    cache_dir: Path | None = None,
    state_dir: Path | None = None,
) -> Market:
    """Return every offer of the bundled catalog, of some clouds or of all.

    Live prices kept in `state_dir` take the place of the bundled ones. `paths` holds the way from
    each of `locations` to each offer's region and back; `launchable` is empty, because a catalog
    cannot know what is configured.
    """

    def query(connection: sqlite3.Connection) -> Market:
        return _market(connection, now, clouds, locations)

    return read(query, cache_dir, state_dir)


def providers(cache_dir: Path | None = None) -> tuple[str, ...]:
    """Return the names of all providers in the catalog."""

    def query(connection: sqlite3.Connection) -> tuple[str, ...]:
        rows = connection.execute("SELECT provider FROM terms ORDER BY provider")
        return tuple(provider for (provider,) in rows)

    return read(query, cache_dir)


def places(cache_dir: Path | None = None) -> Mapping[Location, Geography]:
    """Return every region whose place is known, whether anything is sold there or not."""
    return read(_geography, cache_dir)


def _market(
    connection: sqlite3.Connection,
    now: datetime,
    clouds: Collection[str],
    locations: Collection[Location],
) -> Market:
    types = _instance_types(connection)
    offers = _offers(connection, types, clouds)
    regions = {(offer.instance_type.provider, offer.region) for offer in offers}
    return Market(
        as_of=now,
        offers=offers,
        accelerators=load_accelerators(connection),
        hazards=_hazards(connection, types),
        paths=load_paths(connection, locations, {Location(*region) for region in regions}),
        terms=_terms(connection),
        geography=_geography(connection),
    )


def _instance_types(connection: sqlite3.Connection) -> list[InstanceType]:
    """All machine sizes, at the index of their number."""
    return [
        InstanceType(
            provider=provider,
            name=name,
            gpu=gpu,
            gpu_count=gpu_count,
            gpu_memory_gib=gpu_memory_gib,
            vcpus=vcpus,
            memory_gib=memory_gib,
        )
        for _, provider, name, gpu, gpu_count, gpu_memory_gib, vcpus, memory_gib in (
            connection.execute("SELECT * FROM instance_type ORDER BY id")
        )
    ]


def _offers(
    connection: sqlite3.Connection, types: list[InstanceType], clouds: Collection[str]
) -> tuple[Offer, ...]:
    evidence = load_evidence(connection, "price")
    capacity_types = {str(each): each for each in CapacityType}
    tiers = {str(each): each for each in Tier}
    return tuple(
        [
            Offer(
                types[type_id],
                region,
                zone,
                capacity_types[capacity_type],
                tiers[tier],
                price,
                evidence[source],
            )
            for type_id, region, zone, capacity_type, tier, price, source in _offer_rows(
                connection, clouds
            )
        ]
    )


def _offer_rows(connection: sqlite3.Connection, clouds: Collection[str]) -> sqlite3.Cursor:
    columns = "instance_type, region, zone, capacity_type, tier, price_usd_per_hour, evidence"
    if not clouds:
        return connection.execute(f"SELECT {columns} FROM offer ORDER BY rowid")  # noqa: S608
    marks = ", ".join("?" * len(clouds))
    sql = f"SELECT {columns} FROM offer WHERE provider IN ({marks}) ORDER BY rowid"  # noqa: S608
    return connection.execute(sql, tuple(clouds))


def _hazards(connection: sqlite3.Connection, types: list[InstanceType]) -> dict[Pool, HazardPrior]:
    """The prior of every spot pool; a zone has its region's, which is all that is published."""
    evidence = load_evidence(connection, "hazard")
    priors: dict[int, HazardPrior] = {}
    pools: dict[Pool, HazardPrior] = {}
    rows = connection.execute(HAZARDS_OF_POOLS)
    for provider, region, zone, type_id, number, shape, hours, saturated, source in rows:
        if number not in priors:
            priors[number] = HazardPrior(
                shape=shape,
                exposure_hours=hours,
                saturated=bool(saturated),
                evidence=evidence[source],
            )
        pools[Pool(provider, region, zone, types[type_id].name)] = priors[number]
    return pools


def _terms(connection: sqlite3.Connection) -> dict[str, ProviderTerms]:
    evidence = load_evidence(connection, "billing", "storage", "boot")
    rows = connection.execute("SELECT * FROM terms ORDER BY provider")
    return {row[0]: _provider_terms(row, evidence) for row in rows}


def _provider_terms(row: tuple[Any, ...], evidence: dict[int, Evidence]) -> ProviderTerms:
    provider, minimum, granularity, first_hour_free, billing, notice, *rest = row
    usd_per_gb_month, storage, boot_seconds, boot = rest
    return ProviderTerms(
        provider=provider,
        billing=BillingRule(
            minimum_seconds=minimum,
            granularity_seconds=granularity,
            first_hour_free_when_interrupted=bool(first_hour_free),
            evidence=evidence[billing],
        ),
        storage=None
        if storage is None
        else StorageRate(usd_per_gb_month=usd_per_gb_month, evidence=evidence[storage]),
        notice=None if notice is None else timedelta(seconds=notice),
        boot=timedelta(seconds=boot_seconds),
        boot_evidence=evidence[boot],
    )


def _geography(connection: sqlite3.Connection) -> Mapping[Location, Geography]:
    return {
        Location(provider, region): Geography(area=area, country=country.lower(), in_eu=bool(in_eu))
        for provider, region, area, country, in_eu in connection.execute("SELECT * FROM geography")
    }
