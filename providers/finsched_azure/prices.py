"""What holds on Azure, and its prices of this moment, asked of every region at once.

Prices need no account. How spot prices changed does: without one, that stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from finsched.errors import ProviderProblem
from finsched.model.evidence import Evidence, Quality
from finsched.model.market import (
    BillingRule,
    CapacityType,
    InstanceType,
    Offer,
    ProviderTerms,
    Tier,
)
from finsched.provider import PriceAnswer, PriceChange, Provider
from finsched.toolbox.json_api import OTHER_FORM, JsonApi
from finsched.toolbox.price_list import PriceList
from finsched.toolbox.side_by_side import as_answered
from finsched_azure import prices_fetch as fetch
from finsched_azure import prices_parse as parse
from finsched_azure.interruptions import Token, graph_api
from finsched_azure.settings import AzureSettings, azure_settings

if TYPE_CHECKING:
    from finsched.settings import Settings

SOURCE = "Azure retail prices"
WARNING = timedelta(seconds=30)  # at most, and only tried for

# Where Azure sells to everybody: China and the governments have price lists of their own.
REGIONS = (
    "australiacentral", "australiacentral2", "australiaeast", "australiasoutheast", "austriaeast",
    "belgiumcentral", "brazilsouth", "brazilsoutheast", "canadacentral", "canadaeast",
    "centralindia", "centralus", "chilecentral", "denmarkeast", "eastasia", "eastus", "eastus2",
    "francecentral", "francesouth", "germanynorth", "germanywestcentral", "indonesiacentral",
    "israelcentral", "italynorth", "japaneast", "japanwest", "jioindiacentral", "jioindiawest",
    "koreacentral", "koreasouth", "malaysiawest", "mexicocentral", "newzealandnorth",
    "northcentralus", "northeurope", "norwayeast", "norwaywest", "polandcentral", "qatarcentral",
    "southafricanorth", "southafricawest", "southcentralus", "southeastasia", "southindia",
    "spaincentral", "swedencentral", "swedensouth", "switzerlandnorth", "switzerlandwest",
    "uaecentral", "uaenorth", "uksouth", "ukwest", "westcentralus", "westeurope", "westindia",
    "westus", "westus2", "westus3",
)  # fmt: skip

_REGIONS_AT_ONCE = 12

CATALOG_PRICES = PriceList(
    of=ProviderTerms(provider="azure", billing=BillingRule(minimum_seconds=300), notice=WARNING)
)
"""A quote takes the catalog's offers; of two minimums that Azure speaks of, the dearer holds."""


def provider(settings: Settings) -> Provider:
    """Return Azure as a price list, for those who have no account there."""
    chosen = azure_settings(settings.clouds.get("azure", {}))
    return Provider(name="azure", prices=CATALOG_PRICES, live_prices=live_prices(chosen))


def live_prices(settings: AzureSettings, token: Token | None = None) -> AzureLivePrices:
    """Return what asks for prices; with an account's `token` also for their past."""
    return AzureLivePrices(settings, token)


class AzureLivePrices:
    """On-demand and spot prices of the public price list; a region has one of each."""

    def __init__(self, settings: AzureSettings, token: Token | None = None) -> None:
        self._api = JsonApi(provider="azure", address=settings.prices_url)
        self._settings = settings
        self._token = token

    def regions(self) -> Sequence[str]:
        """Return the regions that can be asked."""
        return self._settings.regions or REGIONS

    def ask(
        self, regions: Sequence[str], known: Mapping[str, InstanceType], *, past: timedelta | None
    ) -> Iterator[PriceAnswer]:
        """Ask every region at once and yield each answer as it comes."""
        now = datetime.now(UTC)
        told, problem = self._past(now - past) if past else ((), "")
        changes = _by_region(told, known)
        questions = [partial(self._answer, region, known, now) for region in regions]
        for answer in as_answered(questions, _REGIONS_AT_ONCE, name="azure"):
            yield PriceAnswer(
                region=answer.region,
                offers=answer.offers,
                changes=tuple(changes.get(answer.region, ())),
                problems=(*answer.problems, *((problem,) if problem else ())),
            )

    def _answer(self, region: str, known: Mapping[str, InstanceType], now: datetime) -> PriceAnswer:
        try:
            prices = parse.vm_prices(fetch.retail_rows(self._api, region))
        except ProviderProblem as problem:
            return PriceAnswer(region=region, problems=(f"prices: {problem.message}",))
        except OTHER_FORM as error:
            told = f"prices: the answer has another form: {error!r}"
            return PriceAnswer(region=region, problems=(told,))
        return PriceAnswer(region=region, offers=tuple(_offers(prices, region, known, now)))

    def _past(self, since: datetime) -> tuple[Sequence[parse.SpotPrice], str]:
        """How spot prices changed since a moment, or what was in the way of knowing it."""
        if self._token is None:
            return (), ""
        try:
            rows = fetch.graph_rows(
                graph_api(self._token, self._settings.endpoint), fetch.SPOT_HISTORY
            )
            return [change for change in parse.spot_changes(rows) if change.at >= since], ""
        except ProviderProblem as problem:
            return (), f"past spot prices: {problem.message}"
        except OTHER_FORM as error:
            return (), f"past spot prices: the answer has another form: {error!r}"


def _offers(
    prices: Mapping[parse.Sale, float],
    region: str,
    known: Mapping[str, InstanceType],
    now: datetime,
) -> Iterator[Offer]:
    """A size whose hardware nobody here knows is left out: the price list does not tell it."""
    evidence = Evidence(
        what="price",
        source=SOURCE,
        quality=Quality.LIVE,
        earliest=now.date(),
        latest=now.date(),
        note=f"asked {now:%H:%M} UTC",
    )
    for (name, capacity_type), usd_per_hour in prices.items():
        if name in known:
            machine = known[name]
            yield Offer(machine, region, "", capacity_type, Tier.STANDARD, usd_per_hour, evidence)


def _by_region(
    told: Iterable[parse.SpotPrice], known: Mapping[str, InstanceType]
) -> dict[str, list[PriceChange]]:
    changes: dict[str, list[PriceChange]] = {}
    for name, region, at, usd_per_hour in told:
        if name in known:
            change = PriceChange(known[name], region, "", CapacityType.SPOT, at, usd_per_hour)
            changes.setdefault(region, []).append(change)
    return changes
