"""Google's prices: sums of recorded SKUs, held against published totals, and asked over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from finsched import settings as all_settings
from finsched.catalog import load_market
from finsched.errors import NotAuthorized, NotConfigured, ProviderError
from finsched.model.market import CapacityType, InstanceType, Offer, Tier
from finsched.provider import Provider
from finsched.testing.prices_conformance import PricesConformance
from finsched.testing.web import Asked, Reply, Site, served
from finsched_gcp import prices_parse as parse
from finsched_gcp.prices import CATALOG_PRICES, KEY_VARIABLE, live_prices, provider
from finsched_gcp.prices_parse import Rate, Tariff
from finsched_gcp.settings import GcpSettings

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SKUS: list[dict[str, Any]] = json.loads(
    (Path(__file__).with_name("answers") / "skus.json").read_text("utf-8")
)
KEY = "canary-key"
PAGE = 8
REGION = "us-central1"
LOCAL_DISKS = 0.01  # the bundled sums leave them out; Google bills them with the machine
PUBLISHED_USD = {  # by Google for us-central1; g2 and n1 to the digits of its page
    "a2-highgpu-1g": 3.673385,
    "a2-ultragpu-1g": 5.0688,
    "g2-standard-4": 0.7068,
    "n1-standard-8+1xT4": 0.73,
    "n1-standard-8+1xV100": 2.86,
}


@pytest.fixture(scope="module")
def sold() -> Sequence[Offer]:
    return [offer for offer in load_market(now=NOW).offers if offer.provider == "gcp"]


@pytest.fixture(scope="module")
def known(sold: Sequence[Offer]) -> dict[str, InstanceType]:
    return {offer.instance_type.name: offer.instance_type for offer in sold}


@pytest.fixture
def site() -> Iterator[Site]:
    with served(answer) as found:
        yield found


def answer(asked: Asked) -> Reply:
    """A few SKUs a page, to those who have the key."""
    if asked.headers.get("x-goog-api-key") != KEY:
        error = {"code": 403, "message": "Method doesn't allow unregistered callers"}
        return Reply(document={"error": error}, status=403)
    assert asked.path == "/v1/services/6F81-5844-456A/skus"
    start = int(asked.query.get("pageToken", 0))
    following = str(start + PAGE) if start + PAGE < len(SKUS) else ""
    return Reply(document={"skus": SKUS[start : start + PAGE], "nextPageToken": following})


@pytest.fixture
def settings(site: Site, monkeypatch: pytest.MonkeyPatch) -> GcpSettings:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    return GcpSettings(prices_url=site.address)


def sums(known: dict[str, InstanceType]) -> dict[tuple[str, Tariff], float]:
    told = parse.machine_prices(known.values(), parse.rates(SKUS), REGION)
    return {(machine.name, tariff): usd for machine, tariff, usd in told}


# --- sums --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED_USD)
def test_a_machine_costs_what_its_parts_do(known: dict[str, InstanceType], name: str) -> None:
    assert sums(known)[name, Tariff.ON_DEMAND] == pytest.approx(PUBLISHED_USD[name], rel=1e-4)


def test_sums_agree_with_the_bundled_totals(
    known: dict[str, InstanceType], sold: Sequence[Offer]
) -> None:
    bundled = {
        (each.instance_type.name, each.capacity_type, each.tier): each.price_usd_per_hour
        for each in sold
        if each.region == REGION
    }
    compared = 0
    for (name, tariff), usd in sums(known).items():
        total = bundled.get((name, tariff.capacity_type, tariff.tier))
        if total is not None and tariff is not Tariff.SPOT:
            assert usd == pytest.approx(total, rel=LOCAL_DISKS), (name, tariff)
            compared += 1
    assert compared > 20


def test_queued_and_reserved_capacity_is_never_on_demand(known: dict[str, InstanceType]) -> None:
    found = sums(known)
    b200 = [found["a4-highgpu-8g", tariff] for tariff in Tariff]
    assert b200 == pytest.approx([8 * 16.11, 8 * 4.0758, 8 * 8.055, 8 * 11.277])
    assert found["a2-highgpu-1g", Tariff.FLEX_START] < found["a2-highgpu-1g", Tariff.ON_DEMAND]
    assert {tariff.tier for tariff in Tariff} == {Tier.STANDARD, Tier.FLEX_START, Tier.CALENDAR}


def test_a_machine_with_a_part_that_nobody_tells_has_no_price(
    known: dict[str, InstanceType],
) -> None:
    found = sums(known)
    assert ("a3-highgpu-8g", Tariff.ON_DEMAND) not in found  # its cores have no SKU here
    assert ("g2-standard-4", Tariff.SPOT) not in found
    assert not any(name.startswith("tpu") for name, _ in found)


def test_commitments_and_what_was_paid_before_are_left_out() -> None:
    priced = parse.rates(SKUS)
    assert priced[Rate(REGION, Tariff.ON_DEMAND, "A100 GPU")] == pytest.approx(2.933908)
    assert priced[Rate(REGION, Tariff.ON_DEMAND, "A2 Core")] == 0.031611
    assert priced[Rate(REGION, Tariff.ON_DEMAND, "N1 Core")] == 0.031611
    assert not any("Custom" in rate.part or "Sole" in rate.part for rate in priced)


def test_two_names_of_a_gpu_are_one_and_two_sizes_are_two() -> None:
    priced = parse.rates(SKUS)
    assert priced[Rate(REGION, Tariff.ON_DEMAND, "H100 80GB Mega GPU")] == 10.344275712
    assert priced[Rate(REGION, Tariff.ON_DEMAND, "A100 80GB GPU")] == 3.9276


@pytest.mark.parametrize(
    ("change", "said"), [({"usageUnit": "s"}, "'s'"), ({"currency": "EUR"}, "in EUR")]
)
def test_another_unit_is_never_taken_for_a_dollar_an_hour(
    change: dict[str, str], said: str
) -> None:
    sku = json.loads(json.dumps(SKUS[0]))
    expression = sku["pricingInfo"][0]["pricingExpression"]
    expression["usageUnit"] = change.get("usageUnit", "h")
    price = expression["tieredRates"][0]["unitPrice"]
    price["currencyCode"] = change.get("currency", "USD")
    with pytest.raises((KeyError, ValueError), match=said):
        parse.rates([sku])


# --- asking over HTTP --------------------------------------------------------------------------


def test_the_list_is_read_once_for_all_regions(
    settings: GcpSettings, known: dict[str, InstanceType], site: Site
) -> None:
    live = live_prices(settings)
    regions = live.regions()
    answers = {each.region: each for each in live.ask(regions, known, past=None)}
    assert answers.keys() == set(regions) >= {REGION, "us-west1"}
    assert all(each.only_where_known for each in answers.values())
    on_demand = [o for o in answers[REGION].offers if o.capacity_type is CapacityType.ON_DEMAND]
    assert {offer.tier for offer in on_demand} == {Tier.STANDARD, Tier.FLEX_START, Tier.CALENDAR}
    assert len(site.calls) == -(-len(SKUS) // PAGE)
    assert not any(KEY in str(asked.query) for asked in site.calls)


def test_a_wrong_key_is_told_once_and_not_shown(
    settings: GcpSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "another-key")
    with pytest.raises(NotAuthorized, match="unregistered callers") as caught:
        live_prices(settings).regions()
    assert "another-key" not in caught.value.message


def test_a_list_of_another_form_is_a_problem(settings: GcpSettings, site: Site) -> None:
    site.answer = lambda _: Reply(document={"items": []})
    with pytest.raises(ProviderError, match="another form"):
        live_prices(settings).regions()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    nothing = all_settings.load({"FINSCHED_STATE_DIR": str(tmp_path)})
    with pytest.raises(NotConfigured, match=KEY_VARIABLE):
        provider(nothing)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    found = provider(nothing)
    assert (found.name, found.compute) == ("gcp", None)


class TestGcpPrices(PricesConformance):
    @pytest.fixture
    def provider(self, settings: GcpSettings) -> Provider:
        return Provider(name="gcp", prices=CATALOG_PRICES, live_prices=live_prices(settings))

    @pytest.fixture
    def known(self, known: dict[str, InstanceType]) -> dict[str, InstanceType]:
        return known
