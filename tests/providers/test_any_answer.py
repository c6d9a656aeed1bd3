"""Whatever a price API says, it is a list of prices or a problem of that provider, never a crash.

A recorded answer is damaged somewhere: a part is replaced by something else, or left out.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finsched.errors import ProviderProblem
from finsched.model.market import InstanceType
from finsched.provider import LivePrices
from finsched.testing.web import Reply, Site, served
from finsched_azure.prices import live_prices as azure_prices
from finsched_azure.settings import AzureSettings
from finsched_gcp.prices import live_prices as gcp_prices
from finsched_gcp.settings import GcpSettings
from finsched_lambda.prices import assemble as assemble_lambda
from finsched_runpod.prices import assemble as assemble_runpod
from finsched_vast.prices import assemble as assemble_vast

HERE = Path(__file__).parent
KNOWN: Mapping[str, InstanceType] = {
    "a2-highgpu-1g": InstanceType(
        provider="gcp", name="a2-highgpu-1g", gpu="A100", gpu_count=1, vcpus=12, memory_gib=85
    ),
    "Standard_NC4as_T4_v3": InstanceType(
        provider="azure", name="Standard_NC4as_T4_v3", gpu="T4", gpu_count=1
    ),
}
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 10**20),
    st.floats(allow_nan=False),
    st.text(max_size=4),
    st.just([]),
    st.just({}),
)


class Told(NamedTuple):
    """A recorded answer, and who reads it at an address."""

    document: Any
    reader: Any


def read(path: str) -> Any:
    return json.loads((HERE / path).read_text("utf-8"))


def azure(url: str) -> LivePrices:
    return azure_prices(AzureSettings(prices_url=url, regions=("eastus",)))


def live(provider: Any) -> LivePrices:
    assert provider.live_prices
    found: LivePrices = provider.live_prices
    return found


TOLD = {
    "azure": Told({"Items": read("azure/answers/retail.json"), "NextPageLink": None}, azure),
    "gcp": Told(
        {"skus": read("gcp/answers/skus.json")}, lambda url: gcp_prices(GcpSettings(prices_url=url))
    ),
    "lambda": Told(
        read("lambda/answers/instance-types.json"),
        lambda url: live(assemble_lambda({"prices_url": url}, "key")),
    ),
    "runpod": Told(
        read("runpod/answers/gpu-types.json"),
        lambda url: live(assemble_runpod({"prices_url": url}, "key")),
    ),
    "vast": Told(
        read("vast/answers/asks.json"),
        lambda url: live(assemble_vast({"prices_url": url}, "key")),
    ),
}


def paths(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where every part of a document is, the whole first."""
    yield path
    parts = document.items() if isinstance(document, dict) else ()
    parts = enumerate(document) if isinstance(document, list) else parts
    for key, part in parts:
        yield from paths(part, (*path, key))


PATHS = {name: list(paths(told.document)) for name, told in TOLD.items()}


def damaged(document: Any, path: tuple[Any, ...], by: Any, *, left_out: bool) -> Any:
    if not path:
        return by
    found = whole = copy.deepcopy(document)
    for key in path[:-1]:
        found = found[key]
    if left_out:
        del found[path[-1]]
    else:
        found[path[-1]] = by
    return whole


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served(lambda _: Reply()) as found:
        yield found


@pytest.mark.parametrize("name", TOLD)
@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 10**6), by=ANYTHING, left_out=st.booleans())
def test_a_damaged_answer_is_prices_or_a_problem(
    site: Site, name: str, monkeypatch: pytest.MonkeyPatch, place: int, by: Any, left_out: bool
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "key")
    document, reader = TOLD[name]
    path = PATHS[name][place % len(PATHS[name])]
    reply = damaged(document, path, by, left_out=left_out)
    site.answer = lambda _: Reply(document=reply if reply is not None else {})
    prices = reader(site.address)
    try:
        answers = list(prices.ask(prices.regions()[:2], KNOWN, past=None))
    except ProviderProblem:
        return
    for offer in (offer for answer in answers for offer in answer.offers):
        kind = offer.instance_type
        assert isinstance(offer.price_usd_per_hour, float)
        assert isinstance(kind.name, str)
        assert isinstance(kind.gpu, str)
        assert kind.gpu_count >= 1
