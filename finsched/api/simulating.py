"""The Python API of simulations: one job in many futures of its market."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from finsched import quoting, settings
from finsched.api import pricing
from finsched.model.job import JobSpec, as_moment
from finsched.model.quote import Decision, Quote
from finsched.simulating.comparison import Comparison, compare
from finsched.simulating.scenario import Scenario, scenario
from finsched.simulating.study import PolicyResult, Progress, policies_for, study

__all__ = ["Simulation", "simulate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A job in many futures; `results` has the chosen policy first.

    `quote` is the point that `finsched quote` names; None where the job's limits leave none.
    """

    job: JobSpec
    as_of: datetime
    quote: Quote | None
    scenario: Scenario
    futures: int
    seed: int
    results: tuple[PolicyResult, ...]

    @property
    def chosen(self) -> PolicyResult:
        """The result of the policy that was asked for."""
        return self.results[0]

    @property
    def comparison(self) -> Comparison | None:
        """The quote beside the mean of the chosen policy."""
        if self.quote is None:
            return None
        return compare(self.quote, self.scenario, self.chosen)


def simulate(
    job: str | Path | JobSpec,
    *,
    futures: int = 2000,
    seed: int = 0,
    policy: str | None = None,
    compare_policies: bool = False,
    launchable_only: bool = False,
    progress: Progress | None = None,
) -> Simulation:
    """Return what a job costs and when it ends in many seeded futures, under production's policies.

    The pools are those that a run would be offered: total budget and deadline reject none, they
    are what the simulation tells the chances of. Raises SpecError for a job without `work.hours`.
    """
    spec = job if isinstance(job, JobSpec) else quoting.read_job(Path(job), settings.load())
    decision = pricing.quote(spec, launchable_only=launchable_only)
    framed = scenario(_unlimited(spec, launchable_only).quotes, _left_s(spec, decision.as_of))
    names = policies_for(framed, policy, compare=compare_policies)
    results = study(framed, names, futures=futures, seed=seed, progress=progress)
    return Simulation(
        job=spec,
        as_of=decision.as_of,
        quote=decision.best,
        scenario=framed,
        futures=futures,
        seed=seed,
        results=tuple(results),
    )


def _unlimited(job: JobSpec, launchable_only: bool) -> Decision:
    """The quotes that a run under way is offered: neither lateness nor total cost rejects one."""
    budget = replace(job.budget, max_cost_usd=None)
    return pricing.quote(
        replace(job, deadline=None, budget=budget), launchable_only=launchable_only
    )


def _left_s(job: JobSpec, now: datetime) -> float | None:
    if job.deadline is None:
        return None
    return (as_moment(job.deadline, now) - now).total_seconds()
