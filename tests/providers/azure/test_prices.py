"""Azure's prices: read from recorded answers, and asked over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from finsched.catalog import load_market
from finsched.errors import NotAuthorized, ProviderError
from finsched.model.market import CapacityType, InstanceType
from finsched.provider import PriceAnswer, Provider
from finsched.testing.prices_conformance import PricesConformance
from finsched.testing.web import Site, served
from finsched_azure import prices_parse as parse
from finsched_azure.interruptions import BANDS, EvictionRates, priors_of
from finsched_azure.prices import CATALOG_PRICES, REGIONS, live_prices
from finsched_azure.settings import AzureSettings

from .prices_lab import RETAIL, TOKEN, Lab

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ON_DEMAND, SPOT = CapacityType.ON_DEMAND, CapacityType.SPOT
H100, T4, V100 = "Standard_ND96isr_H100_v5", "Standard_NC4as_T4_v3", "Standard_NC12s_v3"


@pytest.fixture(scope="module")
def known() -> dict[str, InstanceType]:
    market = load_market(now=NOW)
    kinds = (offer.instance_type for offer in market.offers if offer.provider == "azure")
    return {kind.name: kind for kind in kinds}


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def site(lab: Lab) -> Iterator[Site]:
    with served(lab) as found:
        yield found


@pytest.fixture
def settings(site: Site) -> AzureSettings:
    return AzureSettings(
        regions=("eastus", "westus2"), prices_url=site.address, endpoint=site.address
    )


# --- reading -----------------------------------------------------------------------------------


def test_only_plain_linux_prices_are_taken() -> None:
    assert parse.vm_prices(RETAIL) == {
        (H100, ON_DEMAND): 98.32,
        (H100, SPOT): 18.169536,
        (T4, ON_DEMAND): 0.526,
        (T4, SPOT): 0.0867,
        (V100, ON_DEMAND): 6.12,
        (V100, SPOT): 0.788424,
        ("Standard_NP10s", ON_DEMAND): 1.65,
    }


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert parse.vm_prices(reversed(RETAIL)) == parse.vm_prices(RETAIL)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"currencyCode": "EUR"}, "in EUR"), ({"unitOfMeasure": "100 Hours"}, "by 100 Hours")],
)
def test_another_unit_is_never_taken_for_a_dollar_an_hour(
    change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        parse.vm_prices([{**RETAIL[0], **change}])


def test_every_size_that_we_know_is_spelt_as_the_price_list_does(
    known: dict[str, InstanceType],
) -> None:
    assert known
    assert all(parse.size_name(name.lower()) == name for name in known)


def test_an_eviction_rate_is_a_chance_within_an_hour() -> None:
    told = [
        {"skuName": T4.lower(), "location": "eastus", "evictionRate": band} for band in ("0-5",)
    ]
    [(key, prior)] = priors_of(told, NOW)
    assert key == ("eastus", T4)
    assert prior.shape / prior.exposure_hours == pytest.approx(0.0253, abs=1e-4)
    hazards = [BANDS.hazard_per_hour(band) for band in ("0-5", "5-10", "10-15", "15-20", "20+")]
    assert hazards == sorted(hazards)


# --- asking over HTTP --------------------------------------------------------------------------


def prices_of(answer: PriceAnswer) -> dict[tuple[str, CapacityType], float]:
    return {
        (offer.instance_type.name, offer.capacity_type): offer.price_usd_per_hour
        for offer in answer.offers
    }


def test_every_region_is_asked_without_an_account(
    settings: AzureSettings, known: dict[str, InstanceType], site: Site
) -> None:
    live = live_prices(settings)
    answers = {answer.region: answer for answer in live.ask(live.regions(), known, past=None)}
    assert answers.keys() == {"eastus", "westus2"}
    assert prices_of(answers["eastus"])[H100, SPOT] == 18.169536
    assert prices_of(answers["westus2"])[T4, ON_DEMAND] == pytest.approx(0.526 * 1.1)
    assert "Standard_NP10s" not in {name for name, _ in prices_of(answers["eastus"])}
    assert len(site.calls) == 2 * 3  # pages
    assert not any("authorization" in asked.headers for asked in site.calls)


def test_a_dead_region_costs_nobody_else_anything(
    settings: AzureSettings, known: dict[str, InstanceType], lab: Lab
) -> None:
    lab.dead = frozenset({"westus2"})
    answers = {a.region: a for a in live_prices(settings).ask(settings.regions, known, past=None)}
    assert answers["eastus"].offers
    assert not answers["eastus"].problems
    [problem] = answers["westus2"].problems
    assert problem.startswith("prices: azure: no answer")


def test_the_past_needs_an_account(settings: AzureSettings, known: dict[str, InstanceType]) -> None:
    past = timedelta(days=90)
    without = list(live_prices(settings).ask(["eastus"], known, past=past))
    assert [(answer.changes, answer.problems) for answer in without] == [((), ())]
    [answer] = live_prices(settings, lambda: TOKEN).ask(["eastus"], known, past=past)
    assert [change.price_usd_per_hour for change in answer.changes] == [0.0526, 0.0867]
    [answer] = live_prices(settings, lambda: "another").ask(["eastus"], known, past=past)
    assert answer.offers
    assert answer.problems[0].startswith("past spot prices: azure: status 403")


def test_eviction_rates_need_one_as_well(settings: AzureSettings) -> None:
    priors = EvictionRates(lambda: TOKEN, settings.endpoint).priors()
    assert set(priors) == {("eastus", T4), ("eastus", H100), ("westus2", V100)}
    assert priors["eastus", H100].saturated
    with pytest.raises(NotAuthorized) as caught:
        EvictionRates(lambda: "another", settings.endpoint).priors()
    assert "another" not in caught.value.message


def test_rates_of_another_form_are_a_problem(settings: AzureSettings, site: Site) -> None:
    def other(asked: Any) -> Any:
        reply = Lab()(asked)
        return type(reply)(
            document={"data": [{"skuName": T4, "location": "x", "evictionRate": "low"}]}
        )

    site.answer = other
    with pytest.raises(ProviderError, match="another form"):
        EvictionRates(lambda: TOKEN, settings.endpoint).priors()


def test_regions_are_those_with_a_public_price_list() -> None:
    assert len(set(REGIONS)) == len(REGIONS) > 50
    assert live_prices(AzureSettings()).regions() == REGIONS


class TestAzurePrices(PricesConformance):
    @pytest.fixture
    def provider(self, settings: AzureSettings) -> Provider:
        return Provider(
            name="azure",
            prices=CATALOG_PRICES,
            live_prices=live_prices(settings, lambda: TOKEN),
            interruptions=EvictionRates(lambda: TOKEN, settings.endpoint),
        )

    @pytest.fixture
    def known(self, known: dict[str, InstanceType]) -> dict[str, InstanceType]:
        return known
