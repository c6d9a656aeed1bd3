"""From quotes to results: framing, policies, common random numbers, sums and chances."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from statistics import fmean

import pytest

from finsched.decide.rank import decide
from finsched.errors import NothingFeasible, SpecError
from finsched.model.job import CapacityPreference, CheckpointSpec
from finsched.model.quote import Quote
from finsched.simulating.comparison import compare
from finsched.simulating.scenario import Scenario, scenario
from finsched.simulating.study import policies_for, study
from finsched.simulating.summary import Chance, Distribution, Histogram, quantile
from finsched.testing.builders import NOW, hazard_prior, job, market, offer, spot, terms

DAY = 24 * 3600.0
OFFERS = (
    offer(10.0),
    *(spot(3.0 + zone / 10, region=f"us-{zone % 2}", zone=f"z{zone}") for zone in range(3)),
)
HAZARDS = {each.pool: hazard_prior(0.3, shape=2.0) for each in OFFERS[1:]}
CHECKPOINT = CheckpointSpec(size_gb=1, save_time=timedelta(seconds=30))
BOOT = timedelta(minutes=5)


def quotes(capacity: CapacityPreference = CapacityPreference.AUTO, **fields: float) -> list[Quote]:
    spec = job(checkpoint=CHECKPOINT, capacity=capacity, **fields)
    here = market(*OFFERS, hazards=HAZARDS, provider_terms=[terms(boot=BOOT)])
    return [*decide(spec, here, now=NOW).quotes]


def three_days() -> Scenario:
    return scenario(quotes(), 3 * DAY)


def test_without_hours_there_is_nothing_to_simulate() -> None:
    with pytest.raises(SpecError) as caught:
        scenario(quotes(hours=None), None)
    assert "work: {hours" in (caught.value.fix or "")


def test_without_a_quote_nothing_is_feasible() -> None:
    with pytest.raises(NothingFeasible):
        scenario([], DAY)


def test_on_demand_alone_costs_what_the_quote_says() -> None:
    offered = quotes(CapacityPreference.ON_DEMAND)
    sure = scenario(offered, 3 * DAY)
    [result] = study(sure, policies_for(sure, None, compare=True), futures=3, seed=0)
    assert result.policy == "on-demand"
    assert result.usd == pytest.approx([offered[0].total_usd] * 3)
    assert result.finish_hours.p95 == pytest.approx(offered[0].hours.expected)
    assert result.finishes.probability == 1


@pytest.mark.parametrize(
    ("capacity", "deadline_s", "fit"),
    [
        (CapacityPreference.AUTO, DAY, ["adaptive", "on-demand", "greedy", "uniform-progress"]),
        (CapacityPreference.AUTO, None, ["cheapest", "on-demand", "greedy"]),
        (CapacityPreference.SPOT, DAY, ["cheapest"]),
        (CapacityPreference.ON_DEMAND, None, ["on-demand"]),
    ],
)
def test_the_first_policy_is_productions_and_all_fit(
    capacity: CapacityPreference, deadline_s: float | None, fit: list[str]
) -> None:
    here = scenario(quotes(capacity), deadline_s)
    assert policies_for(here, None, compare=True) == fit
    for name in {"adaptive", "greedy", "on-demand", "cheapest"} - {*fit}:
        with pytest.raises(SpecError, match="does not fit"):
            policies_for(here, name, compare=False)


def test_an_unknown_policy_is_named() -> None:
    with pytest.raises(SpecError, match="no policy 'lucky'"):
        policies_for(three_days(), "lucky", compare=False)


def test_the_same_seed_gives_the_same_and_another_does_not() -> None:
    first, again, other = (
        study(three_days(), ["greedy"], futures=30, seed=seed)[0].outcomes for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_policies_meet_the_same_futures() -> None:
    """Alone or beside others, and it makes their difference surer than their means."""
    here = three_days()
    together = study(here, ["greedy", "uniform-progress"], futures=100, seed=4)
    alone = study(here, ["uniform-progress"], futures=100, seed=4)
    assert together[1].outcomes == alone[0].outcomes
    paired = [a - b for a, b in zip(together[0].usd, together[1].usd, strict=True)]
    apart = [each.cost_usd.standard_error for each in together]
    assert Distribution.of(paired).standard_error < 0.95 * math.hypot(*apart)


def test_more_futures_begin_with_the_same_ones() -> None:
    few, many = (study(three_days(), ["greedy"], futures=n, seed=0)[0].usd for n in (5, 9))
    assert many[:5] == few


def test_spot_alone_never_pays_on_demand() -> None:
    here = scenario(quotes(CapacityPreference.SPOT), None)
    [result] = study(here, ["cheapest"], futures=40, seed=0)
    assert here.on_demand is None
    assert result.on_demand_hours.mean == 0
    assert result.interruptions.mean > 1


def test_a_mean_near_the_quote_comes_from_its_parts() -> None:
    here, best = three_days(), quotes()[0]
    [result] = study(here, ["greedy"], futures=200, seed=0)
    found = compare(best, here, result)
    parts = found.on_demand_usd + found.overhead_usd + found.other_usd
    assert parts == pytest.approx(found.difference_usd)
    assert abs(found.difference_usd) < 0.25 * best.total_usd
    [sure] = study(here, ["on-demand"], futures=2, seed=0)
    dear = compare(best, here, sure)
    assert not dear.within_noise
    assert dear.on_demand_usd > abs(dear.overhead_usd)


def test_what_is_not_known_of_a_pool_widens_the_spread() -> None:
    here = three_days()
    sure = replace(here, shapes=(None,) * len(here.pools))
    spreads = [
        study(each, ["greedy"], futures=300, seed=0)[0].cost_usd.standard_error
        for each in (here, sure)
    ]
    assert spreads[0] > 1.1 * spreads[1]


def test_a_future_that_does_not_finish_keeps_no_limit() -> None:
    late = scenario(quotes(), 3600.0)
    [result] = study(late, ["on-demand"], futures=3, seed=0)
    assert result.finishes.probability == 0
    assert result.costs_at_most(1e9).probability == 0
    assert math.isnan(result.finish_hours.mean)


def test_progress_is_told_after_every_future() -> None:
    told: list[int] = []
    study(three_days(), ["greedy"], futures=4, seed=0, progress=told.append)
    assert told == [1, 2, 3, 4]


def test_wilsons_interval() -> None:
    """Eight of ten: 0.490 to 0.943 (Newcombe 1998 gives the formula)."""
    chance = Chance.of(8, 10)
    assert (chance.low, chance.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert (Chance.of(0, 10).low, Chance.of(10, 10).high) == (0.0, 1.0)


def test_quantiles_and_means() -> None:
    assert quantile([1.0, 2.0, 4.0], 0.75) == 3.0
    found = Distribution.of([3.0, 1.0, 2.0])
    assert (found.mean, found.p50) == (2.0, 2.0)
    assert found.standard_error == pytest.approx(1 / math.sqrt(3))


@pytest.mark.parametrize("bins", [5, 14, 40])
def test_a_histogram_counts_every_value(bins: int) -> None:
    values = [at**2 / 7 for at in range(500)]
    found = Histogram.of(values, bins)
    assert sum(found.counts) == 500
    assert len(found.counts) <= bins
    assert found.low <= min(values)
    second = found.low + found.width
    assert found.counts[0] == sum(value < second for value in values)
    assert fmean(found.counts) > 0


def test_a_histogram_of_one_value_has_one_bin() -> None:
    assert Histogram.of([2.5] * 4, 10).counts == (4,)
