"""Prices of AWS: read from answers in their true shape, asked over HTTP with the real SDK."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.errors import NoAnswer, ProviderError
from finsched.model.evidence import Quality
from finsched.model.market import CapacityType, InstanceType, Offer
from finsched.provider import PriceAnswer
from finsched_aws import prices_parse as parse
from finsched_aws.interruptions import BANDS, SpotAdvisor, priors_of

from . import replay
from .prices_lab import Prices

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
REGIONS = ("us-east-1", "us-west-2")
KNOWN = {
    name: InstanceType(provider="aws", name=name, gpu="A10G", gpu_count=1)
    for name in ("g5.xlarge", "g6.xlarge", "p4d.24xlarge")
}


def prices_of(answer: PriceAnswer) -> dict[tuple[str, str, CapacityType], float]:
    return {
        (o.instance_type.name, o.zone, o.capacity_type): o.price_usd_per_hour for o in answer.offers
    }


def product(**attributes: str) -> str:
    document = json.loads((replay.ANSWERS / "product.json").read_text())
    document["product"]["attributes"] |= attributes
    return json.dumps(document)


# --- reading answers ---------------------------------------------------------------------------


def test_a_product_has_the_price_of_an_hour_on_demand_and_no_other() -> None:
    assert parse.on_demand_prices([product()]) == {"p4d.24xlarge": 21.957642}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tenancy", "Dedicated"),
        ("operatingSystem", "Windows"),
        ("preInstalledSw", "SQL Web"),
        ("capacitystatus", "UnusedCapacityReservation"),
        ("marketoption", "CapacityBlock"),
        ("operation", "RunInstances:0010"),
        ("locationType", "AWS Local Zone"),
        ("gpu", "0.125"),
    ],
)
def test_what_is_no_plain_machine_is_left_out(name: str, value: str) -> None:
    assert parse.on_demand_prices([product(**{name: value})]) == {}


def test_what_is_not_sold_on_demand_has_no_such_price() -> None:
    document = json.loads(product())
    del document["terms"]["OnDemand"]
    assert parse.on_demand_prices([json.dumps(document), product()]) == {"p4d.24xlarge": 21.957642}


def test_a_price_by_another_unit_is_no_price_of_an_hour() -> None:
    with pytest.raises(ValueError, match="GB-Mo"):
        parse.on_demand_prices([product().replace('"Hrs"', '"GB-Mo"')])


def told(minute: int, zone: str, price: str, **more: Any) -> dict[str, Any]:
    at = NOW + timedelta(minutes=minute)
    kind = {"InstanceType": "g5.xlarge", "AvailabilityZone": zone}
    return {**kind, "SpotPrice": price, "Timestamp": at, **more}


def test_a_zone_is_called_by_its_id_whatever_the_account_calls_it() -> None:
    history = [told(0, "us-west-2a", "0.4"), told(1, "us-west-2b", "0.5", AvailabilityZoneId="b7")]
    names = {"us-west-2a": "usw2-az3", "us-west-2b": "usw2-az1"}
    zones = [change.zone for change in parse.spot_prices(history, names)]
    assert zones == ["usw2-az3", "b7"]


def test_zones_near_a_city_are_left_out() -> None:
    history = [told(0, "us-west-2-lax-1a", "0.2", AvailabilityZoneId="usw2-lax1-az1")]
    assert parse.spot_prices(history, {}) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.sampled_from("ab"), st.integers(1, 9)),
        unique_by=lambda each: each[:2],
    )
)
def test_the_price_in_force_is_the_newest_of_each_zone(changes: list[tuple[int, str, int]]) -> None:
    history = [told(minute, zone, str(price)) for minute, zone, price in changes]
    found = parse.newest(parse.spot_prices(history, {"a": "a", "b": "b"}))
    expected = {}
    for zone in {zone for _, zone, _ in changes}:
        newest_minute = max(minute for minute, each, _ in changes if each == zone)
        [expected[zone]] = [
            price for minute, each, price in changes if (minute, each) == (newest_minute, zone)
        ]
    assert {each.zone: each.usd_per_hour for each in found} == expected


# --- asking over HTTP --------------------------------------------------------------------------


def test_every_region_tells_on_demand_and_spot_by_zone(prices: Prices) -> None:
    answers = {answer.region: answer for answer in prices.ask(REGIONS, KNOWN)}
    assert answers.keys() == set(REGIONS)
    west = prices_of(answers["us-west-2"])
    assert west["p4d.24xlarge", "", CapacityType.ON_DEMAND] == pytest.approx(21.957642)
    assert west["p4d.24xlarge", "usw2-az2", CapacityType.SPOT] == pytest.approx(
        0.4 * 1.02 * 21.957642, rel=1e-5
    )
    assert not any(answer.problems for answer in answers.values())
    assert {o.evidence.quality for answer in answers.values() for o in answer.offers} == {
        Quality.LIVE
    }


def test_pages_and_a_refusal_to_wait_change_nothing(prices: Prices) -> None:
    whole = list(prices.ask(REGIONS[:1], KNOWN))
    prices.steer(page=7, throttled=["GetProducts", "DescribeSpotPriceHistory"])
    in_pages = list(prices.ask(REGIONS[:1], KNOWN))
    assert prices_of(in_pages[0]) == prices_of(whole[0])
    assert replay.CALLS["GetProducts"] > 5
    assert replay.CALLS["DescribeSpotPriceHistory"] == 2


def test_names_of_zones_alone_are_looked_up(prices: Prices) -> None:
    with_ids = prices_of(*prices.ask(REGIONS[:1], KNOWN))
    assert not replay.CALLS["DescribeAvailabilityZones"]
    prices.steer(names_alone=True)
    assert prices_of(*prices.ask(REGIONS[:1], KNOWN)) == with_ids


def test_a_new_machine_is_learnt_with_its_hardware(prices: Prices) -> None:
    [answer] = prices.ask(REGIONS[:1], KNOWN)
    [new] = {o.instance_type for o in answer.offers if o.instance_type.name == replay.NEW_MACHINE}
    assert (new.gpu, new.gpu_count, new.gpu_memory_gib, new.vcpus) == ("A100", 8, 80.0, 192)


def test_a_dead_region_costs_nobody_else_anything(prices: Prices) -> None:
    prices.steer(dead=["us-west-2"])
    answers = {answer.region: answer for answer in prices.ask(REGIONS, KNOWN)}
    assert not answers["us-east-1"].problems
    [problem] = answers["us-west-2"].problems
    assert problem.startswith("spot prices: aws/us-west-2")
    kinds = {offer.capacity_type for offer in answers["us-west-2"].offers}
    assert kinds == {CapacityType.ON_DEMAND}


def test_what_is_not_permitted_is_told_and_the_rest_comes(prices: Prices) -> None:
    prices.steer(refused=["DescribeSpotPriceHistory"])
    [answer] = prices.ask(REGIONS[:1], KNOWN)
    assert "UnauthorizedOperation" in answer.problems[0]
    assert answer.offers


def test_the_past_is_told_in_the_order_of_time(prices: Prices) -> None:
    prices.steer(machines=["g5.xlarge"], past={"30": 0.5, "50": 2.0, "5000": 9.0})
    [answer] = prices.ask(REGIONS[:1], KNOWN, past=timedelta(days=90))
    of_zone = [change for change in answer.changes if change.zone == "use1-az1"]
    shares = [change.price_usd_per_hour / of_zone[-1].price_usd_per_hour for change in of_zone]
    assert shares == pytest.approx([2.0, 0.5, 1.0], rel=1e-4)
    assert [change.at for change in of_zone] == sorted(change.at for change in of_zone)
    current = {(o.zone, o.price_usd_per_hour) for o in spot(answer)}
    assert ("use1-az1", of_zone[-1].price_usd_per_hour) in current


def spot(answer: PriceAnswer) -> list[Offer]:
    return [offer for offer in answer.offers if offer.capacity_type is CapacityType.SPOT]


# --- the spot advisor --------------------------------------------------------------------------


def test_the_feed_becomes_priors_of_gpu_machines(prices: Prices) -> None:
    priors = SpotAdvisor(prices.advisor_url).priors()
    assert set(priors) == {
        ("us-east-1", "p4d.24xlarge"),
        ("us-east-1", "g5.xlarge"),
        ("us-east-1", "g6.xlarge"),
        ("us-west-2", "p4d.24xlarge"),
        ("us-west-2", "g6.xlarge"),
    }
    assert priors["us-east-1", "g5.xlarge"].saturated
    band = priors["us-east-1", "p4d.24xlarge"]
    assert band.shape / band.exposure_hours == pytest.approx(BANDS.hazard_per_hour("15-20%"))
    assert band.evidence.quality is Quality.ESTIMATED  # the band is told, the rate is ours
    assert band.evidence.age_days(datetime.now(UTC).date()) == 0


def test_a_feed_that_is_gone_or_changed_is_a_problem(prices: Prices, tmp_path: Path) -> None:
    with pytest.raises(NoAnswer):
        SpotAdvisor(prices.advisor_url.replace("data", "gone")).priors()
    with pytest.raises(ProviderError, match="not the address"):
        SpotAdvisor((tmp_path / "feed").as_uri()).priors()
    with pytest.raises(KeyError):
        dict(priors_of({"ranges": []}, NOW))
