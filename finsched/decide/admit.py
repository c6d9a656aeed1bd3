"""Whether a decided job may start at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from finsched.model.job import JobSpec
from finsched.model.market import CapacityType
from finsched.model.quote import THRESHOLDS, Basis, Decision, Quote, RejectionCode


class Objection(StrEnum):
    """Why a job may not start."""

    NOTHING_FEASIBLE = "nothing_feasible"
    OVER_THRESHOLD = "over_threshold"
    MISSING_TAGS = "missing_tags"
    NO_CHECKPOINT = "no_checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One objection, with a sentence for people."""

    objection: Objection
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The placement that may start, or every reason against it."""

    placement: Quote | None
    refused: tuple[Refused, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing stands against the start."""
        return not self.refused


def admit(job: JobSpec, decision: Decision, required_tags: Collection[str] = ()) -> Admission:
    """Check the best quote against thresholds, tags and the need of a checkpoint on spot."""
    objections = (_placement(decision), _tags(job, required_tags), _checkpoint(job, decision))
    refused = tuple(each for each in objections if each is not None)
    return Admission(placement=None if refused else decision.best, refused=refused)


def _placement(decision: Decision) -> Refused | None:
    if decision.best is not None:
        return None
    over = [each for each in decision.rejections if each.code in THRESHOLDS]
    if not over:
        count = len(decision.rejections)
        reason = f"none of {count:,} offers can run this job"
        return Refused(objection=Objection.NOTHING_FEASIBLE, reason=reason)
    nearest = min(over, key=lambda each: each.quote.total_usd if each.quote else 0.0)
    reason = f"{len(over)} offers can run this job, all over a threshold; the nearest: "
    return Refused(objection=Objection.OVER_THRESHOLD, reason=reason + nearest.reason)


def _tags(job: JobSpec, required_tags: Collection[str]) -> Refused | None:
    missing = [tag for tag in sorted(required_tags) if not job.tags.get(tag)]
    if not missing:
        return None
    return Refused(
        objection=Objection.MISSING_TAGS, reason=f"required tags are missing: {', '.join(missing)}"
    )


def _checkpoint(job: JobSpec, decision: Decision) -> Refused | None:
    """Spot without a checkpoint: refused already when long, and here when nobody knows how long."""
    best = decision.best
    if job.checkpoint is not None:
        return None
    if best is None:
        unsaved = [each for each in decision.rejections if each.code is RejectionCode.NO_CHECKPOINT]
        return None if not unsaved else _no_checkpoint(unsaved[0].reason)
    if best.basis is Basis.HOUR and best.offer.capacity_type is CapacityType.SPOT:
        return _no_checkpoint("a spot run of unknown length needs one, or work.hours")
    return None


def _no_checkpoint(why: str) -> Refused:
    return Refused(objection=Objection.NO_CHECKPOINT, reason=f"no checkpoint is declared: {why}")
