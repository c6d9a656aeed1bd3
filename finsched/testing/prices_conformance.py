"""What a provider that can be asked for prices of the moment promises, as tests.

    class TestMyCloudsPrices(PricesConformance):
        @pytest.fixture
        def provider(self) -> Provider: ...

Parts that the provider lacks are skipped.
"""

# ruff: noqa: S101 - this module is made of assertions

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from finsched.model.evidence import Quality
from finsched.model.market import InstanceType, Offer
from finsched.provider import Capacity, LivePrices, PriceAnswer, Provider

PAST = timedelta(days=30)
MOST_REGIONS = 3
NODES = 2


class PricesConformance:
    """The contracts of `LivePrices`, `Interruptions` and `Capacity`."""

    @pytest.fixture
    def provider(self) -> Provider:
        """Return the provider under test."""
        raise NotImplementedError

    @pytest.fixture
    def live(self, provider: Provider) -> LivePrices:
        """Return what is asked for prices."""
        if provider.live_prices is None:
            pytest.skip(f"{provider.name} has no live prices")
        return provider.live_prices

    @pytest.fixture
    def known(self) -> Mapping[str, InstanceType]:
        """Return machines by name, for a provider that does not tell their hardware."""
        return {}

    @pytest.fixture
    def answers(self, live: LivePrices, known: Mapping[str, InstanceType]) -> Sequence[PriceAnswer]:
        """Return the answers of a few regions, with their past."""
        return list(live.ask(tuple(live.regions())[:MOST_REGIONS], known, past=PAST))

    @pytest.fixture
    def offers(self, answers: Sequence[PriceAnswer]) -> Sequence[Offer]:
        """Return what is sold there."""
        return [offer for answer in answers for offer in answer.offers]

    def test_every_region_answers_once(
        self, live: LivePrices, answers: Sequence[PriceAnswer]
    ) -> None:
        """A region that cannot be asked answers with its problems."""
        asked = tuple(live.regions())[:MOST_REGIONS]
        assert sorted(answer.region for answer in answers) == sorted(asked)

    def test_a_price_is_of_its_region_and_of_this_moment(
        self, provider: Provider, answers: Sequence[PriceAnswer]
    ) -> None:
        """What is asked is live, and has a day."""
        for answer in answers:
            for offer in answer.offers:
                assert (offer.provider, offer.region) == (provider.name, answer.region)
                assert offer.evidence.quality is Quality.LIVE
                assert offer.evidence.earliest is not None

    def test_a_pool_has_one_price_of_each_kind(self, offers: Sequence[Offer]) -> None:
        """The newest, where several are told."""
        sold = [(offer.pool, offer.capacity_type, offer.tier) for offer in offers]
        assert len(set(sold)) == len(sold) > 0

    def test_changes_are_in_the_order_of_time(self, answers: Sequence[PriceAnswer]) -> None:
        """And their times are aware."""
        for answer in answers:
            times = [change.at for change in answer.changes]
            assert times == sorted(times)
            assert all(at.utcoffset() is not None for at in times)

    def test_hardware_that_is_known_is_taken_as_it_is(
        self, live: LivePrices, offers: Sequence[Offer]
    ) -> None:
        """The provider does not ask for it again."""
        machine = offers[0].instance_type
        [answer] = live.ask([offers[0].region], {machine.name: machine}, past=None)
        same = [offer.instance_type for offer in answer.offers]
        assert all(kind is machine for kind in same if kind.name == machine.name)

    def test_priors_are_of_places_and_machines(self, provider: Provider) -> None:
        """A prior has a positive shape and exposure."""
        if provider.interruptions is None:
            pytest.skip(f"{provider.name} tells no interruptions")
        for (region, name), prior in provider.interruptions.priors().items():
            assert region
            assert name
            assert prior.shape >= 0
            assert prior.exposure_hours > 0

    def test_what_is_not_known_of_capacity_is_none(
        self, provider: Provider, offers: Sequence[Offer]
    ) -> None:
        """A quota has a need, a score lies between 1 and 10; nothing is made up."""
        if provider.capacity is None:
            pytest.skip(f"{provider.name} tells nothing of capacity")
        for offer in (offers[0], offers[-1]):
            _check_capacity(provider.capacity, offer)


def _check_capacity(capacity: Capacity, offer: Offer) -> None:
    quota = capacity.quota(offer, NODES)
    assert quota is None or (quota.have >= 0 and quota.need > 0)
    score = capacity.placement_score(offer, NODES)
    assert score is None or 1 <= score <= 10
