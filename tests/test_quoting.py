"""What a launch may choose from: the offers that can be started from here."""

from __future__ import annotations

from dataclasses import replace

from finsched.model.quote import RejectionCode
from finsched.quoting import quote_in
from finsched.testing.builders import NOW, job, machine, market, offer


def test_a_launch_keeps_to_the_regions_that_its_provider_may_use() -> None:
    here, there = offer(9.0, region="us-east-1"), offer(8.0, region="eu-north-1")
    other = offer(1.0, instance_type=machine(provider="azure"), region="eastus")
    known = replace(
        market(here, there, other),
        launchable=frozenset({"aws"}),
        launch_regions={"aws": frozenset({"us-east-1"})},
    )
    decision = quote_in(job(), known, now=NOW, discounts={}, launchable_only=True)
    assert [each.offer for each in decision.quotes] == [here]
    out = {each.offer.region: each.reason for each in decision.rejections}
    assert out == {
        "eu-north-1": "finsched cannot launch on aws in eu-north-1 from here",
        "eastus": "finsched cannot launch on azure from here",
    }
    assert {each.code for each in decision.rejections} == {RejectionCode.NOT_LAUNCHABLE}
    everything = quote_in(job(), known, now=NOW, discounts={})
    assert len(everything.quotes) == 3
