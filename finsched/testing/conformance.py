"""What every provider package promises, as tests: inherit the class and give it two fixtures.

    class TestMyCloud(ProviderConformance):
        @pytest.fixture
        def provider(self) -> Provider: ...

        @pytest.fixture
        def make_request(self) -> MakeRequest: ...

Parts that the provider lacks are skipped.
"""

# ruff: noqa: S101 - this module is made of assertions

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from finsched.model.market import Offer
from finsched.provider import (
    Compute,
    Instance,
    InstanceState,
    InstanceStatus,
    Inventory,
    LaunchRequest,
    Provider,
    Verdict,
)

MakeRequest = Callable[[str], LaunchRequest]
"""Builds a request for a token; its job must run until it is ended."""

_LAUNCHES_AT_ONCE = 4
_GANG = 3


class ProviderConformance:
    """The contracts of `finsched.provider`; override the numbers where a cloud is slower.

    Set `has_live_prices` to False for a provider whose only prices are the bundled catalog's.
    """

    has_live_prices = True
    settle_seconds = 30.0
    terminate_seconds = 5.0
    poll_pause_seconds = 0.05

    @pytest.fixture
    def provider(self) -> Provider:
        """Return the provider under test."""
        raise NotImplementedError

    @pytest.fixture
    def make_request(self) -> MakeRequest:
        """Return what builds a launch request for a token."""
        raise NotImplementedError

    @pytest.fixture
    def compute(self, provider: Provider) -> Compute:
        """Return the provider's machines."""
        if provider.compute is None:
            pytest.skip(f"{provider.name} has no compute part")
        return provider.compute

    @pytest.fixture
    def inventory(self, provider: Provider) -> Inventory:
        """Return the provider's inventory."""
        if provider.inventory is None:
            pytest.skip(f"{provider.name} has no inventory part")
        return provider.inventory

    @pytest.fixture
    def token(self) -> str:
        """Return a token that nobody has used."""
        return f"conformance-{uuid.uuid4()}"

    def test_every_offer_names_its_provider_price_and_evidence(self, provider: Provider) -> None:
        """An offer without a source and a day cannot be judged."""
        offers = list(provider.prices.offers())
        assert bool(offers) is self.has_live_prices
        for offer in offers:
            _check_offer(offer, provider.name)

    def test_terms_are_its_own(self, provider: Provider) -> None:
        """Terms say for whom they hold."""
        assert provider.prices.terms().provider == provider.name

    def test_accelerators_have_names(self, provider: Provider) -> None:
        """An accelerator is found by name."""
        assert all(accelerator.name for accelerator in provider.prices.accelerators())

    def test_the_poll_interval_is_positive(self, provider: Provider) -> None:
        """A provider that is asked without a pause throttles us."""
        assert provider.poll_interval.total_seconds() > 0

    def test_a_token_makes_its_machines_once(
        self, compute: Compute, make_request: MakeRequest, token: str
    ) -> None:
        """A repeated launch and a search give the machines of the first one."""
        request = make_request(token)
        instances = list(compute.launch(request))
        try:
            assert len(instances) == request.nodes
            assert all(instance.pool == request.offer.pool for instance in instances)
            assert list(compute.launch(request)) == instances
            assert list(compute.find(token)) == instances
        finally:
            self.end(compute, instances)

    def test_a_gang_is_made_once_in_one_place_in_the_order_of_its_ranks(
        self, compute: Compute, make_request: MakeRequest, token: str
    ) -> None:
        """All nodes or none; a search after a lost answer brings them in the same order."""
        request = _of_nodes(make_request(token), _GANG)
        instances = list(compute.launch(request))
        try:
            assert len({instance.id for instance in instances}) == _GANG
            assert len({instance.pool for instance in instances}) == 1
            assert list(compute.launch(request)) == instances
            assert list(compute.find(token)) == instances
        finally:
            self.end(compute, instances)

    def test_launches_at_the_same_moment_make_one_set_of_machines(
        self, compute: Compute, make_request: MakeRequest, token: str
    ) -> None:
        """Two supervisors with one token never pay twice."""
        request = make_request(token)
        with ThreadPoolExecutor(_LAUNCHES_AT_ONCE) as threads:
            launches = list(threads.map(compute.launch, [request] * _LAUNCHES_AT_ONCE))
        instances = list(launches[0])
        try:
            assert all(list(launch) == instances for launch in launches)
        finally:
            self.end(compute, instances)

    def test_an_unknown_token_finds_nothing(self, compute: Compute, token: str) -> None:
        """Nothing is made by looking."""
        assert list(compute.find(token)) == []

    def test_unknown_ids_are_left_out_and_may_be_terminated(
        self, compute: Compute, token: str
    ) -> None:
        """Absence means unknown; ending what is not there is fine."""
        compute.terminate(token)
        assert token not in compute.poll([token])

    def test_terminate_returns_at_once_and_ends_the_machine(
        self, compute: Compute, make_request: MakeRequest, token: str
    ) -> None:
        """The end is asked for twice, billed until a moment, and stays."""
        [instance] = compute.launch(make_request(token))
        started = time.monotonic()
        compute.terminate(instance.id)
        compute.terminate(instance.id)
        assert time.monotonic() - started < self.terminate_seconds
        status = self.wait_until_ended(compute, instance.id)
        assert status.billing_from is not None
        assert status.ended_at is not None
        assert status.billing_from <= status.ended_at
        assert status.reason is not None
        compute.terminate(instance.id)
        assert compute.poll([instance.id])[instance.id] == status

    def test_an_ended_machine_is_not_started_again(
        self, compute: Compute, make_request: MakeRequest, token: str
    ) -> None:
        """A token is for one attempt, and that one is over."""
        request = make_request(token)
        [instance] = compute.launch(request)
        self.end(compute, [instance])
        assert all(again.id == instance.id for again in compute.launch(request))
        status = compute.poll([instance.id])[instance.id]
        assert status.state is InstanceState.TERMINATED

    def test_the_inventory_shows_what_is_ours_while_it_lives(
        self, compute: Compute, inventory: Inventory, make_request: MakeRequest, token: str
    ) -> None:
        """What carries another installation's tag is never shown, and so never deleted."""
        request = make_request(token)
        instances = list(compute.launch(request))
        ids = {instance.id for instance in instances}
        try:
            owned = {resource.id: resource for resource in inventory.owned(request.installation)}
            assert ids <= owned.keys()
            assert all(owned[instance_id].run == request.run for instance_id in ids)
            others = inventory.owned(f"not-{request.installation}")
            assert not ids & {resource.id for resource in others}
        finally:
            self.end(compute, instances)
        left = {resource.id for resource in inventory.owned(request.installation)}
        assert not ids & left

    def test_every_check_says_what_it_found_and_every_problem_has_a_fix(
        self, provider: Provider
    ) -> None:
        """A person reads them before the first launch."""
        if provider.checks is None:
            pytest.skip(f"{provider.name} has no checks part")
        findings = list(provider.checks.run(None))
        assert findings
        assert all(finding.name and finding.detail for finding in findings)
        problems = [each for each in findings if each.verdict is Verdict.PROBLEM]
        assert all(finding.fix for finding in problems)

    def test_notices_are_given_for_known_machines_only(
        self, provider: Provider, token: str
    ) -> None:
        """An unknown id has no notice."""
        if provider.notices is None:
            pytest.skip(f"{provider.name} has no notices part")
        assert token not in provider.notices.pending([token])

    def end(self, compute: Compute, instances: list[Instance]) -> None:
        """End machines and wait until they are gone."""
        for instance in instances:
            compute.terminate(instance.id)
        for instance in instances:
            self.wait_until_ended(compute, instance.id)

    def wait_until_ended(self, compute: Compute, instance_id: str) -> InstanceStatus:
        """Poll until the machine is terminated."""
        give_up_at = time.monotonic() + self.settle_seconds
        while True:
            status = compute.poll([instance_id]).get(instance_id)
            if status is not None and status.state is InstanceState.TERMINATED:
                return status
            assert time.monotonic() < give_up_at, f"{instance_id} does not end: {status}"
            time.sleep(self.poll_pause_seconds)


def _of_nodes(request: LaunchRequest, nodes: int) -> LaunchRequest:
    return replace(request, nodes=nodes, node_config={**request.node_config, "nodes": nodes})


def _check_offer(offer: Offer, provider_name: str) -> None:
    assert offer.provider == provider_name
    assert offer.price_usd_per_hour >= 0
    assert offer.region
    assert offer.evidence.source
    assert offer.evidence.as_of is not None
