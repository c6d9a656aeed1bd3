"""RunPod's prices: told per GPU, sold as machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from finsched.errors import ProviderError
from finsched.model.market import CapacityType, InstanceType, Offer, Tier
from finsched.provider import Provider
from finsched.testing.web import Asked, Reply, Site, served
from finsched_runpod import KEY_VARIABLE, provider
from finsched_runpod.prices import assemble
from tests.providers.keyed_prices import KEY, KeyedProviderConformance, recorded

TYPES: dict[str, Any] = recorded(__file__, "gpu-types.json")
H200 = InstanceType(provider="runpod", name="h200", gpu="H200", gpu_count=1, gpu_memory_gib=141)


def answer(asked: Asked) -> Reply:
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert "securePrice" in asked.json["query"]
    return Reply(document=TYPES)


@pytest.fixture
def site() -> Iterator[Site]:
    with served(answer) as found:
        yield found


@pytest.fixture
def made(site: Site) -> Provider:
    return assemble({"prices_url": site.address}, KEY)


@pytest.fixture
def offers(made: Provider) -> list[Offer]:
    assert made.live_prices
    [told] = made.live_prices.ask(("*",), {"h200": H200}, past=None)
    return list(told.offers)


def usd(offers: list[Offer], name: str, tier: Tier, kind: CapacityType) -> float | None:
    found = [
        offer.price_usd_per_hour
        for offer in offers
        if (offer.instance_type.name, offer.tier, offer.capacity_type) == (name, tier, kind)
    ]
    return found[0] if found else None


def test_eight_gpus_cost_eight_times_one(offers: list[Offer]) -> None:
    assert usd(offers, "h100-sxm", Tier.STANDARD, CapacityType.ON_DEMAND) == 2.99
    assert usd(offers, "8x-h100-sxm", Tier.STANDARD, CapacityType.ON_DEMAND) == 8 * 2.99
    assert usd(offers, "8x-h100-sxm", Tier.COMMUNITY, CapacityType.SPOT) == 8 * 1.35
    for offer in offers:
        name, gpus = offer.instance_type.name, offer.instance_type.gpu_count
        assert gpus == (int(name.partition("x-")[0]) if name[0].isdigit() else 1)


def test_what_is_not_sold_that_way_is_no_offer(offers: list[Offer]) -> None:
    assert usd(offers, "h200", Tier.STANDARD, CapacityType.SPOT) is None
    assert usd(offers, "hgx-b300", Tier.COMMUNITY, CapacityType.ON_DEMAND) is None
    assert usd(offers, "4x-rtx-4090", Tier.COMMUNITY, CapacityType.ON_DEMAND) is None
    assert usd(offers, "2x-rtx-4090", Tier.COMMUNITY, CapacityType.ON_DEMAND) == 2 * 0.34


def test_machines_have_the_names_of_the_bundled_list(offers: list[Offer]) -> None:
    kinds = {offer.instance_type.name: offer.instance_type for offer in offers}
    assert kinds["h200"] is H200
    assert kinds["8x-h200"].gpu == "H200"
    assert {"a100-pcie", "h100-sxm", "hgx-b300", "rtx-4090"} <= kinds.keys()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"errors": [{"message": "Cannot query field securePrice"}]}, "Cannot query field"),
        ({"data": {"gpuTypes": [{"id": "x"}]}}, "another form"),
        ({"data": None}, "another form"),
    ],
)
def test_an_answer_without_prices_is_a_problem(
    made: Provider, site: Site, document: Any, said: str
) -> None:
    site.answer = lambda _: Reply(document=document)
    assert made.live_prices
    with pytest.raises(ProviderError, match=said):
        list(made.live_prices.ask(("*",), {}, past=None))


class TestRunpod(KeyedProviderConformance):
    key_variable = KEY_VARIABLE
    entry_point = staticmethod(provider)
