"""How fresh the catalog is: offers, sources, ages and refreshes by provider."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from finsched import settings
from finsched.catalog import live, load_market
from finsched.catalog.live import LastRefresh, SetAside
from finsched.model.evidence import Evidence, Quality
from finsched.model.market import Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """What the catalog holds of one provider; `refreshed` is None where it was never asked.

    `sources` counts offers by the name of their source. `oldest` and `newest` are evidence of the
    prices with those ages, None where no price has a date.
    """

    provider: str
    offers: int
    live: int
    sources: tuple[tuple[str, int], ...]
    oldest: Evidence | None
    newest: Evidence | None
    quarantined: tuple[SetAside, ...]
    refreshed: LastRefresh | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogStatus:
    """How fresh the prices of every provider are."""

    as_of: datetime
    providers: tuple[ProviderStatus, ...]


def catalog_status() -> CatalogStatus:
    """Return how fresh the prices are that a quote uses now. Raises MachineProblem."""
    chosen = settings.load()
    market = load_market(
        now=datetime.now(UTC), cache_dir=chosen.cache_dir, state_dir=chosen.state_dir
    )
    aside: dict[str, list[SetAside]] = defaultdict(list)
    for each in live.set_aside(chosen.state_dir):
        aside[each.provider].append(each)
    refreshed = {each.provider: each for each in live.last_refreshes(chosen.state_dir)}
    offers: dict[str, list[Offer]] = defaultdict(list)
    for offer in market.offers:
        offers[offer.provider].append(offer)
    providers = (
        _status(name, offers[name], tuple(aside[name]), refreshed.get(name), market.as_of)
        for name in sorted({*offers, *refreshed})
    )
    return CatalogStatus(as_of=market.as_of, providers=tuple(providers))


def _status(
    name: str,
    offers: Sequence[Offer],
    aside: tuple[SetAside, ...],
    refreshed: LastRefresh | None,
    now: datetime,
) -> ProviderStatus:
    told = {offer.evidence for offer in offers if offer.evidence.as_of}
    age = partial(_age_days, now=now)
    return ProviderStatus(
        provider=name,
        offers=len(offers),
        live=sum(offer.evidence.quality is Quality.LIVE for offer in offers),
        sources=tuple(Counter(offer.evidence.source for offer in offers).most_common()),
        oldest=max(told, key=age, default=None),
        newest=min(told, key=age, default=None),
        quarantined=aside,
        refreshed=refreshed,
    )


def _age_days(evidence: Evidence, now: datetime) -> int:
    return evidence.age_days(now.date()) or 0
