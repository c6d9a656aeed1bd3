"""RunPod's prices: told per GPU, whatever the place; a machine of n GPUs costs n times that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from finsched.errors import ProviderError
from finsched.model.evidence import Evidence
from finsched.model.market import (
    ANY_REGION,
    CapacityType,
    InstanceType,
    Offer,
    ProviderTerms,
    Tier,
)
from finsched.provider import PriceAnswer, Provider
from finsched.settings_values import number, text, whole
from finsched.toolbox.flat_prices import OneList, keyed_api, quoted_only
from finsched.toolbox.json_api import JsonApi, known_form
from finsched.toolbox.price_list import live_price

URL = "https://api.runpod.io"
PATH = "/graphql"
SOURCE = "RunPod GPU types"
SIZES = (1, 2, 4, 8)
QUERY = """
query GpuTypes {
  gpuTypes {
    id displayName memoryInGb
    maxGpuCountSecureCloud maxGpuCountCommunityCloud
    securePrice secureSpotPrice communityPrice communitySpotPrice
  }
}
"""
_CATALOG_NAMES = {"b300": "hgx-b300", "h200-sxm": "h200"}  # as the bundled list calls them


class Sale(NamedTuple):
    """A way of buying, and the fields that tell its price per GPU and its largest machine."""

    tier: Tier
    capacity_type: CapacityType
    usd_per_gpu_hour: str
    most_gpus: str


SALES = (
    Sale(Tier.STANDARD, CapacityType.ON_DEMAND, "securePrice", "maxGpuCountSecureCloud"),
    Sale(Tier.STANDARD, CapacityType.SPOT, "secureSpotPrice", "maxGpuCountSecureCloud"),
    Sale(Tier.COMMUNITY, CapacityType.ON_DEMAND, "communityPrice", "maxGpuCountCommunityCloud"),
    Sale(Tier.COMMUNITY, CapacityType.SPOT, "communitySpotPrice", "maxGpuCountCommunityCloud"),
)


def assemble(table: Mapping[str, Any], key: str) -> Provider:
    """Return RunPod without a part that launches. Raises SpecError for a wrong table."""
    api = keyed_api("runpod", table, key, URL)
    return quoted_only(ProviderTerms(provider="runpod"), OneList(partial(_answer, api)))


def _answer(api: JsonApi, known: Mapping[str, InstanceType]) -> PriceAnswer:
    with known_form("runpod: the GPU types"):
        evidence = live_price(SOURCE, datetime.now(UTC))
        offers = tuple(offers_of(_types(api), known, evidence))
    return PriceAnswer(region=ANY_REGION, offers=offers)


def _types(api: JsonApi) -> Sequence[Mapping[str, Any]]:
    answer = api.post(PATH, {"query": QUERY})
    if problems := answer.get("errors"):
        message = f"runpod: {problems[0].get('message', problems[0])}"
        raise ProviderError(message, fix="update finsched")
    types: Sequence[Mapping[str, Any]] = answer["data"]["gpuTypes"]
    return types


def offers_of(
    types: Sequence[Mapping[str, Any]], known: Mapping[str, InstanceType], evidence: Evidence
) -> Iterator[Offer]:
    """Yield machines of one to eight GPUs; a price that is missing or zero is no offer."""
    for told in types:
        for sale in SALES:
            usd_per_gpu_hour = number(told[sale.usd_per_gpu_hour] or 0)
            most_gpus = whole(told[sale.most_gpus] or 0)
            for gpus in SIZES if usd_per_gpu_hour else ():
                if gpus <= most_gpus:
                    yield Offer(
                        machine(told, gpus, known),
                        ANY_REGION,
                        "",
                        sale.capacity_type,
                        sale.tier,
                        usd_per_gpu_hour * gpus,
                        evidence,
                    )


def machine(told: Mapping[str, Any], gpus: int, known: Mapping[str, InstanceType]) -> InstanceType:
    """Return the machine of so many GPUs; nobody tells its host."""
    slug = text(told["displayName"]).lower().replace(" ", "-")
    single = _CATALOG_NAMES.get(slug, slug)
    name = single if gpus == 1 else f"{gpus}x-{single}"
    if name in known:
        return known[name]
    same = known.get(single)
    return InstanceType(
        provider="runpod",
        name=name,
        gpu=same.gpu if same else told["displayName"],
        gpu_count=gpus,
        gpu_memory_gib=number(told["memoryInGb"]),
    )
