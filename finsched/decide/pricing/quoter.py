"""One candidate offer to its quote, or to the reason why it may not run the job."""

from __future__ import annotations

from datetime import datetime, timedelta

from finsched.decide.offers.feasible import Candidate
from finsched.decide.offers.hardware import Refusal
from finsched.decide.offers.speed import AS_STATED
from finsched.decide.pricing import refusals
from finsched.decide.pricing.assemble import Subject, quote_hour, quote_run
from finsched.decide.pricing.cadence import interval_hours
from finsched.decide.pricing.cost import Expected, Setting, expected_run
from finsched.decide.pricing.ending import ending_of
from finsched.decide.pricing.facts import Facts, PlaceFacts
from finsched.decide.pricing.transfer import HOURS_PER_MONTH, DataPlan
from finsched.decide.timing.scavenging import cheap_enough
from finsched.model.job import JobSpec, as_moment
from finsched.model.market import CapacityType, Market, Offer
from finsched.model.quote import Quote, Rejection


class Quoter:
    """Quotes the candidates of one job in one market at one moment."""

    def __init__(
        self,
        job: JobSpec,
        market: Market,
        now: datetime,
    ) -> None:
        self._job = job
        self._facts = Facts(job, market)
        self._nodes = job.requirements.nodes
        self._deadline_hours = _hours_left(job, now)
        self._save_hours = _hours(job.checkpoint.save_time) if job.checkpoint else 0.0

    def quote(self, candidate: Candidate) -> Quote | Rejection:
        """The candidate's quote; over a threshold, the rejection that keeps it."""
        offer = candidate.offer
        verdict = self._verdict(candidate)
        if isinstance(verdict, Refusal):
            return Rejection(offer=offer, code=verdict.code, reason=verdict.reason)
        over = refusals.over_threshold(self._job, verdict)
        if over is None:
            return verdict
        return Rejection(offer=offer, code=over.code, reason=over.reason, quote=verdict)

    def _verdict(self, candidate: Candidate) -> Quote | Refusal:
        offer = candidate.offer
        on_demand = self._facts.on_demand_usd_per_hour(offer)
        if offer.capacity_type is CapacityType.SPOT and on_demand is not None:
            refusal = refusals.not_a_saving(offer, on_demand)
            if refusal is not None:
                return refusal
        if self._job.work is None:
            return self._quote_hour(candidate)
        return self._quote_run(candidate, self._job.work.hours, on_demand)

    def _quote_run(
        self, candidate: Candidate, stated_hours: float, on_demand: float | None
    ) -> Quote | Refusal:
        offer = candidate.offer
        speed = self._facts.speed(offer.instance_type)
        if speed is None:
            return refusals.speed_unknown(self._job, offer)
        work_hours = stated_hours / speed.factor
        place = self._facts.place(offer, work_hours)
        hazard = self._facts.hazard(offer)
        setting = self._setting(offer, hazard.per_hour * self._nodes, place, work_hours)
        expected = _cheapest(setting, place.plans)
        if expected is None:
            return refusals.overflows(setting, place.plans[0])
        refusal = self._run_refusal(setting, expected)
        if refusal is not None:
            return refusal
        way_out = self._way_out_usd_per_hour(on_demand)
        ending = ending_of(setting, expected, self._deadline_hours, way_out)
        if isinstance(ending, Refusal):
            return ending
        subject = Subject(candidate, self._nodes, hazard, speed, place, self._saves)
        return quote_run(subject, setting, expected, ending)

    def _way_out_usd_per_hour(self, on_demand: float | None) -> float | None:
        """What finishing on demand costs on all nodes; None where the job may not pay it."""
        if on_demand is None or not cheap_enough(self._job, on_demand * self._nodes):
            return None
        return on_demand * self._nodes

    def _quote_hour(self, candidate: Candidate) -> Quote:
        place = self._facts.place(candidate.offer, 1.0)
        hazard = self._facts.hazard(candidate.offer)
        gang_hazard = hazard.per_hour * self._nodes
        interval = None
        declared = self._job.checkpoint is not None and self._job.checkpoint.every is not None
        if declared or (self._saves and gang_hazard > 0):
            price = candidate.offer.price_usd_per_hour * self._nodes
            interval = self._interval_hours(HOURS_PER_MONTH, gang_hazard, place, price)
        subject = Subject(candidate, self._nodes, hazard, AS_STATED, place, self._saves)
        return quote_hour(subject, interval)

    @property
    def _saves(self) -> bool:
        return self._job.checkpoint is not None

    def _run_refusal(self, setting: Setting, expected: Expected) -> Refusal | None:
        return refusals.never_finishes(setting, expected) or refusals.unsaved(
            self._job, setting, expected
        )

    def _setting(
        self, offer: Offer, gang_hazard: float, place: PlaceFacts, work_hours: float
    ) -> Setting:
        price = offer.price_usd_per_hour * self._nodes
        return Setting(
            usd_per_hour=price,
            work_hours=work_hours,
            interval_hours=self._interval_hours(work_hours, gang_hazard, place, price),
            save_hours=self._save_hours,
            boot_hours=place.boot_hours,
            hazard_per_hour=gang_hazard,
            store=place.store,
            copy_usd_per_gb_month=place.copy_usd_per_gb_month,
            billing=place.terms.billing,
        )

    def _interval_hours(
        self, work_hours: float, hazard: float, place: PlaceFacts, usd_per_hour: float
    ) -> float:
        spec = self._job.checkpoint
        if spec is None:
            return work_hours
        if spec.every is not None:
            return min(_hours(spec.every), work_hours)
        return interval_hours(
            work_hours=work_hours,
            save_hours=self._save_hours,
            hazard_per_hour=hazard,
            at_least_hours=place.store.upload_hours,
            upload_hours=place.store.upload_as_hours(usd_per_hour),
        )


def _cheapest(setting: Setting, plans: tuple[DataPlan, ...]) -> Expected | None:
    """The run with the data plan that makes all of it cheapest here."""
    best: Expected | None = None
    for plan in plans:
        run = expected_run(setting, plan)
        if run is not None and (best is None or run.total_usd < best.total_usd):
            best = run
    return best


def _hours(duration: timedelta) -> float:
    return duration.total_seconds() / 3600


def _hours_left(job: JobSpec, now: datetime) -> float | None:
    """The hours between the earliest start and the deadline."""
    if job.deadline is None:
        return None
    begins = now
    if job.start is not None and job.start.after is not None:
        begins = max(now, as_moment(job.start.after, now))
    return _hours(as_moment(job.deadline, now) - begins)
