from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.live.remaining import remaining
from finsched.decide.rank import decide
from finsched.decide.timing.scavenging import affordable, cheap_enough, nothing_cheap, too_dear
from finsched.model.job import Budget, CheckpointSpec, JobSpec, Requirements
from finsched.model.market import Offer, Tier
from finsched.model.quote import THRESHOLDS, RejectionCode
from finsched.model.run import AttemptEnd
from finsched.testing.builders import NOW, hazard_prior, job, machine, market, offer, spot
from finsched.testing.runs import Story

PRICES = st.floats(0.01, 1000, allow_nan=False)
CHEAP, DEAR = offer(4.0), offer(10.0, region="eu-north-1")


def scavenging(below: float | None, **fields: Any) -> JobSpec:
    return job(scavenge_below_usd_per_hour=below, **fields)


def on_two_nodes(below: float) -> JobSpec:
    requirements = Requirements(gpus=job().requirements.gpus, nodes=2)
    return scavenging(below, requirements=requirements)


# --- the quote ---------------------------------------------------------------------------------


def test_an_offer_that_is_too_dear_is_a_rejection_that_keeps_its_quote() -> None:
    decision = decide(scavenging(5.0), market(CHEAP, DEAR), now=NOW)
    [rejection] = decision.rejections
    assert [quote.offer for quote in decision.quotes] == [CHEAP]
    assert rejection.offer == DEAR
    assert rejection.code is RejectionCode.SCAVENGE_BELOW
    assert rejection.code in THRESHOLDS
    assert rejection.reason == "$10.00/h is not under scavenge_below $5.00"
    assert rejection.quote is not None
    assert rejection.quote.total_usd > 0


def test_the_price_is_that_of_all_nodes_and_has_to_be_lower() -> None:
    assert decide(on_two_nodes(8.01), market(CHEAP), now=NOW).best is not None
    assert decide(on_two_nodes(8.0), market(CHEAP), now=NOW).best is None


def test_a_job_of_unknown_length_is_held_to_it_too() -> None:
    decision = decide(scavenging(5.0, hours=None), market(CHEAP, DEAR), now=NOW)
    assert [quote.offer for quote in decision.quotes] == [CHEAP]


def test_waiting_comes_before_a_budget_that_is_passed_too() -> None:
    spec = scavenging(5.0, budget=Budget(max_hourly_usd=6.0, max_cost_usd=1.0))
    [rejection] = decide(spec, market(DEAR), now=NOW).rejections
    assert rejection.code is RejectionCode.SCAVENGE_BELOW


@given(st.lists(PRICES, min_size=1, max_size=8), PRICES)
def test_a_threshold_parts_the_quotes_and_changes_none(prices: list[float], below: float) -> None:
    offers = market(*(offer(price, zone=str(place)) for place, price in enumerate(prices)))
    free = decide(scavenging(None), offers, now=NOW).quotes
    bound = decide(scavenging(below), offers, now=NOW)
    assert affordable(scavenging(below), free) == bound.quotes
    kept_out = {rejection.quote for rejection in bound.rejections}
    assert kept_out == set(free) - set(bound.quotes)
    assert all(quote.price_usd_per_hour < below for quote in bound.quotes)


@given(PRICES, PRICES, PRICES)
def test_a_higher_threshold_never_shuts_an_offer_out(
    price: float, first: float, second: float
) -> None:
    lower, higher = sorted((first, second))
    assert cheap_enough(scavenging(lower), price) <= cheap_enough(scavenging(higher), price)
    assert cheap_enough(scavenging(None), price)


def test_on_demand_that_is_too_dear_is_no_way_out_of_a_late_run() -> None:
    rough = spot(4.0)
    offers = market(rough, offer(10.0), hazards={rough.pool: hazard_prior(0.1)})

    def marks(below: float | None) -> str:
        fields: dict[str, Any] = {"deadline": timedelta(hours=43), "checkpoint": CheckpointSpec()}
        [quote, *_] = decide(scavenging(below, **fields), offers, now=NOW).quotes
        assert quote.offer == rough
        return "; ".join(quote.marks)

    assert "for an on-demand finish" in marks(None)
    assert "no on-demand price to finish in time with" in marks(5.0)


def test_a_quote_says_that_the_price_comes_before_the_deadline() -> None:
    spec = scavenging(5.0, deadline=timedelta(hours=72))
    assert decide(spec, market(CHEAP), now=NOW).notes == (
        "the job runs only while all nodes cost less than $5.00 an hour",
        "scavenge_below is a hard limit: the deadline is met only if prices allow",
    )


# --- the run -----------------------------------------------------------------------------------


def running(below: float | None = 5.0, nodes: int = 1) -> Story:
    return Story(job=scavenging(below)).launched(CHEAP, nodes=nodes).after(hours=1)


def test_a_live_attempt_pauses_when_its_own_offer_has_become_too_dear() -> None:
    risen = CHEAP._replace(price_usd_per_hour=5.0)
    assert too_dear(running().run, [DEAR, CHEAP]) is None
    assert too_dear(running().run, [DEAR, risen]) == "$5.00/h is not under scavenge_below $5.00"
    assert too_dear(running(nodes=2).run, [CHEAP]) == "$8.00/h is not under scavenge_below $5.00"


@pytest.mark.parametrize(
    "other",
    [
        offer(99.0, zone="b"),
        offer(99.0, region="eu-north-1"),
        offer(99.0, tier=Tier.MARKETPLACE),
        offer(99.0, instance_type=machine(name="p5.48xlarge")),
        offer(99.0, instance_type=machine(provider="gcp")),
        spot(99.0),
    ],
    ids=["zone", "region", "tier", "machine", "provider", "capacity"],
)
def test_the_price_of_another_offer_pauses_nothing(other: Offer) -> None:
    assert too_dear(running().run, [other]) is None
    assert too_dear(running().run, [other, CHEAP._replace(price_usd_per_hour=9.0)]) is not None


def test_without_a_threshold_or_a_live_attempt_nothing_pauses() -> None:
    risen = [CHEAP._replace(price_usd_per_hour=99.0)]
    assert too_dear(running(below=None).run, risen) is None
    assert too_dear(Story(job=scavenging(5.0)).run, risen) is None
    assert too_dear(running().ended(AttemptEnd.INTERRUPTED).run, risen) is None


@given(PRICES, PRICES)
def test_an_attempt_pauses_exactly_when_it_could_not_be_launched_now(
    price: float, below: float
) -> None:
    present = CHEAP._replace(price_usd_per_hour=price)
    run = running(below).run
    could_launch = decide(remaining(run), market(present), now=NOW).best is not None
    assert (too_dear(run, [present]) is None) is could_launch


def test_a_run_waits_for_the_price_only_where_the_price_is_all_that_is_wrong() -> None:
    spec = scavenging(3.0)
    dear = decide(spec, market(CHEAP, DEAR), now=NOW)
    assert nothing_cheap(spec, dear) == "$4.00/h is not under scavenge_below $3.00"
    assert nothing_cheap(spec, decide(spec, market(), now=NOW)) is None
    assert nothing_cheap(spec, decide(spec, market(offer(2.0), DEAR), now=NOW)) is None
    unfit = offer(9.0, instance_type=machine(gpu="K80"))
    assert nothing_cheap(spec, decide(spec, market(unfit), now=NOW)) is None
