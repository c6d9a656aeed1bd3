"""Quotas before a launch: too small refuses, enough and unknown let it try."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from finsched.errors import NoQuota
from finsched.model.market import Offer
from finsched.provider import Provider, Quota
from finsched.run.quota import require_quota
from finsched.testing import builders


@dataclass
class Account:
    """An account with a quota, or one whose quota nobody may read."""

    have: float | None

    def quota(self, offer: Offer, nodes: int) -> Quota | None:
        if self.have is None:
            return None
        need = (offer.instance_type.vcpus or 0) * nodes
        place = {"name": "All P", "code": "L-1", "region": offer.region, "unit": "vCPU"}
        return Quota(**place, have=self.have, need=need)

    def placement_score(self, offer: Offer, nodes: int) -> int | None:
        return None


class NoPrices:
    """A provider without prices."""

    offers = terms = accelerators = lambda self: ()


def provider(have: float | None) -> Provider:
    return Provider(name="acme", prices=NoPrices(), capacity=Account(have))


def offer() -> Offer:
    made = builders.offer()
    return made._replace(instance_type=replace(made.instance_type, vcpus=96))


@pytest.mark.parametrize("have", [192.0, 193.0, None])
def test_enough_or_unknown_may_try(have: float | None) -> None:
    require_quota(provider(have), offer(), nodes=2)


def test_a_provider_that_cannot_tell_may_try() -> None:
    require_quota(replace(provider(0), capacity=None), offer(), nodes=2)


@pytest.mark.parametrize(("have", "said"), [(0.0, "nothing"), (191.0, "191 vCPUs")])
def test_too_little_says_have_and_need(have: float, said: str) -> None:
    with pytest.raises(NoQuota, match=rf"allows {said}, and 192 vCPUs are needed") as refused:
        require_quota(provider(have), offer(), nodes=2)
    assert refused.value.fix
    assert "to raise it" in refused.value.fix
