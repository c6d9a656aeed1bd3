"""A real launch of the smallest machine, to prove that a cloud works from here."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from finsched import quoting, settings
from finsched.api import running, sweeping
from finsched.decide.admit import admit
from finsched.decide.leftovers.orphans import GRACE
from finsched.errors import FinschedError, NothingFeasible
from finsched.model.job import Budget, CapacityPreference, JobSpec, Requirements, Where
from finsched.model.market import Offer
from finsched.model.run import Outcome, Run
from finsched.provider import Finding, Verdict
from finsched.run.checking import Checked
from finsched.run.journal import Listener

__all__ = ["Smoke", "plan", "smoke"]

LIMIT = timedelta(minutes=20)
_NAME = "live smoke"
_LOOK_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """What is about to be bought; its deadline and its budget bound what it can cost."""

    job: JobSpec
    offer: Offer
    most_usd: float


def plan(provider: str) -> Smoke:
    """Choose the cheapest machine on demand. Raises `NothingFeasible` where none can be had."""
    chosen, now = settings.load(), datetime.now(UTC)
    job = _job(provider, dict.fromkeys(chosen.required_tags, "smoke"))
    market = quoting.read_market(job, chosen, now=now)
    decision = quoting.quote_in(
        job, market, now=now, discounts=chosen.discounts, launchable_only=True
    )
    best = admit(job, decision).placement
    if best is None:
        fix = f"see what is wrong: finsched check {provider}"
        raise NothingFeasible(f"nothing can be launched on {provider} from here", fix=fix)
    most_usd = best.offer.price_usd_per_hour * (LIMIT / timedelta(hours=1))
    bounded = replace(job, budget=Budget(max_cost_usd=most_usd or None))
    return Smoke(job=bounded, offer=best.offer, most_usd=most_usd)


def smoke(what: Smoke, listener: Listener | None = None) -> Checked:
    """Buy it, wait for its end, and see that nothing of it is left."""
    provider = what.offer.provider
    try:
        run = running.launch(what.job, listener=listener)
        left = _left_behind(run, provider)
    except FinschedError as problem:
        return Checked(provider, _problem(problem.message, problem.fix or ""))
    return Checked(provider, _judged(run, left))


def _left_behind(run: Run, provider: str) -> sweeping.Survey:
    """Look until nothing is left, or it is no longer a matter of moments."""
    give_up_at = time.monotonic() + GRACE.total_seconds()
    left = sweeping.sweep([provider], runs=[run.id])
    while left.finds and time.monotonic() < give_up_at:
        time.sleep(_LOOK_AGAIN_SECONDS)
        left = sweeping.sweep([provider], runs=[run.id])
    return left


def _judged(run: Run, left: sweeping.Survey) -> Finding:
    if run.outcome is not Outcome.FINISHED:
        return _problem(f"{run.id} {run.outcome}: {run.detail}", f"finsched logs {run.id}")
    if left.unasked:
        return _problem(left.unasked[0].problem.message, f"finsched sweep --run {run.id}")
    if left.finds:
        ids = ", ".join(find.resource.id for find in left.finds)
        fix = f"finsched sweep --run {run.id} --apply"
        return _problem(f"{run.id} finished and left {ids} behind", fix)
    detail = f"{run.id} was launched, ran and ended, and left nothing behind"
    return Finding(name=_NAME, verdict=Verdict.OK, detail=detail)


def _problem(detail: str, fix: str) -> Finding:
    return Finding(name=_NAME, verdict=Verdict.PROBLEM, detail=detail, fix=fix)


def _job(provider: str, tags: dict[str, str]) -> JobSpec:
    return JobSpec(
        name="smoke",
        run="echo finsched was here",
        requirements=Requirements(vcpus=1),
        where=Where(clouds=(provider,)),
        capacity=CapacityPreference.ON_DEMAND,
        deadline=LIMIT,
        tags=tags,
    )
