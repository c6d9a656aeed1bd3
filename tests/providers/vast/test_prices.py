"""Vast.ai's prices: the lowest verified ask of each kind of machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from finsched.errors import ProviderError
from finsched.model.market import InstanceType, Tier
from finsched.provider import PriceAnswer, Provider
from finsched.testing.web import Asked, Reply, Site, served
from finsched_vast import KEY_VARIABLE, provider
from finsched_vast.prices import assemble, believable
from tests.providers.keyed_prices import KEY, KeyedProviderConformance, recorded

ASKS: dict[str, Any] = recorded(__file__, "asks.json")
V100 = InstanceType(provider="vast", name="v100", gpu="V100", gpu_count=1, gpu_memory_gib=16)


def answer(asked: Asked) -> Reply:
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.json["verified"] == {"eq": True}
    return Reply(document=ASKS)


@pytest.fixture
def site() -> Iterator[Site]:
    with served(answer) as found:
        yield found


@pytest.fixture
def made(site: Site) -> Provider:
    return assemble({"prices_url": site.address}, KEY)


@pytest.fixture
def told(made: Provider) -> PriceAnswer:
    assert made.live_prices
    [found] = made.live_prices.ask(("*",), {"v100": V100}, past=None)
    return found


def test_the_lowest_verified_ask_of_a_whole_machine_counts(told: PriceAnswer) -> None:
    assert {o.instance_type.name: o.price_usd_per_hour for o in told.offers} == {
        "h100-sxm": 1.87,
        "8x-h100-sxm": 15.92,
        "rtx-4090": 0.31,
        "4x-rtx-4090": 1.28,
        "a100-sxm-40gb": 0.69,
        "a100-sxm-80gb": 0.88,
        "v100": 0.15,
        "v100-32gb": 0.21,
    }
    assert {offer.tier for offer in told.offers} == {Tier.MARKETPLACE}


def test_a_price_of_one_gpu_of_eight_is_left_out_and_told(told: PriceAnswer) -> None:
    [problem] = told.problems
    assert problem.startswith("1 asks left out")


def test_a_market_that_is_cut_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finsched_vast.prices.MOST_ASKS", 5)
    _, problems = believable(ASKS["offers"])
    assert "the dearest are missing" in problems[0]


def test_asks_of_another_form_are_a_problem(made: Provider, site: Site) -> None:
    site.answer = lambda _: Reply(document={"offers": [{"gpu_name": "H100 SXM"}]})
    assert made.live_prices
    with pytest.raises(ProviderError, match="another form"):
        list(made.live_prices.ask(("*",), {}, past=None))


class TestVast(KeyedProviderConformance):
    key_variable = KEY_VARIABLE
    entry_point = staticmethod(provider)
