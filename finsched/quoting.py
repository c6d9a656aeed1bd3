"""From a job file to a decision: read it, read the market, take discounts off, decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from finsched import catalog, jobfile, plugins
from finsched.decide.pricing.paths import places_of
from finsched.decide.rank import decide
from finsched.errors import FinschedError, SpecError
from finsched.model.evidence import Evidence, Quality
from finsched.model.job import JobSpec
from finsched.model.market import CapacityType, Market, Offer
from finsched.model.quote import Decision, Quote, Rejection, RejectionCode
from finsched.settings import LEDGER_FILE, Settings

if TYPE_CHECKING:
    from finsched.provider import Provider

LOCAL = "local"
RATES = "settings: rates"


def read_job(path: Path, settings: Settings) -> JobSpec:
    """Return the job of a file, checked against the GPUs and providers that are known.

    Raises SpecError with the line of every problem.
    """
    return jobfile.read(
        path,
        known_gpus=catalog.known_gpus(settings.cache_dir),
        known_clouds=_known_clouds(settings),
        known_places=catalog.places(settings.cache_dir),
    )


def overridden(
    job: JobSpec,
    *,
    max_cost_usd: float | None = None,
    max_hourly_usd: float | None = None,
    clouds: Sequence[str] = (),
) -> JobSpec:
    """Return the job with those limits and clouds that are given instead of its own."""
    budget, where = job.budget, job.where
    if max_cost_usd is not None:
        budget = replace(budget, max_cost_usd=max_cost_usd)
    if max_hourly_usd is not None:
        budget = replace(budget, max_hourly_usd=max_hourly_usd)
    if clouds:
        where = replace(where, clouds=tuple(clouds))
    return replace(job, budget=budget, where=where)


def check_clouds(clouds: Sequence[str], settings: Settings) -> None:
    """Raise SpecError for a provider that nobody knows."""
    known = _known_clouds(settings) if clouds else ()
    for cloud in clouds:
        if cloud not in known:
            close = get_close_matches(cloud, known, n=1)
            fix = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise SpecError(f"{cloud!r} is not a provider", fix=fix)


def _known_clouds(settings: Settings) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*catalog.providers(settings.cache_dir), *plugins.names())))


def read_market(job: JobSpec, settings: Settings, *, now: datetime) -> Market:
    """Return what is known of the market for a job, at the prices this user pays.

    What our own runs teach is in it, so that everything decided in it knows that as well.
    """
    market = catalog.load_market(
        now=now,
        locations=places_of(job),
        cache_dir=settings.cache_dir,
        state_dir=settings.state_dir,
    )
    market = with_experience(job, market, settings)
    ready = _ready(job, settings)
    for provider in ready:
        if provider.name not in market.terms:
            market = _with_offers_of(market, provider)
    return replace(
        market,
        offers=tuple(_own_prices(market.offers, settings)),
        launchable=frozenset(provider.name for provider in ready if provider.compute),
        launch_regions={each.name: each.regions for each in ready if each.regions is not None},
    )


def with_experience(job: JobSpec, market: Market, settings: Settings) -> Market:
    """Return the market with what the ended runs of the ledger teach about a job by now."""
    if not (settings.state_dir / LEDGER_FILE).exists():
        return market
    from finsched.experience.recall import recall  # noqa: PLC0415 - the first quotes have no past

    learnt = recall(settings.state_dir, job, market.as_of)
    return replace(market, experience=learnt.experience, notes=market.notes + learnt.notes)


def quote_in(
    job: JobSpec,
    market: Market,
    *,
    now: datetime,
    discounts: Mapping[str, float],
    launchable_only: bool = False,
) -> Decision:
    """Decide in a market; with `launchable_only`, other providers' offers are rejections."""
    out: tuple[Rejection, ...] = ()
    if launchable_only:
        out = tuple(_not_launchable(market))
        usable = tuple(each for each in market.offers if market.can_launch(each))
        market = replace(market, offers=usable)
    decision = decide(job, market, now=now)
    return replace(
        decision,
        quotes=tuple(_with_discount(quote, discounts) for quote in decision.quotes),
        rejections=decision.rejections + out,
        launchable=market.launchable,
    )


def _ready(job: JobSpec, settings: Settings) -> list[Provider]:
    """The providers that are set up here; this machine only when the job names it."""
    enabled = settings.providers or plugins.names()
    wanted = (name for name in enabled if name != LOCAL or LOCAL in job.where.clouds)
    loaded = (_loaded(name, settings) for name in wanted)
    return [provider for provider in loaded if provider is not None]


def _loaded(name: str, settings: Settings) -> Provider | None:
    try:
        return plugins.load(name, settings)
    except FinschedError:
        return None  # not set up: the catalog's offers of it are quoted all the same


def _with_offers_of(market: Market, provider: Provider) -> Market:
    """The market joined by a provider that the catalog does not know, such as this machine."""
    prices = provider.prices
    told = {each.name: each for each in prices.accelerators()}
    return replace(
        market,
        offers=(*market.offers, *prices.offers()),
        terms={**market.terms, provider.name: prices.terms()},
        accelerators={**told, **market.accelerators},
    )


def _own_prices(offers: tuple[Offer, ...], settings: Settings) -> Iterator[Offer]:
    """Offers at what this user pays: a rate of their own, or else the list price less discount."""
    discounts, rates = settings.discounts, settings.rates
    for offer in offers:
        rate = _rate(offer, rates) if rates else None
        factor = discounts.get(offer.provider)
        if rate is not None:
            yield _at_rate(offer, rate)
        elif factor is not None:
            yield offer._replace(price_usd_per_hour=offer.price_usd_per_hour * factor)
        else:
            yield offer


def _rate(offer: Offer, rates: Mapping[str, Mapping[str, float]]) -> float | None:
    """What the user pays under a savings plan or contract, which covers on-demand machines only."""
    if offer.capacity_type is CapacityType.SPOT or offer.provider not in rates:
        return None
    of_provider, name = rates[offer.provider], offer.instance_type.name
    return of_provider.get(f"{offer.region}/{name}", of_provider.get(name))


def _at_rate(offer: Offer, rate: float) -> Offer:
    known = offer.evidence
    listed = f"list price ${offer.price_usd_per_hour:,.4f}/h of {known.source}"
    evidence = Evidence(
        what=known.what, source=RATES, quality=Quality.DECLARED, note=f"{listed}, {known.as_of}"
    )
    return offer._replace(price_usd_per_hour=rate, evidence=evidence)


def _with_discount(quote: Quote, discounts: Mapping[str, float]) -> Quote:
    """The same quote, saying that its price is not the list's."""
    if quote.offer.evidence.source == RATES:
        return replace(quote, marks=(*quote.marks, "your own rate, not the list price"))
    factor = discounts.get(quote.offer.provider)
    if factor is None:
        return quote
    list_usd = quote.offer.price_usd_per_hour / factor
    evidence = Evidence(
        what="discount",
        source="settings: discounts",
        quality=Quality.DECLARED,
        note=f"{factor:g} times the list price of ${list_usd:,.4f}/h",
    )
    mark = f"your discount: {factor:g} times the list price"
    return replace(quote, evidence=(*quote.evidence, evidence), marks=(*quote.marks, mark))


def _not_launchable(market: Market) -> Iterator[Rejection]:
    for offer in market.offers:
        if not market.can_launch(offer):
            outside = f" in {offer.region}" if offer.provider in market.launchable else ""
            yield Rejection(
                offer=offer,
                code=RejectionCode.NOT_LAUNCHABLE,
                reason=f"finsched cannot launch on {offer.provider}{outside} from here",
            )
