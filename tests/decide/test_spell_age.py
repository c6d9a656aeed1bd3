"""The hazard by the age of a pool's present spell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.offers.hazard import spot_hazard
from finsched.decide.offers.spell_age import AGE_MULTIPLIERS, hazard_at_age
from finsched.decide.spot.spells import MEASURED, STEP_S
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


@pytest.mark.parametrize(("age_s", "age"), [(0.0, 0), (599.0, 0), (600.0, 1), (90_000.0, -1)])
def test_a_pool_like_the_measured_ones_has_the_measured_chances(age_s: float, age: int) -> None:
    measured = spot_hazard(hazard_prior(MEASURED.losses_per_hour_up), today=TODAY)
    assert hazard_at_age(measured, age_s) == pytest.approx(MEASURED.up_ends[age] * 3600 / STEP_S)
