"""Lambda's prices: whole machines, one price everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from finsched.errors import NotAuthorized, ProviderError
from finsched.model.market import InstanceType
from finsched.provider import Provider
from finsched.testing.web import Asked, Reply, Site, served
from finsched_lambda import KEY_VARIABLE, provider
from finsched_lambda.prices import REGIONS, SOLD_OUT, assemble, hardware, usd_per_hour
from tests.providers.keyed_prices import KEY, KeyedProviderConformance, recorded

TYPES: dict[str, Any] = recorded(__file__, "instance-types.json")
A10 = InstanceType(provider="lambda", name="gpu_1x_a10", gpu="A10", gpu_count=1)


def answer(asked: Asked) -> Reply:
    if asked.headers.get("authorization") != f"Bearer {KEY}":
        error = {"code": "global/invalid-api-key", "message": "API key was invalid"}
        return Reply(document={"error": error}, status=403)
    assert asked.path == "/api/v1/instance-types"
    return Reply(document=TYPES)


@pytest.fixture
def site() -> Iterator[Site]:
    with served(answer) as found:
        yield found


@pytest.fixture
def made(site: Site) -> Provider:
    return assemble({"prices_url": site.address}, KEY)


def test_a_price_is_that_of_the_whole_machine() -> None:
    told = TYPES["data"]["gpu_8x_a100_80gb_sxm4"]
    machine = hardware(told)
    assert machine
    assert (machine.gpu, machine.gpu_count, machine.gpu_memory_gib) == ("A100", 8, 80.0)
    assert usd_per_hour(told) == 22.32


def test_a_type_that_disagrees_with_its_name_is_refused() -> None:
    told = json.loads(json.dumps(TYPES["data"]["gpu_8x_h100_sxm5"]))
    told["instance_type"]["specs"]["gpus"] = 1
    with pytest.raises(ValueError, match="said to have 1 GPUs"):
        hardware(told)


def test_every_region_has_the_price_and_says_where_it_is_sold_out(made: Provider) -> None:
    assert made.live_prices
    regions = made.live_prices.regions()
    assert set(regions) == REGIONS | {"us-north-9"}
    answers = {a.region: a.offers for a in made.live_prices.ask(regions, {}, past=None)}
    notes = {
        (region, offer.instance_type.name): offer.evidence.note
        for region, offers in answers.items()
        for offer in offers
    }
    assert SOLD_OUT not in notes["us-west-1", "gpu_1x_a10"]
    assert SOLD_OUT in notes["us-west-2", "gpu_1x_a10"]
    assert {name for _, name in notes} == set(TYPES["data"]) - {"cpu_4x_general"}


def test_a_wrong_key_and_a_wrong_answer_are_told(site: Site) -> None:
    live = assemble({"prices_url": site.address}, "another-key").live_prices
    assert live
    with pytest.raises(NotAuthorized, match="API key was invalid") as caught:
        live.regions()
    assert "another-key" not in caught.value.message
    site.answer = lambda _: Reply(document={"data": {"gpu_1x_a10": {}}})
    with pytest.raises(ProviderError, match="another form"):
        live.regions()


class TestLambda(KeyedProviderConformance):
    key_variable = KEY_VARIABLE
    entry_point = staticmethod(provider)
