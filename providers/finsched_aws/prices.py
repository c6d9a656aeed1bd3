"""What holds on AWS, and its prices of this moment, asked of every region at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

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
from finsched.provider import PriceAnswer, PriceChange
from finsched.toolbox.price_list import PriceList
from finsched.toolbox.side_by_side import as_answered
from finsched_aws import prices_fetch as fetch
from finsched_aws import prices_parse as parse
from finsched_aws.api import Api
from finsched_aws.notices import WARNING
from finsched_aws.pace import Patience

T = TypeVar("T")

ON_DEMAND_SOURCE = "AWS price list"
SPOT_SOURCE = "AWS spot price history"
PATIENCE = Patience(connect_seconds=3.0, read_seconds=5.0, tries=3)
"""A region that does not answer soon keeps its last prices."""

_REGIONS_AT_ONCE = 16
_OTHER_FORM = (KeyError, TypeError, ValueError)

CATALOG_PRICES = PriceList(
    of=ProviderTerms(
        provider="aws",
        billing=BillingRule(minimum_seconds=60, first_hour_free_when_interrupted=True),
        notice=WARNING,
    )
)
"""A quote takes the catalog's offers; the terms hold for every machine of EC2."""


class AwsLivePrices:
    """On-demand prices of the price list, and spot prices by zone id."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def regions(self) -> Sequence[str]:
        """Return the regions that may be used."""
        return self._api.regions

    def ask(
        self, regions: Sequence[str], known: Mapping[str, InstanceType], *, past: timedelta | None
    ) -> Iterator[PriceAnswer]:
        """Ask every region at once and yield each answer as it comes."""
        now = datetime.now(UTC)
        questions = [
            _Question(self._api, region, dict(known), now, past).answer for region in regions
        ]
        yield from as_answered(questions, _REGIONS_AT_ONCE, name="aws")


class _Question:
    """The question for one region, and what could not be asked of it."""

    def __init__(
        self,
        api: Api,
        region: str,
        machines: dict[str, InstanceType],
        now: datetime,
        past: timedelta | None,
    ) -> None:
        self.api = api
        self.region = region
        self.machines = machines
        self.now = now
        self.past = past
        self.problems: list[str] = []

    def answer(self) -> PriceAnswer:
        on_demand = self._tried("on-demand prices", self._on_demand) or {}
        names = sorted({*self.machines, *on_demand})
        told = self._tried("spot prices", lambda: self._spot(names))
        spot = told or []
        if told is not None:
            self._learn_machines({*on_demand, *(change.instance_type for change in spot)})
        return PriceAnswer(
            region=self.region,
            offers=(*self._on_demand_offers(on_demand), *self._spot_offers(parse.newest(spot))),
            changes=tuple(self._changes(spot)) if self.past else (),
            problems=tuple(self.problems),
        )

    def _tried(self, what: str, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except ProviderProblem as problem:
            self.problems.append(f"{what}: {problem.message}")
        except _OTHER_FORM as error:
            self.problems.append(f"{what}: the answer has another form: {error!r}")
        return None

    def _on_demand(self) -> dict[str, float]:
        return parse.on_demand_prices(fetch.on_demand_products(self.api, self.region))

    def _spot(self, names: Sequence[str]) -> list[parse.SpotPrice]:
        since = self.now - (self.past or timedelta(0))
        history = fetch.spot_history(self.api, self.region, names, since)
        names_alone = any(not told.get("AvailabilityZoneId") for told in history)
        ids = fetch.zone_ids(self.api, self.region) if names_alone else {}
        return parse.spot_prices(history, ids)

    def _learn_machines(self, seen: Iterable[str]) -> None:
        """Ask for the hardware of machines that nobody here knows."""
        unknown = sorted(set(seen) - self.machines.keys())
        if unknown:
            described = self._tried(
                "new machines",
                lambda: list(parse.machines(fetch.instance_types(self.api, self.region, unknown))),
            )
            self.machines |= {machine.name: machine for machine in described or ()}

    def _on_demand_offers(self, prices: Mapping[str, float]) -> Iterator[Offer]:
        evidence = self._evidence(ON_DEMAND_SOURCE)
        for name, usd_per_hour in prices.items():
            if name in self.machines:
                yield self._offer(name, "", CapacityType.ON_DEMAND, usd_per_hour, evidence)

    def _spot_offers(self, prices: Iterable[parse.SpotPrice]) -> Iterator[Offer]:
        evidence = self._evidence(SPOT_SOURCE)
        for name, zone, _, usd_per_hour in prices:
            if name in self.machines:
                yield self._offer(name, zone, CapacityType.SPOT, usd_per_hour, evidence)

    def _offer(
        self, name: str, zone: str, kind: CapacityType, usd_per_hour: float, evidence: Evidence
    ) -> Offer:
        machine = self.machines[name]
        return Offer(machine, self.region, zone, kind, Tier.STANDARD, usd_per_hour, evidence)

    def _changes(self, prices: Iterable[parse.SpotPrice]) -> Iterator[PriceChange]:
        for name, zone, at, usd_per_hour in prices:
            if name in self.machines:
                yield PriceChange(
                    self.machines[name], self.region, zone, CapacityType.SPOT, at, usd_per_hour
                )

    def _evidence(self, source: str) -> Evidence:
        return Evidence(
            what="price",
            source=source,
            quality=Quality.LIVE,
            earliest=self.now.date(),
            latest=self.now.date(),
            note=f"asked {self.now:%H:%M} UTC",
        )
