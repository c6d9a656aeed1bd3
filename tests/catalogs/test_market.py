"""The market that is loaded is the market that is written down."""

from __future__ import annotations

import csv
import math
from datetime import date
from pathlib import Path

import pytest

from finsched.catalog import load_market, providers
from finsched.catalog.cache import data_dir
from finsched.model.evidence import Quality
from finsched.model.market import ANY_REGION, CapacityType, Location, Market, Offer, Tier
from tests.catalogs.conftest import NOW

LIFE_HOURS = 24
BANDS = {"<5%": (0.0, 0.05), "5-10%": (0.05, 0.1), "10-15%": (0.1, 0.15), "15-20%": (0.15, 0.2)}


def find(market: Market, provider: str, name: str, region: str, kind: str) -> list[Offer]:
    return [
        offer
        for offer in market.offers
        if (offer.provider, offer.instance_type.name, offer.region) == (provider, name, region)
        and offer.capacity_type == kind
    ]


def hazard_of_share(share: float) -> float:
    return -math.log(1 - share) / LIFE_HOURS


def test_every_written_offer_is_loaded(market: Market) -> None:
    written = set()
    for path in (data_dir() / "offers").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                price = float(row["price_usd_per_hour"])
                key = (path.stem, row["instance_type"], row["region"], row["zone"])
                written.add((*key, row["capacity_type"], row["tier"], price))
    loaded = {
        (*offer.pool[:1], offer.instance_type.name, offer.region, offer.zone,
         offer.capacity_type.value, offer.tier.value, offer.price_usd_per_hour)
        for offer in market.offers
    }  # fmt: skip
    assert loaded == written
    assert len(market.offers) == len(written) > 4000


def test_more_than_twenty_providers_each_with_terms(market: Market, cache_dir: Path) -> None:
    sellers = {offer.provider for offer in market.offers}
    assert len(sellers) > 20
    assert sellers == set(providers(cache_dir)) == market.terms.keys()


def test_clouds_narrow_the_offers(market: Market, cache_dir: Path) -> None:
    two = load_market(now=NOW, clouds=("lambda", "vast"), cache_dir=cache_dir)
    assert two.offers == tuple(o for o in market.offers if o.provider in ("lambda", "vast"))


def test_types_and_evidence_are_shared(market: Market) -> None:
    assert len({id(offer.instance_type) for offer in market.offers}) == len(
        {offer.instance_type for offer in market.offers}
    )
    assert len({id(offer.evidence) for offer in market.offers}) < 100


@pytest.mark.parametrize(
    ("name", "price"),
    [("p4d.24xlarge", 21.957642), ("p5.48xlarge", 55.04), ("p4de.24xlarge", 27.44705)],
)
def test_aws_on_demand_is_after_the_cut_of_2025(market: Market, name: str, price: float) -> None:
    (offer,) = find(market, "aws", name, "us-east-1", "on_demand")
    assert offer.price_usd_per_hour == price
    assert offer.evidence.as_of == date(2026, 7, 20)


def test_spot_dearer_than_on_demand_is_kept_and_derived(market: Market) -> None:
    spot = [
        o for o in find(market, "aws", "p5.48xlarge", "ca-central-1", "spot") if not o.zone
    ]  # fmt: skip
    (on_demand,) = find(market, "aws", "p5.48xlarge", "ca-central-1", "on_demand")
    assert spot[0].price_usd_per_hour == pytest.approx(on_demand.price_usd_per_hour * 1.62)
    assert spot[0].evidence.quality is Quality.DERIVED
    assert "dearer" in spot[0].evidence.note


def test_no_list_of_a_single_price_sells_spot_above_its_on_demand(market: Market) -> None:
    listed: dict[tuple[str, ...], list[float]] = {}
    for offer in market.offers:
        if offer.region == ANY_REGION:
            key = (offer.provider, str(offer.instance_type.gpu), offer.evidence.source)
            price = offer.price_usd_per_hour / offer.instance_type.gpu_count
            listed.setdefault((*key, offer.capacity_type), []).append(price)
    for (*key, capacity_type), prices in listed.items():
        on_demand = listed.get((*key, "on_demand"))
        if capacity_type == "spot" and on_demand:
            assert max(prices) <= max(on_demand), key


def test_aws_spot_is_measured_by_zone_or_derived_for_the_region(market: Market) -> None:
    for offer in market.offers:
        if offer.provider == "aws" and offer.capacity_type is CapacityType.SPOT:
            assert (offer.evidence.quality is Quality.DERIVED) == (offer.zone == "")


