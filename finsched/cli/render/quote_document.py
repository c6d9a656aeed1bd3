"""A decision as one JSON document; its schema is `finsched/schemas/quote.json`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from finsched.cli.render.rounding import round_parts
from finsched.model.evidence import Evidence
from finsched.model.market import Offer
from finsched.model.quote import Cost, Decision, Hours, Quote, Rejection, TransferPlan

USD_DIGITS = 4
HOUR_DIGITS = 4
SIGNIFICANT_DIGITS = 6
COST_PARTS = (
    "compute_usd",
    "rework_usd",
    "checkpoint_usd",
    "startup_usd",
    "transfer_usd",
    "storage_usd",
)
HOUR_PARTS = ("work", "checkpoint", "rework", "restart", "staging")


def decision_document(decision: Decision, top: int | None = None) -> dict[str, Any]:
    """Return everything a decision says; `top` keeps only the cheapest quotes."""
    launchable = decision.launchable
    best_on_demand, single_cloud = decision.best_on_demand, decision.best_of_one_cloud
    return {
        "job": decision.job,
        "basis": decision.basis.value,
        "currency": "USD",
        "as_of": decision.as_of.isoformat(),
        "offers_considered": len(decision.quotes) + len(decision.rejections),
        "quotes": [quote_document(quote, launchable) for quote in decision.quotes[:top]],
        "best_on_demand": best_on_demand and quote_document(best_on_demand, launchable),
        "single_cloud_best": single_cloud and quote_document(single_cloud, launchable),
        "notes": list(decision.notes),
        "rejection_counts": Counter(rejection.code.value for rejection in decision.rejections),
        "rejections": [_rejection(rejection) for rejection in decision.rejections],
    }


def quote_document(quote: Quote, launchable: frozenset[str]) -> dict[str, Any]:
    """Return one quote with its rounded parts, which still sum to the rounded totals."""
    return {
        **_offer(quote.offer),
        "gpu": quote.offer.instance_type.gpu,
        "gpu_count": quote.offer.instance_type.gpu_count,
        "nodes": quote.nodes,
        "launchable": quote.offer.provider in launchable,
        "price_usd_per_hour": round(quote.price_usd_per_hour, USD_DIGITS),
        "cost": cost_document(quote.cost),
        "hours": hours_document(quote.hours),
        "interruptions": {
            "hazard_per_hour": _significant(quote.hazard.per_hour),
            "hazard_low_per_hour": _significant(quote.hazard.low_per_hour),
            "hazard_high_per_hour": _significant(quote.hazard.high_per_hour),
            "expected": _significant(quote.expected_interruptions),
        },
        "deadline_probability": _significant(quote.deadline_probability),
        "checkpoint_every_seconds": quote.checkpoint_every_seconds,
        "speedup": _significant(quote.speedup),
        "transfers": [_transfer(plan) for plan in quote.transfers],
        "marks": list(quote.marks),
        "evidence": [_evidence(evidence) for evidence in quote.evidence],
    }


def cost_document(cost: Cost) -> dict[str, float]:
    """Return the parts of a cost in USD and the total that they sum to."""
    parts, total = round_parts({name: getattr(cost, name) for name in COST_PARTS}, USD_DIGITS)
    return {**parts, "total_usd": total}


def hours_document(hours: Hours) -> dict[str, float]:
    """Return the expected hours and the parts that sum to them."""
    parts, total = round_parts({name: getattr(hours, name) for name in HOUR_PARTS}, HOUR_DIGITS)
    return {"expected": total, **parts}


def _offer(offer: Offer) -> dict[str, Any]:
    return {
        "provider": offer.provider,
        "region": offer.region,
        "zone": offer.zone,
        "instance_type": offer.instance_type.name,
        "capacity_type": offer.capacity_type.value,
        "tier": offer.tier.value,
    }


def _rejection(rejection: Rejection) -> dict[str, Any]:
    document = {
        **_offer(rejection.offer),
        "code": rejection.code.value,
        "reason": rejection.reason,
    }
    if rejection.quote is not None:
        document["total_usd"] = round(rejection.quote.total_usd, USD_DIGITS)
    return document


def _transfer(plan: TransferPlan) -> dict[str, Any]:
    return {
        "uri": plan.uri,
        "source": str(plan.source),
        "destination": str(plan.destination),
        "movement": plan.movement.value,
        "size_gb": _significant(plan.size_gb),
        "usd": round(plan.usd, USD_DIGITS),
        "alternative_usd": _rounded(plan.alternative_usd),
        "hours": round(plan.hours, HOUR_DIGITS),
        "break_even_reads": plan.break_even_reads,
        "evidence": [_evidence(evidence) for evidence in plan.evidence],
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "what": evidence.what,
        "source": evidence.source,
        "quality": evidence.quality.value,
        "as_of": evidence.as_of and evidence.as_of.isoformat(),
        "latest": evidence.latest and evidence.latest.isoformat(),
        "note": evidence.note,
    }


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else round(usd, USD_DIGITS)


def _significant(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
