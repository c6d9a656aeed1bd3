"""Which offers can run a job at all, and why the others cannot."""

from __future__ import annotations

from typing import NamedTuple

from finsched.decide.offers.hardware import Fit, Refusal, fit_machine
from finsched.decide.offers.where import data_problem, region_problem, residency_problem
from finsched.model.job import CapacityPreference, JobSpec
from finsched.model.market import (
    ANY_REGION,
    CapacityType,
    InstanceType,
    Location,
    Market,
    Offer,
    Tier,
)
from finsched.model.quote import Rejection, RejectionCode

LOCAL_CLOUD = "local"

_QUEUED_TIERS = {
    Tier.FLEX_START: Refusal(RejectionCode.TIER, "queued capacity: starts when there is some"),
    Tier.CALENDAR: Refusal(RejectionCode.TIER, "reserved ahead for a date: cannot start now"),
}
_UNKNOWN_REGION = "region unknown"


class Candidate(NamedTuple):
    """An offer that can run the job, with the cautions found on the way."""

    offer: Offer
    host_unknown: bool
    marks: tuple[str, ...]


def feasible(job: JobSpec, market: Market) -> tuple[list[Candidate], list[Rejection]]:
    """Split the market into candidates and rejections."""
    screen = _Screen(job, market)
    candidates, rejections = [], []
    for offer in market.offers:
        verdict = screen.judge(offer)
        if isinstance(verdict, Refusal):
            rejections.append(Rejection(offer=offer, code=verdict.code, reason=verdict.reason))
        else:
            candidates.append(verdict)
    return candidates, rejections


class _Screen:
    """The checks of one job, each done once for what many offers share."""

    def __init__(self, job: JobSpec, market: Market) -> None:
        self._job = job
        self._market = market
        self._unwanted_capacity = _unwanted_capacity(job.capacity)
        self._data_problem = data_problem(job, market.geography)
        self._places: dict[tuple[str, str], Refusal | None] = {}
        self._machines: dict[int, Fit | Refusal] = {}

    def judge(self, offer: Offer) -> Candidate | Refusal:
        """The first reason against the offer, or the offer as a candidate."""
        machine = offer.instance_type
        refusal = self._place_refusal(machine.provider, offer.region)
        if refusal is not None:
            return refusal
        fit = self._machine_fit(machine)
        if isinstance(fit, Refusal):
            return fit
        refusal = self._terms_refusal(offer)
        if refusal is not None:
            return refusal
        marks = fit.marks if offer.region != ANY_REGION else (*fit.marks, _UNKNOWN_REGION)
        return Candidate(offer, fit.host_unknown, marks)

    def _place_refusal(self, provider: str, region: str) -> Refusal | None:
        key = (provider, region)
        if key not in self._places:
            self._places[key] = self._judge_place(Location(provider, region))
        return self._places[key]

    def _judge_place(self, place: Location) -> Refusal | None:
        where, geography = self._job.where, self._market.geography
        problem = _cloud_problem(where.clouds, place.provider)
        if problem is not None:
            return Refusal(RejectionCode.CLOUD, problem)
        if self._data_problem is not None:
            return Refusal(RejectionCode.RESIDENCY, self._data_problem)
        problem = region_problem(where.regions, place, geography.get(place))
        if problem is not None:
            return Refusal(RejectionCode.REGION, problem)
        problem = residency_problem(where.residency, place, geography)
        if problem is not None:
            return Refusal(RejectionCode.RESIDENCY, f"compute {problem}")
        return None

    def _machine_fit(self, machine: InstanceType) -> Fit | Refusal:
        # By identity: hashing a machine by value costs more than the rest of the check.
        fit = self._machines.get(id(machine))
        if fit is None:
            fit = fit_machine(self._job.requirements, machine, self._market.accelerators)
            self._machines[id(machine)] = fit
        return fit

    def _terms_refusal(self, offer: Offer) -> Refusal | None:
        return self._unwanted_capacity.get(offer.capacity_type) or _QUEUED_TIERS.get(offer.tier)


def _cloud_problem(clouds: tuple[str, ...], provider: str) -> str | None:
    if clouds:
        return None if provider in clouds else f"{provider} is not among {', '.join(clouds)}"
    if provider == LOCAL_CLOUD:
        return "this machine is used only when where.clouds names local"
    return None


def _unwanted_capacity(wanted: CapacityPreference) -> dict[CapacityType, Refusal]:
    if wanted is CapacityPreference.AUTO:
        return {}
    return {
        capacity: Refusal(
            RejectionCode.CAPACITY_TYPE, f"needs {wanted.value} capacity, is {capacity.value}"
        )
        for capacity in CapacityType
        if capacity.value != wanted.value
    }
