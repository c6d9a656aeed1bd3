"""Lambda's flat prices: one for a machine type, whatever the region."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from finsched.model.market import (
    BillingRule,
    CapacityType,
    InstanceType,
    Offer,
    ProviderTerms,
    Tier,
)
from finsched.provider import PriceAnswer, Provider
from finsched.settings_values import number, text, whole
from finsched.toolbox.flat_prices import keyed_api, quoted_only
from finsched.toolbox.json_api import JsonApi, known_form
from finsched.toolbox.price_list import live_price

URL = "https://cloud.lambda.ai"
PATH = "/api/v1/instance-types"
SOURCE = "Lambda instance types"
SOLD_OUT = "no machine free there when asked"

# Regions that the answer leaves out while nothing is free there; the price is the same.
REGIONS = frozenset({
    "asia-northeast-1", "asia-northeast-2", "asia-south-1", "australia-east-1",
    "europe-central-1", "europe-south-1", "me-west-1", "us-east-1", "us-east-2", "us-east-3",
    "us-midwest-1", "us-south-1", "us-south-2", "us-south-3", "us-west-1", "us-west-2",
    "us-west-3",
})  # fmt: skip

_GPU = re.compile(r"(?P<name>.+?) \((?P<gb>\d+) GB")
_COUNT_IN_NAME = re.compile(r"gpu_(\d+)x_")
_CENTS = 100


def assemble(table: Mapping[str, Any], key: str) -> Provider:
    """Return Lambda without a part that launches. Raises SpecError for a wrong table."""
    billing = BillingRule(minimum_seconds=60, granularity_seconds=60)
    terms = ProviderTerms(provider="lambda", billing=billing)
    return quoted_only(terms, LambdaLivePrices(keyed_api("lambda", table, key, URL)))


class LambdaLivePrices:
    """On-demand prices; there is no other way of buying."""

    def __init__(self, api: JsonApi) -> None:
        self._api = api
        self._types: Mapping[str, Any] = {}

    def regions(self) -> Sequence[str]:
        """Ask for the types, which tell the regions. Raises a `ProviderProblem`."""
        self._types = self._asked()
        return tuple(sorted(REGIONS.union(*map(_free_in, self._types.values()))))

    def ask(
        self,
        regions: Sequence[str],
        known: Mapping[str, InstanceType],
        *,
        past: timedelta | None,  # noqa: ARG002 - Lambda tells no past prices
    ) -> Iterator[PriceAnswer]:
        """Yield the types of every region, with a note where none is free."""
        types = self._types or self._asked()
        now = datetime.now(UTC)
        for region in regions:
            yield PriceAnswer(region=region, offers=tuple(_offers(types, region, known, now)))

    def _asked(self) -> Mapping[str, Any]:
        with known_form("lambda: the machine types"):
            types: Mapping[str, Any] = self._api.get(PATH)["data"]
            for told in types.values():
                usd_per_hour(told)
                hardware(told)
                _free_in(told)
        return types


def _offers(
    types: Mapping[str, Any], region: str, known: Mapping[str, InstanceType], now: datetime
) -> Iterator[Offer]:
    free, sold_out = live_price(SOURCE, now), live_price(SOURCE, now, SOLD_OUT)
    for told in types.values():
        machine = hardware(told)
        if machine is None:
            continue
        yield Offer(
            known.get(machine.name, machine),
            region,
            "",
            CapacityType.ON_DEMAND,
            Tier.STANDARD,
            usd_per_hour(told),
            free if region in _free_in(told) else sold_out,
        )


def usd_per_hour(told: Mapping[str, Any]) -> float:
    """Return the price of a whole machine, which Lambda tells in cents."""
    return number(told["instance_type"]["price_cents_per_hour"]) / _CENTS


def hardware(told: Mapping[str, Any]) -> InstanceType | None:
    """Return a type's hardware; None for one without GPUs.

    Raises ValueError where the name and the figures disagree on the number of GPUs: the price is
    the whole machine's, and dividing it by the wrong number is how eight become one.
    """
    kind = told["instance_type"]
    specs, name, gpu_name = kind["specs"], text(kind["name"]), text(kind["gpu_description"])
    gpus = whole(specs["gpus"])
    if gpus == 0:
        return None
    in_name = _COUNT_IN_NAME.match(name)
    if in_name is None or int(in_name[1]) != gpus:
        raise ValueError(f"{name} is said to have {gpus} GPUs")
    gpu = _GPU.match(gpu_name)
    return InstanceType(
        provider="lambda",
        name=name,
        gpu=gpu["name"] if gpu else gpu_name,
        gpu_count=gpus,
        gpu_memory_gib=float(gpu["gb"]) if gpu else None,
        vcpus=number(specs["vcpus"]),
        memory_gib=number(specs["memory_gib"]),
    )


def _free_in(told: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(text(region["name"]) for region in told["regions_with_capacity_available"])
