"""The Python API: one function a verb."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from finsched import quoting, settings
from finsched.model.job import JobSpec
from finsched.model.quote import Decision
from finsched.settings import Settings

__all__ = ["quote"]


def quote(
    job: str | Path | JobSpec,
    *,
    max_cost_usd: float | None = None,
    max_hourly_usd: float | None = None,
    clouds: Sequence[str] = (),
    launchable_only: bool = False,
) -> Decision:
    """Return what a job would cost on every offer of the market, cheapest first.

    The limits and `clouds` take the place of the job's own. Raises SpecError for a job file that
    is wrong; a job that nothing can run is a Decision without quotes.
    """
    chosen = settings.load()
    quoting.check_clouds(clouds, chosen)
    spec = job if isinstance(job, JobSpec) else quoting.read_job(Path(job), chosen)
    spec = quoting.overridden(
        spec, max_cost_usd=max_cost_usd, max_hourly_usd=max_hourly_usd, clouds=clouds
    )
    now = datetime.now(UTC)
    market = quoting.read_market(spec, chosen, now=now)
    decision = quoting.quote_in(
        spec, market, now=now, discounts=chosen.discounts, launchable_only=launchable_only
    )
    if spec.start is None and spec.scavenge_below_usd_per_hour is None:
        return decision
    return _with_cheaper_times(decision, chosen)


def _with_cheaper_times(decision: Decision, chosen: Settings) -> Decision:
    from finsched.catalog.history import price_history  # noqa: PLC0415 - few jobs ask
    from finsched.decide.timing.cheaper_times import cheaper_times  # noqa: PLC0415

    known = cheaper_times(decision, price_history(chosen.cache_dir, chosen.state_dir))
    return replace(decision, notes=(*decision.notes, known))