def test_dws_prices_are_never_standard_on_demand(market: Market) -> None:
    queued = [o for o in market.offers if o.tier in (Tier.FLEX_START, Tier.CALENDAR)]
    assert {o.provider for o in queued} == {"gcp"}
    for offer in queued:
        assert offer.instance_type.name == "a4-highgpu-8g"
        assert offer.price_usd_per_hour in (8 * 8.055, 8 * 11.277)
    dws = {o.price_usd_per_hour for o in queued}
    assert not any(
        o.price_usd_per_hour in dws
        for o in market.offers
        if o.provider == "gcp" and o.tier is Tier.STANDARD and o.instance_type.gpu == "B200"
    )


def test_community_and_marketplace_hosts_are_marked(market: Market) -> None:
    tiers = {(o.provider, o.tier) for o in market.offers}
    assert ("vast", Tier.MARKETPLACE) in tiers
    assert ("vast", Tier.STANDARD) not in tiers
    assert ("runpod", Tier.COMMUNITY) in tiers
    assert not any(o.capacity_type is CapacityType.SPOT for o in market.offers
                   if o.provider == "runpod" and o.tier is Tier.COMMUNITY)  # fmt: skip


def test_every_region_lies_somewhere(market: Market) -> None:
    for offer in market.offers:
        if offer.region != ANY_REGION:
            assert Location(offer.provider, offer.region) in market.geography


@pytest.mark.parametrize(
    ("location", "area", "country"),
    [
        (Location("azure", "eastus"), "us", "us"),
        (Location("gcp", "europe-west4"), "eu", "nl"),
        (Location("nebius", "eu-north1"), "eu", "fi"),
        (Location("lambda", "europe-central-1"), "eu", "de"),
        (Location("aws", "us-gov-west-1"), "us", "us"),
        (Location("aws", "eu-west-2"), "eu", "gb"),
    ],
)
def test_known_places(market: Market, location: Location, area: str, country: str) -> None:
    place = market.geography[location]
    assert (place.area, place.country) == (area, country)


def test_a_band_prior_is_weak_and_covers_its_band(market: Market) -> None:
    with (data_dir() / "interruption.csv").open(encoding="utf-8", newline="") as file:
        bands = {(r["region"], r["instance_type"]): r for r in csv.DictReader(file)}
    checked = 0
    for pool, prior in market.hazards.items():
        row = bands[pool.region, pool.instance_type]
        if row["losses"]:
            continue
        mean = prior.shape / prior.exposure_hours
        tenth, ninetieth = -math.log(0.9) * mean, -math.log(0.1) * mean  # of a Gamma of shape 1
        assert prior.shape == 1
        assert prior.saturated == (row["band"] == ">20%")
        if prior.saturated:
            assert tenth == pytest.approx(hazard_of_share(0.2), rel=1e-3)
        else:
            low, high = BANDS[row["band"]]
            assert tenth <= max(hazard_of_share(low), 3e-4)
            assert ninetieth >= hazard_of_share(high)
        checked += 1
    assert checked > 400


def test_measured_traces_win_over_bands(market: Market) -> None:
    traced = {
        pool: prior
        for pool, prior in market.hazards.items()
        if prior.evidence.quality is Quality.MEASURED
    }
    assert {pool.instance_type for pool in traced} >= {"p3.2xlarge", "p3.16xlarge"}
    for prior in traced.values():
        assert prior.shape == int(prior.shape)
        assert not prior.saturated


def test_only_spot_pools_have_hazards(market: Market) -> None:
    spot = {o.pool for o in market.offers if o.capacity_type is CapacityType.SPOT}
    assert market.hazards.keys() <= spot


def test_terms_are_the_vendors_or_labelled_as_assumed(market: Market) -> None:
    aws, azure, vast = (market.terms[name] for name in ("aws", "azure", "vast"))
    assert aws.billing.first_hour_free_when_interrupted
    assert aws.notice is not None
    assert aws.notice.total_seconds() == 120
    assert azure.billing.minimum_seconds == 300
    assert vast.billing.evidence is not None
    assert vast.billing.evidence.quality is Quality.ESTIMATED
    assert vast.storage is None


def test_nothing_is_launchable_until_somebody_says_so(market: Market) -> None:
    assert market.launchable == frozenset()
    assert market.as_of == NOW
