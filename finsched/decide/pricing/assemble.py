"""Putting a quote together from what was worked out for it."""

from __future__ import annotations

from typing import NamedTuple

from finsched.decide.offers.feasible import Candidate
from finsched.decide.offers.speed import Speed
from finsched.decide.pricing.cost import Expected, Setting
from finsched.decide.pricing.ending import Ending
from finsched.decide.pricing.facts import PlaceFacts
from finsched.decide.pricing.transfer import HOURS_PER_MONTH, DataPlan
from finsched.model.evidence import Evidence, Quality
from finsched.model.interruption import Hazard
from finsched.model.market import Tier
from finsched.model.quote import Basis, Cost, Hours, Quote

_TIER_MARKS = {
    Tier.COMMUNITY: ("community host",),
    Tier.MARKETPLACE: ("marketplace: the lowest ask, may be gone",),
    Tier.PROTOTYPING: ("prototyping tier",),
}
_PRICE_MARKS = {Quality.DERIVED: ("derived price",), Quality.ESTIMATED: ("estimated price",)}


class Subject(NamedTuple):
    """What is quoted: a candidate with its hazard, speed and place."""

    candidate: Candidate
    nodes: int
    hazard: Hazard
    speed: Speed
    place: PlaceFacts
    saves: bool  # the job has a checkpoint


def quote_run(subject: Subject, setting: Setting, expected: Expected, ending: Ending) -> Quote:
    """The quote of a whole finished run."""
    data = expected.data
    return Quote(
        offer=subject.candidate.offer,
        nodes=subject.nodes,
        basis=Basis.RUN,
        cost=expected.cost(premium_usd=ending.premium_usd),
        hours=expected.parts(),
        hazard=subject.hazard,
        expected_interruptions=expected.wall.interruptions,
        deadline_probability=ending.probability,
        checkpoint_every_seconds=setting.interval_hours * 3600 if subject.saves else None,
        speedup=subject.speed.factor,
        restart_hours=setting.restart_hours(data),
        least_billed_hours=_least_billed_hours(subject),
        transfers=data.moves,
        evidence=_evidence(subject, data),
        marks=_marks(subject, data) + ending.marks,
    )


def quote_hour(subject: Subject, interval_hours: float | None) -> Quote:
    """The quote of one hour: the price and the storage; moves of data are named, not added."""
    offer, place, data = subject.candidate.offer, subject.place, subject.place.plans[0]
    stored = place.store.kept * place.store.size_gb * place.store.usd_per_gb_month
    stored += data.kept_gb * place.copy_usd_per_gb_month
    once = (f"${data.usd:,.2f} to move data once, not in the hourly amount",) if data.usd else ()
    return Quote(
        offer=offer,
        nodes=subject.nodes,
        basis=Basis.HOUR,
        cost=Cost(
            compute_usd=offer.price_usd_per_hour * subject.nodes,
            storage_usd=stored / HOURS_PER_MONTH,
        ),
        hours=Hours(work=1.0),
        hazard=subject.hazard,
        expected_interruptions=subject.hazard.per_hour * subject.nodes,
        deadline_probability=1.0,
        checkpoint_every_seconds=None if interval_hours is None else interval_hours * 3600,
        speedup=subject.speed.factor,
        least_billed_hours=_least_billed_hours(subject),
        transfers=data.moves,
        evidence=_evidence(subject, data),
        marks=_marks(subject, data) + once,
    )


def _least_billed_hours(subject: Subject) -> float:
    rule = subject.place.terms.billing
    return max(rule.minimum_seconds, rule.granularity_seconds) / 3600


def _evidence(subject: Subject, data: DataPlan) -> tuple[Evidence, ...]:
    return (
        subject.candidate.offer.evidence,
        subject.hazard.evidence,
        *subject.speed.evidence,
        *subject.place.evidence,
        *data.evidence,
    )


def _marks(subject: Subject, data: DataPlan) -> tuple[str, ...]:
    """Cautions for people, nearest to the machine first."""
    offer = subject.candidate.offer
    unsaved = subject.hazard.per_hour > 0 and not subject.saves
    return (
        *subject.candidate.marks,
        *_TIER_MARKS.get(offer.tier, ()),
        *_PRICE_MARKS.get(offer.evidence.quality, ()),
        *(("no checkpoint: an interruption loses everything",) if unsaved else ()),
        *subject.speed.marks,
        *subject.place.store.marks,
        *data.marks,
    )
