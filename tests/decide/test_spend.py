from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.live.spend import billed_seconds, budget_ends_at, spent_usd
from finsched.model.job import Budget
from finsched.model.market import BillingRule
from finsched.model.run import AttemptEnd
from finsched.testing.builders import job, spot
from finsched.testing.runs import Story


@pytest.mark.parametrize(
    ("ran_seconds", "minimum", "granularity", "billed"),
    [
        pytest.param(10, 60, 1, 60, id="never below the minimum"),
        pytest.param(61.2, 60, 1, 62, id="a begun second counts"),
        pytest.param(61, 60, 60, 120, id="a begun minute counts where minutes are billed"),
        pytest.param(3600, 60, 3600, 3600, id="a whole hour is one hour"),
    ],
)
def test_time_is_billed_by_the_rule(
    ran_seconds: float, minimum: int, granularity: int, billed: int
) -> None:
    rule = BillingRule(minimum_seconds=minimum, granularity_seconds=granularity)
    story = Story().launched(billing=rule).after(seconds=ran_seconds).ended(AttemptEnd.INTERRUPTED)
    assert billed_seconds(story.run.attempts[0], story.now) == billed


def test_an_attempt_that_got_no_machine_costs_nothing() -> None:
    story = Story().launched().after(hours=1).ended(AttemptEnd.NOT_LAUNCHED)
    unbilled = replace(story.run.attempts[0], billing_from=None)
    assert billed_seconds(unbilled, story.now) == 0


def test_an_intent_counts_as_long_as_its_machine_may_be_there() -> None:
    story = Story().launched().after(hours=1)
    intended = replace(story.run.attempts[0], billing_from=None)
    assert billed_seconds(intended, story.now) == 3600


def test_spend_is_exact_to_the_millionth_over_all_attempts() -> None:
    story = Story()
    for hours in (1, 2.5, 0.5):
        story.launched(spot(12.34)).after(hours=hours).ended(AttemptEnd.INTERRUPTED)
    assert spent_usd(story.run, story.now) == Decimal("49.360000")


@given(st.floats(0.1, 200), st.floats(1, 1000), st.floats(0.02, 10))
def test_running_to_the_budgets_end_spends_the_budget(
    price: float, budget_usd: float, ran_hours: float
) -> None:
    story = Story(job=job(budget=Budget(max_cost_usd=budget_usd)))
    story.launched(spot(price), nodes=2).after(hours=ran_hours)
    run = story.run
    ends_at = budget_ends_at(run, run.attempts[0], story.now)
    assert ends_at is not None
    spent = float(spent_usd(run, ends_at))
    one_increment = 2 * price / 3600
    already_over = float(spent_usd(run, story.now)) >= budget_usd
    assert already_over or abs(spent - budget_usd) <= one_increment + 1e-5
