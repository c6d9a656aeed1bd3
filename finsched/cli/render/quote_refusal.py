"""What is said when no quote is left: what was too dear, or what did not fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from finsched.cli.output import duration, money
from finsched.cli.render import words
from finsched.cli.render.quote_summary import rejection_counts
from finsched.decide.timing.scavenging import cheap_enough, not_below
from finsched.errors import NothingFeasible, OverThreshold
from finsched.model.job import Budget, JobSpec
from finsched.model.quote import Decision, Quote, RejectionCode
from finsched.relaxing import DROP_DEADLINE, Relaxation

SHOWN_FIXES = 3


def too_dear(job: JobSpec, quotes: Sequence[Quote]) -> OverThreshold:
    """Return the error that says by how much the nearest quote misses, and what it would take."""
    nearest = min(quotes, key=lambda quote: _excess(quote, job))
    misses = " and ".join(_misses(nearest, job))
    return OverThreshold(
        f"{_offers(len(quotes))} can run {job.name}, all over a threshold; "
        f"the nearest is {words.place_and_machine(nearest.offer)}, {misses}",
        fix=f"{' and '.join(_ways_in(nearest, job))} would let it in",
    )


def nothing_feasible(
    job: JobSpec, decision: Decision, relaxations: Sequence[Relaxation]
) -> NothingFeasible:
    """Return the error that groups what did not fit, and names what would help."""
    total = _offers(len(decision.rejections))
    return NothingFeasible(
        f"none of {total} can run {job.name}: {_passed(job, decision)}{rejection_counts(decision)}",
        fix=_fix(decision, relaxations),
    )


def _passed(job: JobSpec, decision: Decision) -> str:
    """Say first that the deadline is over: nothing else matters then."""
    if isinstance(job.deadline, datetime) and job.deadline <= decision.as_of:
        return f"the deadline, {job.deadline:%Y-%m-%d %H:%M} UTC, is in the past; "
    return ""


def _fix(decision: Decision, relaxations: Sequence[Relaxation]) -> str:
    if any(each.code is RejectionCode.NOT_LAUNCHABLE for each in decision.rejections):
        return "leave out --launchable to compare every provider"
    if relaxations:
        return "; or ".join(
            f"{each.change} ({_effect(each)})"
            for each in sorted(relaxations, key=lambda each: each.cheapest_usd)[:SHOWN_FIXES]
        )
    counts = {
        rejection.offer.instance_type.gpu_count
        for rejection in decision.rejections
        if rejection.code is RejectionCode.GPU_COUNT
    }
    if counts:
        return f"ask for {words.either(sorted(counts))} GPUs a machine"
    return "no single change helps: relax more than one of resources, where and capacity"


def _effect(relaxation: Relaxation) -> str:
    effect = f"{_offers(relaxation.offers)}, from {money(relaxation.cheapest_usd)}"
    if relaxation.change != DROP_DEADLINE:
        return effect
    return f"the fastest offer needs {duration(relaxation.fastest_hours)}; {effect}"


def _offers(count: int) -> str:
    return f"{count:,} offer{'' if count == 1 else 's'}"


def _excess(quote: Quote, job: JobSpec) -> float:
    """How many times over its worst threshold a quote is."""
    hourly, total = quote.price_usd_per_hour, quote.total_usd
    thresholds = (
        (total, job.budget.max_cost_usd),
        (hourly, job.budget.max_hourly_usd),
        (hourly, job.scavenge_below_usd_per_hour),
    )
    return max(0.0 if most is None else usd / max(most, 1e-9) for usd, most in thresholds)


def _misses(quote: Quote, job: JobSpec) -> list[str]:
    misses, budget = [], job.budget
    if (most := budget.max_cost_usd) is not None and quote.total_usd > most:
        over = money(quote.total_usd - most)
        misses.append(f"{money(quote.total_usd)} in all, {over} over max_cost")
    if (most := budget.max_hourly_usd) is not None and quote.price_usd_per_hour > most:
        over = money(quote.price_usd_per_hour - most)
        misses.append(f"{money(quote.price_usd_per_hour)} an hour, {over} over max_hourly")
    if not cheap_enough(job, quote.price_usd_per_hour):
        misses.append(not_below(job, quote.price_usd_per_hour))
    return misses


def _ways_in(quote: Quote, job: JobSpec) -> list[str]:
    flags = " ".join(_flags(quote, job.budget))
    ways = [flags] if flags else []
    if not cheap_enough(job, quote.price_usd_per_hour):
        ways.append(f"scavenge_below: {_a_cent_above(quote.price_usd_per_hour)}")
    return ways


def _flags(quote: Quote, budget: Budget) -> list[str]:
    flags = []
    if (most := budget.max_cost_usd) is not None and quote.total_usd > most:
        flags.append(f"--max-cost {_cents_up(quote.total_usd)}")
    if (most := budget.max_hourly_usd) is not None and quote.price_usd_per_hour > most:
        flags.append(f"--max-hourly {_cents_up(quote.price_usd_per_hour)}")
    return flags


def _cents_up(usd: float) -> str:
    return f"{math.ceil(usd * 100) / 100:.2f}"


def _a_cent_above(usd: float) -> str:
    return f"{(math.floor(round(usd * 100, 6)) + 1) / 100:.2f}"
