"""Which step of a run's budget its spend has passed, each told once."""

from __future__ import annotations

from decimal import Decimal

from finsched.model.run import Run

STEPS_PERCENT = (50, 80, 100)


def step_passed(run: Run, spent_usd: Decimal) -> int | None:
    """Return the highest step that the spend has passed and that was not written down yet.

    None for a run without a limit, and where there is no news. A new limit begins anew.
    """
    limit_usd = run.job.budget.max_cost_usd
    if limit_usd is None:
        return None
    limit = Decimal(str(limit_usd))
    passed = [step for step in STEPS_PERCENT if spent_usd * 100 >= limit * step and spent_usd > 0]
    return passed[-1] if passed and passed[-1] > run.budget_used_percent else None
