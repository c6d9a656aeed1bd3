"""The hazard by the age of a pool's present spell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.hazard import spot_hazard
from finsched.decide.spell_age import (
    AGE_MULTIPLIERS,
    MEASURED_HAZARD_PER_HOUR,
    hazard_at_age,
    hazard_ratio,
)
from finsched.decide.spot.spells import MEASURED
from finsched.testing.builders import TODAY, hazard_prior

ages = st.floats(0, 10 * 86_400)


def test_the_mean_over_all_time_up_is_the_pools_own_hazard() -> None:
    shares = MEASURED.up_share
    mean = sum(a * b for a, b in zip(shares, AGE_MULTIPLIERS, strict=True)) / sum(shares)
    assert mean == pytest.approx(1.0)


@given(younger=ages, older=ages, per_hour=st.floats(1e-4, 2))
def test_more_age_never_raises_the_hazard(younger: float, older: float, per_hour: float) -> None:
    younger, older = sorted((younger, older))
    hazard = spot_hazard(hazard_prior(per_hour), today=TODAY)
    assert hazard_at_age(hazard, older) <= hazard_at_age(hazard, younger)


@pytest.mark.parametrize(
    ("age_s", "chance"),
    [(0.0, 0.3027), (599.0, 0.3027), (600.0, 0.1760), (90_000.0, 0.0164)],
)
def test_a_measured_pool_has_the_measured_chances(age_s: float, chance: float) -> None:
    measured = spot_hazard(hazard_prior(MEASURED_HAZARD_PER_HOUR), today=TODAY)
    assert hazard_ratio(measured) == pytest.approx(1.0)
    assert hazard_at_age(measured, age_s) == pytest.approx(chance * 6)


def test_a_calmer_pool_has_a_smaller_ratio() -> None:
    calm = spot_hazard(hazard_prior(MEASURED_HAZARD_PER_HOUR / 4), today=TODAY)
    assert hazard_ratio(calm) == pytest.approx(0.25)
