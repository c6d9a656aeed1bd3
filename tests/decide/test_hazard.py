"""The posterior of a pool's hazard, its interval, its evidence, and what it forgets."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.offers.hazard import (
    ON_DEMAND_HAZARD,
    PRIOR_HALF_LIFE_DAYS,
    Hazards,
    gamma_quantile,
    spot_hazard,
)
from finsched.decide.offers.memory import (
    OBSERVATION_HALF_LIFE_DAYS,
    SIBLING_WEIGHT,
    Memory,
    Seen,
    remembered,
)
from finsched.model.evidence import Quality
from finsched.model.interruption import HazardPrior, Observation
from finsched.model.market import Experience, Pool
from finsched.testing.builders import TODAY, hazard_prior, market

Z_90 = 1.2815515655446004
POOL = Pool("aws", "us-east-1", "use1-az1", "p4d.24xlarge")
SIBLING = POOL._replace(zone="use1-az2")


@pytest.mark.parametrize(
    ("shape", "low", "high"),
    [
        # Chi-squared tables at 0.1 and 0.9 with 2 x shape degrees of freedom, halved.
        pytest.param(1.0, 0.1054, 2.3026, id="one interruption"),
        pytest.param(5.0, 2.4326, 7.9936, id="five interruptions"),
        pytest.param(50.0, 41.179, 59.249, id="fifty interruptions"),
    ],
)
def test_gamma_quantiles_agree_with_the_tables(shape: float, low: float, high: float) -> None:
    assert gamma_quantile(shape, -Z_90) == pytest.approx(low, abs=0.025)
    assert gamma_quantile(shape, Z_90) == pytest.approx(high, abs=0.025)


def test_a_measured_prior_alone_is_its_own_mean() -> None:
    hazard = spot_hazard(hazard_prior(0.05, shape=20), today=TODAY)
    assert hazard.per_hour == pytest.approx(0.05)
    assert 0.03 < hazard.low_per_hour < 0.05 < hazard.high_per_hour < 0.07
    assert hazard.evidence.quality is Quality.MEASURED


def test_own_hours_pull_the_mean_to_what_was_seen() -> None:
    prior = hazard_prior(0.5, shape=2)  # 2 in 4 hours
    hazard = spot_hazard(prior, Seen(1, 996), today=TODAY)
    assert hazard.per_hour == pytest.approx(3 / 1000)
    assert hazard.evidence.source == "996 own hours and test"
    assert hazard.evidence.note == "own runs, weighted by age: 1 interruption in 996 h"


def test_siblings_are_named_where_they_count() -> None:
    hazard = spot_hazard(hazard_prior(0.5, shape=2), Seen(), Seen(0.6, 30), today=TODAY)
    assert hazard.evidence.source == "test"
    said = "own runs in sibling zones, at their lower weight: 0.6 interruptions in 30 h"
    assert hazard.evidence.note == said


def test_own_hours_that_outweigh_an_estimate_make_it_measured() -> None:
    few, many = (spot_hazard(None, Seen(1, hours), today=TODAY) for hours in (9, 11))
    assert few.evidence.quality is Quality.ESTIMATED
    assert many.evidence.quality is Quality.MEASURED


def test_a_pool_nobody_knows_is_labelled_and_wide() -> None:
    hazard = spot_hazard(None, today=TODAY)
    assert hazard.evidence.quality is Quality.ESTIMATED
    assert hazard.high_per_hour / max(hazard.low_per_hour, 1e-9) > 100


def test_a_saturated_band_is_labelled_an_estimate_that_bounds_from_below() -> None:
    opened = spot_hazard(hazard_prior(0.01, shape=1, saturated=True), today=TODAY)
    assert opened.evidence.quality is Quality.ESTIMATED
    assert opened.evidence.note == "open band: bounds from below only"
    assert opened.high_per_hour > 15 * opened.low_per_hour


def test_on_demand_is_not_taken_back() -> None:
    assert ON_DEMAND_HAZARD.per_hour == ON_DEMAND_HAZARD.high_per_hour == 0


priors = st.builds(
    hazard_prior, st.floats(1e-4, 2), shape=st.floats(0.5, 50), saturated=st.booleans()
)
seen = st.builds(Seen, st.floats(0, 50), st.floats(0, 1000))
observations = st.builds(
    Observation,
    interruptions=st.integers(0, 20),
    instance_hours=st.floats(0, 200),
    day=st.dates(TODAY - timedelta(days=100), TODAY),
)


@given(prior=priors, own=seen, siblings=seen)
def test_one_more_interruption_never_lowers_the_hazard(
    prior: HazardPrior, own: Seen, siblings: Seen
) -> None:
    before = spot_hazard(prior, own, siblings, today=TODAY)
    after = spot_hazard(prior, own.plus(Seen(1.0)), siblings, today=TODAY)
    assert after.per_hour > before.per_hour
    assert before.low_per_hour <= before.per_hour * 1.02
    assert before.high_per_hour >= before.low_per_hour


# --- forgetting ----------------------------------------------------------------------------


@given(each=observations)
def test_what_was_seen_weighs_half_after_each_half_life(each: Observation) -> None:
    now = remembered([each], TODAY)
    later = remembered([each], TODAY + timedelta(days=OBSERVATION_HALF_LIFE_DAYS))
    assert later.instance_hours == pytest.approx(now.instance_hours / 2)
    assert later.interruptions == pytest.approx(now.interruptions / 2)


@given(prior=priors, each=observations)
def test_forgetting_leads_back_to_the_prior(prior: HazardPrior, each: Observation) -> None:
    years_later = TODAY + timedelta(days=3000)
    forgotten = spot_hazard(prior, remembered([each], years_later), today=years_later)
    alone = spot_hazard(prior, today=years_later)
    assert forgotten.per_hour == pytest.approx(alone.per_hour, rel=1e-6)
    assert forgotten.high_per_hour == pytest.approx(alone.high_per_hour, rel=1e-6)


def test_a_day_ahead_of_the_clock_counts_in_full() -> None:
    tomorrow = Observation(interruptions=2, instance_hours=5, day=TODAY + timedelta(days=1))
    assert remembered([tomorrow], TODAY) == Seen(2, 5)


@given(prior=priors, days=st.integers(0, 5000))
def test_an_older_prior_keeps_its_mean_and_widens(prior: HazardPrior, days: int) -> None:
    new = spot_hazard(prior, today=TODAY)
    old = spot_hazard(prior, today=TODAY + timedelta(days=days))
    assert old.per_hour == pytest.approx(new.per_hour)
    assert old.low_per_hour <= new.low_per_hour * (1 + 1e-9)


def test_a_recent_prior_outweighs_an_old_one_against_what_was_seen() -> None:
    dated = hazard_prior(0.5, shape=20)
    year_old = _dated(dated, TODAY - timedelta(days=PRIOR_HALF_LIFE_DAYS))
    calm = Seen(0, 40)
    assert spot_hazard(dated, calm, today=TODAY).per_hour == pytest.approx(20 / 80)
    assert spot_hazard(year_old, calm, today=TODAY).per_hour == pytest.approx(10 / 60)


def test_a_prior_without_a_date_keeps_its_weight() -> None:
    undated = _dated(hazard_prior(0.5, shape=20), None)
    later = TODAY + timedelta(days=4000)
    assert spot_hazard(undated, today=later) == spot_hazard(undated, today=TODAY)


def test_the_oldest_prior_still_weighs_as_much_as_a_pool_nobody_knows() -> None:
    later = TODAY + timedelta(days=40_000)
    old = spot_hazard(hazard_prior(0.05, shape=20), today=later)
    assert old.low_per_hour < 0.05 < old.high_per_hour


def _dated(prior: HazardPrior, day: date | None) -> HazardPrior:
    return replace(prior, evidence=replace(prior.evidence, earliest=day, latest=day))


# --- zones of a region ---------------------------------------------------------------------


@given(each=observations, prior=priors)
def test_a_sibling_never_counts_more_than_the_pool_itself(
    each: Observation, prior: HazardPrior
) -> None:
    memory = Memory({SIBLING: [each]}, TODAY)
    in_sibling, in_itself = memory.siblings(POOL), memory.own(SIBLING)
    assert in_sibling.interruptions <= in_itself.interruptions
    assert in_sibling.instance_hours == pytest.approx(SIBLING_WEIGHT * in_itself.instance_hours)
    alone = spot_hazard(prior, today=TODAY).per_hour
    as_sibling = spot_hazard(prior, siblings=in_sibling, today=TODAY).per_hour
    as_own = spot_hazard(prior, own=in_itself, today=TODAY).per_hour
    assert abs(as_sibling - alone) <= abs(as_own - alone) * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(SIBLING._replace(provider="gcp"), id="another provider"),
        pytest.param(SIBLING._replace(region="us-east-2"), id="another region"),
        pytest.param(SIBLING._replace(instance_type="p5.48xlarge"), id="another machine"),
    ],
)
def test_only_zones_of_the_region_and_machine_are_siblings(stranger: Pool) -> None:
    each = Observation(interruptions=3, instance_hours=10, day=TODAY)
    assert Memory({stranger: [each]}, TODAY).siblings(POOL) == Seen()


def test_every_sibling_counts_and_the_pool_is_none_of_its_own() -> None:
    each = Observation(interruptions=1, instance_hours=10, day=TODAY)
    zones = {POOL: [each], SIBLING: [each], POOL._replace(zone="use1-az4"): [each]}
    together = Memory(zones, TODAY).siblings(POOL)
    assert together == pytest.approx(Seen(2 * SIBLING_WEIGHT, 20 * SIBLING_WEIGHT))


def test_a_market_joins_its_priors_with_what_was_seen() -> None:
    each = Observation(interruptions=2, instance_hours=20, day=TODAY)
    learnt = replace(
        market(hazards={POOL._replace(zone=""): hazard_prior(0.1, shape=2)}),
        experience=Experience(observations={POOL: [each], SIBLING: [each]}),
    )
    hazard = Hazards(learnt).of(POOL)
    expected = (2 + 2 + SIBLING_WEIGHT * 2) / (20 + 20 + SIBLING_WEIGHT * 20)
    assert hazard.per_hour == pytest.approx(expected)
