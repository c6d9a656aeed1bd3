"""Vast.ai's asks: each is one host's price for one whole machine, and may be gone a minute later.

Hosts differ, so that a machine here is a GPU model and a number of them: the lowest ask of a
verified host is its price, and what else the host has is not told. Bids are left out: the lowest
that is taken today is no price that anybody promises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

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

URL = "https://console.vast.ai"
PATH = "/api/v0/bundles/"
SOURCE = "Vast.ai asks"
MOST_ASKS = 3000
SEARCH = {
    "type": "on-demand",
    "verified": {"eq": True},
    "external": {"eq": False},
    "rentable": {"eq": True},
    "rented": {"eq": False},
    "order": [["dph_total", "asc"]],
    "limit": MOST_ASKS,
}
SAME_PRICE = 0.1  # how far two figures of one price may lie apart
SAME_MEMORY = 0.15
_MIB_PER_GIB = 1024


def assemble(table: Mapping[str, Any], key: str) -> Provider:
    """Return Vast.ai without a part that launches. Raises SpecError for a wrong table."""
    api = keyed_api("vast", table, key, URL)
    return quoted_only(ProviderTerms(provider="vast"), OneList(partial(_answer, api)))


def _answer(api: JsonApi, known: Mapping[str, InstanceType]) -> PriceAnswer:
    with known_form("vast: the asks"):
        asks, problems = believable(api.post(PATH, SEARCH)["offers"])
        evidence = live_price(SOURCE, datetime.now(UTC), "the lowest ask of a verified host")
        offers = tuple(lowest(asks, known, evidence))
    return PriceAnswer(region=ANY_REGION, offers=offers, problems=problems)


def believable(
    told: Sequence[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], tuple[str, ...]]:
    """Return the asks of verified hosts that tell one price for the whole machine, and problems."""
    verified = [ask for ask in told if ask["verification"] == "verified" and ask["rentable"]]
    whole = [ask for ask in verified if _is_of_the_machine(ask)]
    problems = []
    if len(told) >= MOST_ASKS:
        problems.append(f"there are more than {MOST_ASKS} asks: the dearest are missing")
    if other := len(verified) - len(whole):
        problems.append(f"{other} asks left out: their price is not that of the whole machine")
    return whole, tuple(problems)


def _is_of_the_machine(ask: Mapping[str, Any]) -> bool:
    """The speed of all GPUs is told twice: as it is, and per dollar of the price."""
    flops, per_dollar = ask.get("total_flops"), ask.get("flops_per_dphtotal")
    if not flops or not per_dollar:
        return True
    usd_per_hour = number(flops) / number(per_dollar)
    return abs(usd_per_hour - number(ask["dph_total"])) <= SAME_PRICE * usd_per_hour


def lowest(
    asks: Iterable[Mapping[str, Any]], known: Mapping[str, InstanceType], evidence: Evidence
) -> Iterator[Offer]:
    """Yield the lowest ask of every GPU model and number of GPUs."""
    best: dict[str, tuple[float, InstanceType]] = {}
    for ask in asks:
        kind, usd_per_hour = machine(ask, known), number(ask["dph_total"])
        if kind.name not in best or usd_per_hour < best[kind.name][0]:
            best[kind.name] = (usd_per_hour, kind)
    for usd_per_hour, kind in best.values():
        yield Offer(
            kind,
            ANY_REGION,
            "",
            CapacityType.ON_DEMAND,
            Tier.MARKETPLACE,
            usd_per_hour,
            evidence,
        )


def machine(ask: Mapping[str, Any], known: Mapping[str, InstanceType]) -> InstanceType:
    """Return the machine of an ask, named as the bundled list names it."""
    gpu, gpus = text(ask["gpu_name"]).removeprefix("Tesla "), whole(ask["num_gpus"])
    if gpus < 1:
        raise ValueError(f"an ask of {gpus} GPUs")
    memory_gib = round(number(ask["gpu_ram"]) / _MIB_PER_GIB)
    single = _slug(gpu, memory_gib)
    if single in known and not _is_about(memory_gib, known[single].gpu_memory_gib):
        single = f"{single}-{memory_gib}gb"
    name = single if gpus == 1 else f"{gpus}x-{single}"
    if name in known:
        return known[name]
    return InstanceType(
        provider="vast",
        name=name,
        gpu=known[single].gpu if single in known else gpu,
        gpu_count=gpus,
        gpu_memory_gib=float(memory_gib),
    )


def _slug(gpu: str, memory_gib: int) -> str:
    name = re.sub(r"\bsxm\d\b", "sxm", gpu.lower()).replace(" ", "-")
    return f"{name}-{memory_gib}gb" if name.startswith("a100-") else name


def _is_about(told_gib: float, known_gib: float | None) -> bool:
    return not known_gib or abs(told_gib / known_gib - 1) <= SAME_MEMORY
