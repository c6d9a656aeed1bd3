"""A simulation as one JSON document."""

from __future__ import annotations

import math
from typing import Any

from finsched.api.simulating import Simulation
from finsched.cli.render import simulation_words as say
from finsched.model.quote import Quote
from finsched.simulating.study import PolicyResult
from finsched.simulating.summary import Chance, Distribution, Histogram

_BINS = 40
_DIGITS = 6


def simulation_document(simulation: Simulation) -> dict[str, Any]:
    """Return what was simulated, and what every policy made of the same futures."""
    scenario = simulation.scenario
    deadline_s = scenario.job.deadline_s
    return {
        "job": simulation.job.name,
        "currency": "USD",
        "as_of": simulation.as_of.isoformat(),
        "futures": simulation.futures,
        "seed": simulation.seed,
        "policy": simulation.chosen.policy,
        "deadline_hours": _rounded(deadline_s / 3600) if scenario.has_deadline else None,
        "max_cost_usd": simulation.job.budget.max_cost_usd,
        "quote": _quote(simulation),
        "pools": [_placement(quote) for quote in scenario.pools],
        "on_demand": _placement(scenario.on_demand) if scenario.on_demand else None,
        "policies": [_policy(simulation, result) for result in simulation.results],
        "notes": list(say.notes(simulation)),
    }


def _quote(simulation: Simulation) -> dict[str, Any] | None:
    quote, comparison = simulation.quote, simulation.comparison
    if quote is None or comparison is None:
        return None
    return {
        **_placement(quote),
        "total_usd": _rounded(quote.total_usd),
        "expected_hours": _rounded(quote.hours.expected),
        "difference_usd": _rounded(comparison.difference_usd),
        "noise_usd": _rounded(comparison.noise_usd),
        "why": say.quoted(comparison),
    }


def _placement(quote: Quote) -> dict[str, Any]:
    offer = quote.offer
    return {
        "provider": offer.provider,
        "region": offer.region,
        "zone": offer.zone,
        "instance_type": offer.instance_type.name,
        "capacity_type": offer.capacity_type.value,
        "price_usd_per_hour": _rounded(quote.price_usd_per_hour),
        "hazard_per_hour": _rounded(quote.hazard.per_hour * quote.nodes),
    }


def _policy(simulation: Simulation, result: PolicyResult) -> dict[str, Any]:
    limit = simulation.job.budget.max_cost_usd
    histogram = Histogram.of(result.usd, _BINS)
    return {
        "policy": result.policy,
        "cost_usd": _distribution(result.cost_usd),
        "finish_hours": _distribution(result.finish_hours),
        "interruptions": _distribution(result.interruptions),
        "on_demand_hours": _distribution(result.on_demand_hours),
        "finishes": _chance(result.finishes),
        "within_max_cost": None if limit is None else _chance(result.costs_at_most(limit)),
        "cost_histogram": {
            "low_usd": _rounded(histogram.low),
            "width_usd": _rounded(histogram.width),
            "counts": list(histogram.counts),
        },
    }


def _distribution(found: Distribution) -> dict[str, float | None]:
    return {
        "mean": _rounded(found.mean),
        "p5": _rounded(found.p5),
        "p50": _rounded(found.p50),
        "p95": _rounded(found.p95),
        "standard_error": _rounded(found.standard_error),
    }


def _chance(chance: Chance) -> dict[str, float | None]:
    return {
        "probability": _rounded(chance.probability),
        "low": _rounded(chance.low),
        "high": _rounded(chance.high),
    }


def _rounded(value: float) -> float | None:
    """So that the last bits of a machine's arithmetic do not show; None for what is not there."""
    return None if math.isnan(value) else round(value, _DIGITS)
