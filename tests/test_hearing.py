"""Hearing providers that answer, fail, stay silent or know other regions."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from finsched.api.hearing import Heard, Question, hear
from finsched.api.sifting import Sieve
from finsched.catalog import load_market
from finsched.errors import NoAnswer, SpecError
from finsched.model.interruption import HazardPrior
from finsched.model.market import (
    CapacityType,
    InstanceType,
    Market,
    Offer,
    ProviderTerms,
    Tier,
)
from finsched.provider import PriceAnswer, Provider
from finsched.toolbox.price_list import PriceList, live_price

SOON = timedelta(seconds=0.5)
LATE_SECONDS = 30.0
NOW = datetime(2026, 11, 22, tzinfo=UTC)
NOTHING: Mapping[str, InstanceType] = MappingProxyType({})


class Cloud:
    """Prices of two regions; `trouble` is what the second one has."""

    def __init__(self, trouble: str = "", regions: Sequence[str] = ("north", "south")) -> None:
        self.trouble = trouble
        self._regions = regions
        self.released = threading.Event()

    def regions(self) -> Sequence[str]:
        if self.trouble == "refused":
            raise NoAnswer("acme: no answer", fix="ask again")
        return self._regions

    def ask(
        self, regions: Sequence[str], known: Mapping[str, InstanceType], *, past: timedelta | None
    ) -> Iterator[PriceAnswer]:
        for region in regions:
            if region == "south" and self.trouble == "broken":
                raise ZeroDivisionError("half written")
            if region == "south" and self.trouble == "late":
                self.released.wait(LATE_SECONDS)
            yield PriceAnswer(region=region)

    def priors(self) -> Mapping[tuple[str, str], HazardPrior]:
        if self.trouble == "late":
            self.released.wait(LATE_SECONDS)
        if self.trouble == "no bands":
            raise NoAnswer("acme: no bands", fix="wait")
        return {}


def provider(name: str, cloud: Cloud) -> Provider:
    terms = ProviderTerms(provider=name)
    return Provider(name=name, prices=PriceList(of=terms), live_prices=cloud, interruptions=cloud)


def heard(*clouds: Cloud, regions: Sequence[str] = ()) -> list[Heard]:
    questions = [
        Question(provider=provider(f"acme{number}", cloud), machines=NOTHING, regions=regions)
        for number, cloud in enumerate(clouds)
    ]
    return hear(questions, within=SOON)


@pytest.mark.parametrize(
    ("trouble", "answered", "problems"),
    [
        ("", 2, []),
        ("refused", 0, [("", "acme: no answer; ask again")]),
        ("broken", 1, [("", "ZeroDivisionError: half written")]),
        ("no bands", 2, [("", "acme: no bands; wait")]),
    ],
)
def test_one_providers_trouble_is_its_own(
    trouble: str, answered: int, problems: list[tuple[str, str]]
) -> None:
    troubled, well = heard(Cloud(trouble), Cloud())
    assert (len(troubled.answers), list(troubled.problems)) == (answered, problems)
    assert (len(well.answers), well.problems, well.priors) == (2, (), {})


def test_what_was_said_in_time_counts_and_the_rest_is_named() -> None:
    late = Cloud("late")
    began = time.monotonic()
    found, well = heard(late, Cloud())
    assert time.monotonic() - began < 30, "the late one is never waited for"
    assert [answer.region for answer in found.answers] == ["north"]
    waited = "no answer within 0.5 s; --timeout waits longer"
    assert found.problems == (("south", waited), ("", f"interruptions: {waited}"))
    assert found.priors is None
    late.released.set()
    assert len(well.answers) == 2


def test_a_region_is_asked_of_those_who_have_it() -> None:
    [found] = heard(Cloud(), Cloud(regions=("east",)), regions=("south",))
    assert [answer.region for answer in found.answers] == ["south"]
    with pytest.raises(SpecError, match="'sout' is not a region") as caught:
        heard(Cloud(), Cloud(regions=("east",)), regions=("sout",))
    assert caught.value.fix == "did you mean south?"


# --- a price list that names no places of sale -------------------------------------------------


@pytest.fixture(scope="module")
def market() -> Market:
    return load_market(now=NOW)


def test_a_regional_price_counts_in_the_zones_where_the_machine_is_sold(market: Market) -> None:
    kinds = {o.instance_type.name: o.instance_type for o in market.offers if o.provider == "gcp"}
    evidence = live_price("a list", NOW)

    def offer(name: str, region: str, kind: CapacityType, usd: float) -> Offer:
        return Offer(kinds[name], region, "", kind, Tier.STANDARD, usd, evidence)

    sold = (
        offer("a2-highgpu-1g", "us-central1", CapacityType.ON_DEMAND, 3.7),
        offer("a2-highgpu-1g", "us-central1", CapacityType.SPOT, 1.5),
        offer("a2-highgpu-1g", "us-west2", CapacityType.ON_DEMAND, 3.7),  # not made there
    )
    said = PriceAnswer(region="us-central1", offers=sold, only_where_known=True)
    told = Heard(
        provider="gcp",
        asked_at=NOW,
        seconds=1.0,
        regions=1,
        answers=(said,),
        priors=None,
        problems=(),
    )
    accepted = Sieve(market).taken(told).sifted.accepted
    zones = {f"us-central1-{letter}" for letter in "abcf"}
    assert {each.zone for each in accepted} == zones
    assert len(accepted) == 2 * len(zones)
