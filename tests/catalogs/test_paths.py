"""Price and speed between places: the pair's own, or the next best thing, labelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from finsched.catalog import load_market
from finsched.model.evidence import Quality
from finsched.model.market import Location, Market, TransferPath
from tests.catalogs.conftest import HOMES, NOW

VIRGINIA, OREGON = Location("aws", "us-east-1"), Location("aws", "us-west-2")
NETHERLANDS = Location("gcp", "europe-west4")
ANYWHERE = Location("internet", "")


def prices(path: TransferPath) -> list[tuple[float, float]]:
    return [(tier.start_gb, tier.usd_per_gb) for tier in path.tiers]


def test_moves_inside_a_region_are_free(market: Market) -> None:
    path = market.paths[VIRGINIA, VIRGINIA]
    assert prices(path) == [(0, 0)]
    assert path.speed_evidence.quality is Quality.ESTIMATED


def test_a_pair_of_one_provider_has_its_own_price_and_speed(market: Market) -> None:
    path = market.paths[VIRGINIA, OREGON]
    assert prices(path) == [(0, 0.02)]
    assert path.speed_evidence.quality is Quality.MEASURED
    assert path.gbit_per_second == 4.3723  # the later of two measurements


def test_another_cloud_costs_the_internet_price_in_tiers(market: Market) -> None:
    path = market.paths[VIRGINIA, NETHERLANDS]
    assert prices(path) == [(0, 0), (1, 0.09), (10240, 0.085), (51200, 0.07), (153600, 0.05)]
    assert path.price_evidence.quality is Quality.DERIVED


def test_a_pair_to_a_dearer_place_keeps_its_own_price(cache_dir: Path) -> None:
    taiwan, sydney = Location("gcp", "asia-east1"), Location("aws", "ap-southeast-2")
    market = load_market(now=NOW, clouds=("aws",), locations=(taiwan,), cache_dir=cache_dir)
    assert prices(market.paths[taiwan, sydney]) == [(0, 0.19)]


def test_the_internet_charges_nothing_inward_and_the_cloud_charges_outward(market: Market) -> None:
    assert prices(market.paths[ANYWHERE, VIRGINIA]) == [(0, 0)]
    assert prices(market.paths[VIRGINIA, ANYWHERE])[1] == (1, 0.09)


def test_an_unknown_price_has_no_tiers_and_an_estimated_speed(market: Market) -> None:
    path = market.paths[Location("coreweave", "*"), VIRGINIA]
    assert path.tiers == ()
    assert path.speed_evidence.quality is Quality.ESTIMATED
    assert path.gbit_per_second > 0


def test_unmodelled_egress_is_an_estimate_not_a_fact(market: Market) -> None:
    path = market.paths[Location("vast", "*"), VIRGINIA]
    assert prices(path) == [(0, 0)]
    assert path.price_evidence.quality is Quality.ESTIMATED


def test_every_path_resolves_and_its_tiers_climb(market: Market) -> None:
    pairs = list(market.paths)
    assert len(pairs) == len(set(pairs)) == len(market.paths) > 600
    for pair in pairs:
        path = market.paths[pair]
        starts = [tier.start_gb for tier in path.tiers]
        assert (path.source, path.destination) == pair
        assert starts == sorted(set(starts))
        assert starts[:1] in ([], [0])
        assert path.gbit_per_second > 0
        assert any(end in HOMES for end in pair)


def test_a_pair_nobody_asked_for_is_a_key_error(market: Market) -> None:
    pair = (OREGON, Location("azure", "eastus"))
    assert pair not in market.paths
    with pytest.raises(KeyError):
        market.paths[pair]
