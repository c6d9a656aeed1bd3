"""The job of a command: its file, with the limits and clouds that its options replace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finsched.model.job import JobSpec


def read_job(
    job_file: Path, max_cost: float | None, max_hourly: float | None, clouds: str
) -> JobSpec:
    """Return the job; raises SpecError for a wrong file or a provider that nobody knows."""
    from finsched import quoting, settings

    chosen = settings.load()
    named = [name.strip() for name in clouds.split(",") if name.strip()]
    quoting.check_clouds(named, chosen)
    return quoting.overridden(
        quoting.read_job(job_file, chosen),
        max_cost_usd=max_cost,
        max_hourly_usd=max_hourly,
        clouds=named,
    )
