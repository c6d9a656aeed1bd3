"""`finsched gpus [NAME]`: which GPUs there are, who sells them and for how much."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finsched.errors import SpecError

if TYPE_CHECKING:
    from rich.table import Table

    from finsched.catalog.browse import Summary
    from finsched.model.market import Accelerator, Market, Offer

UNKNOWN = "-"
SPECIAL_TIER = "*"
NUMBERS = frozenset({"GiB", "Sellers", "Reg.", "Days"})
LEGEND = (
    "Cheapest in USD per GPU-hour; * private host, marketplace ask or prototyping. "
    "Days: age of the older price, > at least, ? undated."
)


def gpus(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A GPU's name or alias.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """List the GPUs of the market, or who sells one of them."""
    from finsched import settings
    from finsched.catalog import load_market
    from finsched.catalog.browse import by_gpu, by_provider
    from finsched.cli.output import console, print_json

    now = datetime.now(UTC)
    chosen = settings.load()
    market = load_market(now=now, cache_dir=chosen.cache_dir, state_dir=chosen.state_dir)
    gpu = _find(name, market) if name else None
    rows = by_provider(market, gpu.name) if gpu else by_gpu(market)
    if json:
        print_json(document(rows, gpu, now))
        return
    out = console()
    if gpu:
        out.print(_headline(gpu))
    out.print(table(rows, now.date(), one_gpu=gpu is not None))
    out.print(LEGEND)


def _find(name: str, market: Market) -> Accelerator:
    from finsched.catalog import nearest_gpus, resolve_gpu

    found = resolve_gpu(name, market.accelerators)
    if found is not None:
        return market.accelerators[found]
    nearest = nearest_gpus(name, market.accelerators)
    guess = f"did you mean {' or '.join(nearest)}? " if nearest else ""
    raise SpecError(f"unknown GPU: {name}", fix=f"{guess}`finsched gpus` lists them all")


def _headline(gpu: Accelerator) -> str:
    facts = [f"{gpu.vendor} {gpu.name}", _memory(gpu)]
    if gpu.dense_fp16_tflops:
        facts.append(f"{gpu.dense_fp16_tflops:g} TFLOPS dense FP16")
    if gpu.aliases:
        facts.append(f"also {', '.join(gpu.aliases)}")
    return " · ".join(facts)


def table(rows: list[Summary], today: date, *, one_gpu: bool) -> Table:
    """Return the rows as a table of at most 80 columns: a GPU each, or a provider of one GPU."""
    from rich.table import Table

    result = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for title in _titles(one_gpu=one_gpu):
        result.add_column(title, justify="right" if title in NUMBERS else "left", no_wrap=True)
    for row in rows:
        result.add_row(*_cells(row, today, one_gpu=one_gpu))
    return result


def _titles(*, one_gpu: bool) -> tuple[str, ...]:
    if one_gpu:
        return ("Provider", "GPUs", " On-demand", "  Spot", "Days")
    return ("GPU", "GiB", "Sellers", "Reg.", " On-demand", "  Spot", "Days")


def _cells(row: Summary, today: date, *, one_gpu: bool) -> list[str]:
    if one_gpu:
        first = [row.providers[0], ",".join(map(str, row.gpu_counts))]
    else:
        memory = f"{row.gpu.memory_gib:g}" if row.gpu.memory_gib else UNKNOWN
        first = [row.gpu.name, memory, str(len(row.providers)), str(len(row.regions))]
    prices = [_price(offer, one_gpu=one_gpu) for offer in (row.on_demand, row.spot)]
    return [*first, *prices, _age_days(row, today)]


def _price(offer: Offer | None, *, one_gpu: bool) -> str:
    from finsched.catalog.browse import usd_per_gpu_hour
    from finsched.model.market import ANY_REGION, Tier

    if offer is None:
        return f"{UNKNOWN:>5}"
    mark = " " if offer.tier is Tier.STANDARD else SPECIAL_TIER
    place = offer.region if one_gpu else offer.provider
    if place == ANY_REGION:
        place = ""
    return f"{usd_per_gpu_hour(offer):5.2f}{mark}{place}"


def _memory(gpu: Accelerator) -> str:
    return f"{gpu.memory_gib:g} GiB" if gpu.memory_gib else UNKNOWN


def _age_days(row: Summary, today: date) -> str:
    """The age of the older price; ">" marks a bound, because the source has no date of its own."""
    ages = []
    for offer in (row.on_demand, row.spot):
        if offer is not None:
            days = offer.evidence.age_days(today)
            if days is None:
                return "?"
            ages.append((days, offer.evidence.earliest is None))
    oldest, at_least = max(ages, default=(0, True))
    return f"{'>' if at_least else ''}{oldest}"


def document(rows: list[Summary], gpu: Accelerator | None, now: datetime) -> dict[str, Any]:
    """Return the machine-readable form of the rows."""
    head = {"as_of": now.isoformat(timespec="seconds"), "currency": "USD"}
    if gpu is None:
        return {**head, "gpus": [{**_facts(row.gpu), **_sold(row)} for row in rows]}
    sellers = [{"provider": row.providers[0], **_sold(row)} for row in rows]
    return {**head, "gpu": _facts(gpu), "providers": sellers}


def _facts(gpu: Accelerator) -> dict[str, Any]:
    return {
        "name": gpu.name,
        "vendor": gpu.vendor,
        "memory_gib": gpu.memory_gib,
        "dense_fp16_tflops": gpu.dense_fp16_tflops,
        "memory_bandwidth_gb_per_s": gpu.memory_bandwidth_gb_per_s,
        "tdp_watts": gpu.tdp_watts,
        "aliases": list(gpu.aliases),
    }


def _sold(row: Summary) -> dict[str, Any]:
    return {
        "sellers": list(row.providers),
        "regions": [str(region) for region in row.regions],
        "gpu_counts": list(row.gpu_counts),
        "cheapest_on_demand": _offer(row.on_demand),
        "cheapest_spot": _offer(row.spot),
    }


def _offer(offer: Offer | None) -> dict[str, Any] | None:
    from finsched.catalog.browse import usd_per_gpu_hour
    from finsched.cli.render.evidence import evidence_document

    if offer is None:
        return None
    return {
        "usd_per_gpu_hour": round(usd_per_gpu_hour(offer), 6),
        "price_usd_per_hour": offer.price_usd_per_hour,
        "provider": offer.provider,
        "region": offer.region,
        "zone": offer.zone,
        "instance_type": offer.instance_type.name,
        "gpu_count": offer.instance_type.gpu_count,
        "tier": offer.tier,
        "evidence": evidence_document(offer.evidence),
    }
