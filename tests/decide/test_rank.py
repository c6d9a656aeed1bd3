"""Properties of a decision, over random jobs and markets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from finsched.decide.rank import decide
from finsched.model.interruption import HazardPrior, Observation
from finsched.model.job import Budget, CheckpointSpec, Dataset, GpuRequest, JobSpec
from finsched.model.market import CapacityType, Experience, Location, Market, Offer, Pool
from finsched.model.quote import Decision, Quote
from finsched.testing.builders import (
    NOW,
    TODAY,
    hazard_prior,
    job,
    machine,
    market,
    offer,
    path,
    spot,
)

VIRGINIA = Location("aws", "us-east-1")
REGIONS = ("us-east-1", "eu-north-1")
MACHINES = (
    machine(),
    machine(name="p5.48xlarge", gpu="H100"),
    machine("gcp", "a2-ultragpu-8g"),
    machine("gcp", "a2-highgpu-4g", gpu_count=4),
)
PATHS = [
    path(VIRGINIA, Location("aws", "eu-north-1"), 0.02),
    path(VIRGINIA, Location("internet", "*"), 0.09),
    path(Location("aws", "eu-north-1"), Location("internet", "*"), 0.09),
    path(Location("aws", "eu-north-1"), VIRGINIA, 0.02),
    path(Location("gcp", "*"), Location("internet", "*"), (0, 0.12), (1024, 0.11)),
]
EIGHT_ANY = (GpuRequest(count=8, name="A100-80GB"), GpuRequest(count=8, name="H100"))

prices = st.floats(0.5, 100)
hazards = st.floats(1e-4, 0.3)


@st.composite
def offers(draw: st.DrawFn) -> Offer:
    make = draw(st.sampled_from((offer, spot)))
    return make(
        draw(prices),
        instance_type=draw(st.sampled_from(MACHINES)),
        region=draw(st.sampled_from(REGIONS)),
        zone=draw(st.sampled_from(("", "a", "b"))),
    )


def what_is_sold(candidate: Offer) -> tuple[Pool, CapacityType]:
    return candidate.pool, candidate.capacity_type


@st.composite
def markets(draw: st.DrawFn) -> Market:
    sold = draw(st.lists(offers(), min_size=1, max_size=10, unique_by=what_is_sold))
    priors = {each.pool: hazard_prior(draw(hazards)) for each in sold}
    return market(*sold, hazards=priors, paths=PATHS)


@st.composite
def jobs(draw: st.DrawFn) -> JobSpec:
    spec = job(hours=draw(st.floats(0.1, 200)), gpus=EIGHT_ANY)
    saved = CheckpointSpec(
        uri="s3://ckpt",
        location=VIRGINIA,
        size_gb=draw(st.floats(0, 50)),
        save_time=timedelta(seconds=draw(st.floats(1, 600))),
        every=draw(st.sampled_from((None, timedelta(minutes=30)))),
    )
    lake = Dataset(uri="s3://lake", location=VIRGINIA, size_gb=300, reads=draw(st.integers(1, 4)))
    budget = Budget(max_cost_usd=draw(st.none() | st.floats(1, 10_000)))
    return replace(
        spec,
        checkpoint=draw(st.sampled_from((None, saved))),
        inputs=draw(st.sampled_from(((), (lake,)))),
        deadline=draw(st.sampled_from((None, timedelta(hours=100)))),
        budget=budget,
    )


def decided(spec: JobSpec, snapshot: Market) -> Decision:
    return decide(spec, snapshot, now=NOW)


def all_quotes(decision: Decision) -> list[Quote]:
    """The quotes, and those that a threshold kept back."""
    kept = [each.quote for each in decision.rejections if each.quote is not None]
    return [*decision.quotes, *kept]


@given(spec=jobs(), snapshot=markets())
def test_every_offer_is_quoted_or_rejected_and_quotes_rise(spec: JobSpec, snapshot: Market) -> None:
    decision = decided(spec, snapshot)
    assert len(decision.quotes) + len(decision.rejections) == len(snapshot.offers)
    totals = [quote.total_usd for quote in decision.quotes]
    assert totals == sorted(totals)
    assert all(rejection.reason for rejection in decision.rejections)


@given(spec=jobs(), snapshot=markets())
def test_parts_are_never_negative_and_pay_for_every_hour(spec: JobSpec, snapshot: Market) -> None:
    for quote in all_quotes(decided(spec, snapshot)):
        cost, hours = quote.cost, quote.hours
        on_machine = cost.compute_usd + cost.rework_usd + cost.checkpoint_usd + cost.startup_usd
        assert on_machine >= quote.price_usd_per_hour * hours.expected * (1 - 1e-9)
        assert min(cost.rework_usd, cost.transfer_usd, cost.storage_usd) >= 0
        assert min(hours.work, hours.checkpoint, hours.rework, hours.restart, hours.staging) >= 0
        assert 0 <= quote.deadline_probability <= 1


@given(spec=jobs(), snapshot=markets(), data=st.data(), factor=st.floats(1.0, 5.0))
def test_a_dearer_identical_offer_never_ranks_higher(
    spec: JobSpec, snapshot: Market, data: st.DataObject, factor: float
) -> None:
    original = data.draw(st.sampled_from(snapshot.offers))
    price = original.price_usd_per_hour * factor
    dearer = original._replace(zone="z", price_usd_per_hour=price)
    priors = {**snapshot.hazards, dearer.pool: snapshot.hazards[original.pool]}
    wider = replace(snapshot, offers=(*snapshot.offers, dearer), hazards=priors)
    ranked = [quote.offer for quote in decided(spec, wider).quotes]
    if dearer in ranked:
        assert original in ranked
        assert factor == 1.0 or ranked.index(original) < ranked.index(dearer)


@given(spec=jobs(), snapshot=markets(), data=st.data())
def test_losing_a_spot_pool_never_changes_another_quote(
    spec: JobSpec, snapshot: Market, data: st.DataObject
) -> None:
    spots = [o for o in snapshot.offers if o.capacity_type is CapacityType.SPOT]
    assume(spots)  # an on-demand price is a yardstick of others
    out = data.draw(st.sampled_from(spots))
    gone = (out.pool, out.capacity_type)
    before = decided(spec, snapshot)
    rest = tuple(o for o in snapshot.offers if (o.pool, o.capacity_type) != gone)
    after = decided(spec, replace(snapshot, offers=rest))
    kept = [q for q in before.quotes if (q.offer.pool, q.offer.capacity_type) != gone]
    assert kept == list(after.quotes)


@given(spec=jobs(), snapshot=markets(), order=st.randoms(use_true_random=False))
def test_the_order_of_the_market_does_not_matter(
    spec: JobSpec, snapshot: Market, order: object
) -> None:
    shuffled = list(snapshot.offers)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    other = decided(spec, replace(snapshot, offers=tuple(shuffled)))
    assert other.quotes == decided(spec, snapshot).quotes


@given(spec=jobs(), snapshot=markets(), tight=st.floats(1, 5000), more=st.floats(0, 5000))
def test_looser_thresholds_never_leave_fewer_quotes(
    spec: JobSpec, snapshot: Market, tight: float, more: float
) -> None:
    narrow = replace(spec, budget=Budget(max_cost_usd=tight, max_hourly_usd=tight / 10))
    wide = replace(spec, budget=Budget(max_cost_usd=tight + more, max_hourly_usd=tight / 10 + more))
    few = {quote.offer for quote in decided(narrow, snapshot).quotes}
    assert few <= {quote.offer for quote in decided(wide, snapshot).quotes}


def priced_spot(spec: JobSpec, prior: HazardPrior) -> Quote | None:
    candidate = spot(4.0, region="eu-north-1")
    decision = decided(spec, market(candidate, hazards={candidate.pool: prior}, paths=PATHS))
    return next(iter(all_quotes(decision)), None)


@given(spec=jobs(), low=hazards, factor=st.floats(1.0, 3.0))
def test_more_hazard_is_never_cheaper(spec: JobSpec, low: float, factor: float) -> None:
    # Streams repeat with rework alone, and a deadline adds an estimate: the claim is of the rest.
    plain = replace(spec, inputs=(), deadline=None)
    calm = priced_spot(plain, hazard_prior(low))
    rough = priced_spot(plain, hazard_prior(low * factor))
    if rough is not None:
        assert calm is not None
        assert rough.total_usd >= calm.total_usd * (1 - 1e-9)


@given(spec=jobs())
def test_without_hazard_spot_costs_what_on_demand_at_its_price_would(spec: JobSpec) -> None:
    spec = replace(spec, deadline=None)  # only spot takes time to save
    calm = priced_spot(spec, hazard_prior(1e-12))
    same = market(offer(4.0, region="eu-north-1"), paths=PATHS)
    on_demand = next(iter(all_quotes(decided(spec, same))), None)
    assert (calm is None) == (on_demand is None)
    if calm is not None and on_demand is not None and spec.checkpoint is None:
        assert calm.total_usd == pytest.approx(on_demand.total_usd, rel=1e-6)


def test_own_observations_change_the_number() -> None:
    candidate = spot(4.0)
    snapshot = market(candidate, hazards={candidate.pool: hazard_prior(0.01)})
    spec = job(checkpoint=CheckpointSpec())
    seen = Observation(interruptions=40, instance_hours=100, day=TODAY)
    learnt = replace(snapshot, experience=Experience(observations={candidate.pool: (seen,)}))
    before = decide(spec, snapshot, now=NOW).quotes[0]
    after = decide(spec, learnt, now=NOW).quotes[0]
    assert after.hazard.per_hour > 4 * before.hazard.per_hour
    assert after.total_usd > before.total_usd


def test_a_zone_without_a_prior_takes_the_one_of_its_region() -> None:
    zoned = spot(4.0, zone="use1-az1")
    snapshot = market(zoned, hazards={zoned.pool._replace(zone=""): hazard_prior(0.25)})
    quote = decided(job(checkpoint=CheckpointSpec()), snapshot).quotes[0]
    assert quote.hazard.per_hour == pytest.approx(0.25)


def test_the_best_on_demand_and_the_best_on_the_data_cloud_are_named() -> None:
    cheapest = spot(3, instance_type=MACHINES[2], region="europe-west4")
    at_home, elsewhere = offer(20), offer(10, instance_type=MACHINES[2], region="europe-west4")
    lake = Dataset(uri="s3://lake", location=VIRGINIA, size_gb=1)
    spec = job(checkpoint=CheckpointSpec(), inputs=(lake,))
    decision = decided(spec, market(at_home, elsewhere, cheapest, paths=PATHS))
    assert decision.best is not None
    assert decision.best.offer == cheapest
    assert decision.best_on_demand is not None
    assert decision.best_on_demand.offer == elsewhere
    assert decision.best_of_one_cloud is not None
    assert decision.best_of_one_cloud.offer == at_home
    assert decided(job(), market(at_home)).best_of_one_cloud is None
