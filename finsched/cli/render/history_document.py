"""The history of pools for machines."""

from __future__ import annotations

from typing import Any

from finsched.api.history import History, PoolHazard
from finsched.catalog.browse import usd_per_gpu_hour
from finsched.cli.render.evidence import evidence_document
from finsched.decide.offers.spell_age import hazard_at_age
from finsched.decide.timing.start_effect import WeekdayEffect, weekday_effect
from finsched.model.history import Availability, PriceSeries, PriceSpan
from finsched.model.interruption import Hazard
from finsched.model.market import Offer

HOURS_PER_DAY = 24
SPELL_AGES_S = (0.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0)
DIGITS = 6


def document(found: History) -> dict[str, Any]:
    """Return everything that is known, without a bound on its rows."""
    return {
        "as_of": found.as_of.isoformat(timespec="seconds"),
        "currency": "USD",
        "gpus": [gpu.name for gpu in found.gpus],
        "prices": [_series(series) for series in found.prices],
        "latest_prices": [_offer(offer) for offer in found.latest],
        "interruptions": [_interruptions(known) for known in found.interruptions],
        "providers_without_hazard": list(found.without_hazard),
        "assumed_hazard": _hazard(found.assumed_hazard),
        "availability": [_availability(each) for each in found.availability],
        "notes": list(found.notes),
    }


def _series(series: PriceSeries) -> dict[str, Any]:
    return {
        "provider": series.provider,
        "region": series.region,
        "zone": series.zone,
        "instance_type": series.instance_type,
        "gpu": series.gpu,
        "gpu_count": series.gpu_count,
        "capacity_type": series.capacity_type,
        "tier": series.tier,
        "first": _span(series.first),
        "last": _span(series.last),
        "lowest": _span(series.lowest),
        "highest": _span(series.highest),
        "change_percent": round(series.change_percent, DIGITS),
        "changes": series.changes,
        "daily": series.daily,
        "spans": [_span(span) for span in series.spans],
        "weekday_effect": _effect(weekday_effect(series.daily_prices())) if series.daily else None,
        "evidence": evidence_document(series.evidence),
    }


def _span(span: PriceSpan) -> dict[str, Any]:
    return {
        "first_day": span.first_day,
        "last_day": span.last_day,
        "usd_per_gpu_hour": round(span.usd_per_gpu_hour, DIGITS),
    }


def _effect(effect: WeekdayEffect) -> dict[str, Any]:
    return {
        "measurable": effect.measurable,
        "days": effect.days,
        "weeks": effect.weeks,
        "p_value": effect.p_value,
        "cheapest_weekday": effect.cheapest_weekday,
        "percent": effect.percent,
        "low_percent": effect.low_percent,
        "high_percent": effect.high_percent,
    }


def _offer(offer: Offer) -> dict[str, Any]:
    return {
        "provider": offer.provider,
        "region": offer.region,
        "zone": offer.zone,
        "instance_type": offer.instance_type.name,
        "gpu": offer.instance_type.gpu,
        "gpu_count": offer.instance_type.gpu_count,
        "capacity_type": offer.capacity_type,
        "tier": offer.tier,
        "usd_per_gpu_hour": round(usd_per_gpu_hour(offer), DIGITS),
        "evidence": evidence_document(offer.evidence),
    }


def _interruptions(known: PoolHazard) -> dict[str, Any]:
    return {
        "provider": known.pool.provider,
        "region": known.pool.region,
        "zone": known.pool.zone,
        "instance_type": known.pool.instance_type,
        "gpu": known.gpu,
        **_hazard(known.hazard),
        "by_age_of_spell": [
            {
                "from_seconds": age_s,
                "per_hour": hazard_at_age(known.hazard, age_s),
            }
            for age_s in SPELL_AGES_S
        ],
        "own_interruptions": known.own.interruptions,
        "own_hours": known.own.instance_hours,
        "own_share": known.own_share,
    }


def _hazard(hazard: Hazard) -> dict[str, Any]:
    rates = (hazard.per_hour, hazard.low_per_hour, hazard.high_per_hour)
    names = ("mean", "low", "high")
    return {
        "per_hour": dict(zip(names, rates, strict=True)),
        "per_day": dict(zip(names, (HOURS_PER_DAY * rate for rate in rates), strict=True)),
        "evidence": evidence_document(hazard.evidence),
    }


def _availability(each: Availability) -> dict[str, Any]:
    return {
        "provider": each.provider,
        "region": each.region,
        "zone": each.zone,
        "instance_type": each.instance_type,
        "gpu": each.gpu or None,
        "nodes": each.nodes,
        "held": each.held,
        "first_day": each.first_day,
        "last_day": each.last_day,
        "hours": each.hours,
        "up_share": each.up_share,
        "losses": each.losses,
        "mean_up_hours": each.mean_up_hours,
        "mean_down_hours": each.mean_down_hours,
        "evidence": evidence_document(each.evidence),
    }
