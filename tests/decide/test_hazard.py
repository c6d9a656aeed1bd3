"""The posterior of a pool's hazard, its interval and its evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.hazard import ON_DEMAND_HAZARD, gamma_quantile, spot_hazard
from finsched.model.evidence import Quality
from finsched.model.interruption import Observation
from finsched.testing.builders import hazard_prior

Z_90 = 1.2815515655446004


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
    hazard = spot_hazard(hazard_prior(0.05, shape=20), None)
    assert hazard.per_hour == pytest.approx(0.05)
    assert 0.03 < hazard.low_per_hour < 0.05 < hazard.high_per_hour < 0.07
    assert hazard.evidence.quality is Quality.MEASURED


def test_own_hours_pull_the_mean_to_what_was_seen() -> None:
    prior = hazard_prior(0.5, shape=2)  # 2 in 4 hours
    hazard = spot_hazard(prior, Observation(interruptions=1, instance_hours=996))
    assert hazard.per_hour == pytest.approx(3 / 1000)
    assert hazard.evidence.note == "interruptions seen: 1 in 996 own hours"


def test_a_pool_nobody_knows_is_labelled_and_wide() -> None:
    hazard = spot_hazard(None, None)
    assert hazard.evidence.quality is Quality.ESTIMATED
    assert hazard.high_per_hour / max(hazard.low_per_hour, 1e-9) > 100


def test_a_saturated_band_is_labelled_an_estimate_that_bounds_from_below() -> None:
    opened = spot_hazard(hazard_prior(0.01, shape=1, saturated=True), None)
    assert opened.evidence.quality is Quality.ESTIMATED
    assert opened.evidence.note == "open band: bounds from below only"
    assert opened.high_per_hour > 15 * opened.low_per_hour


def test_on_demand_is_not_taken_back() -> None:
    assert ON_DEMAND_HAZARD.per_hour == ON_DEMAND_HAZARD.high_per_hour == 0


@given(
    per_hour=st.floats(1e-4, 2),
    shape=st.floats(0.5, 50),
    saturated=st.booleans(),
    hours=st.floats(0, 1000),
    count=st.integers(0, 50),
)
def test_one_more_interruption_never_lowers_the_hazard(
    per_hour: float, shape: float, saturated: bool, hours: float, count: int
) -> None:
    prior = hazard_prior(per_hour, shape=shape, saturated=saturated)
    fewer = spot_hazard(prior, Observation(interruptions=count, instance_hours=hours))
    more = spot_hazard(prior, Observation(interruptions=count + 1, instance_hours=hours))
    assert more.per_hour > fewer.per_hour
    assert fewer.low_per_hour <= fewer.per_hour * 1.02
    assert fewer.high_per_hour >= fewer.low_per_hour
