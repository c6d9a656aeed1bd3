"""Why a priced offer may not run the job, in one sentence each."""

from __future__ import annotations

from finsched.decide.offers.hardware import Refusal
from finsched.decide.pricing.cost import Expected, Setting
from finsched.decide.pricing.transfer import DataPlan
from finsched.decide.timing.scavenging import cheap_enough, not_below
from finsched.model.job import JobSpec
from finsched.model.market import Offer
from finsched.model.quote import Basis, Quote, RejectionCode

# A spot job this long against the mean time between interruptions meets one in 18 of 100 runs.
LONG_JOB_SHARE = 0.2
# Beyond this many times its uninterrupted length a run is taken as never ending.
NEVER_STRETCH = 100.0


def not_a_saving(offer: Offer, on_demand_usd_per_hour: float) -> Refusal | None:
    """Spot that costs no less than on-demand of the same machine in the same region."""
    spot_usd_per_hour = offer.price_usd_per_hour
    if spot_usd_per_hour < on_demand_usd_per_hour:
        return None
    saving_percent = 100 * (1 - spot_usd_per_hour / on_demand_usd_per_hour)
    return Refusal(
        RejectionCode.SPOT_ABOVE_ON_DEMAND,
        f"spot at ${spot_usd_per_hour:,.2f}/h against on-demand at "
        f"${on_demand_usd_per_hour:,.2f}/h: a saving of {saving_percent:.0f} %",
    )


def speed_unknown(job: JobSpec, offer: Offer) -> Refusal:
    """A GPU whose speed against the reference nothing tells."""
    gpu = offer.instance_type.gpu
    reference = job.work.reference if job.work is not None else None
    against = reference or "the GPU asked for"
    return Refusal(
        RejectionCode.SPEED_UNKNOWN,
        f"no datasheet compares {gpu} with {against}; declare work.speedup.{gpu}",
    )


def overflows(setting: Setting, data: DataPlan) -> Refusal:
    """A run whose expectation is beyond any number: everything paid is lost."""
    loss = f"all of ${24 * setting.usd_per_hour:,.2f} a day, for good"
    return _never_finishes(setting, data, loss)


def never_finishes(setting: Setting, expected: Expected) -> Refusal | None:
    """A run that is interrupted faster than it gets ahead, with the dollars it would lose."""
    if expected.hours <= NEVER_STRETCH * expected.uninterrupted_hours:
        return None
    return _never_finishes(setting, expected.data, f"${expected.lost_usd:,.2f}")


def unsaved(job: JobSpec, setting: Setting, expected: Expected) -> Refusal | None:
    """Spot without a checkpoint where a run is likely to be interrupted, with the loss."""
    exposure = setting.work_hours * setting.hazard_per_hour
    if job.checkpoint is not None or exposure <= LONG_JOB_SHARE:
        return None
    return Refusal(
        RejectionCode.NO_CHECKPOINT,
        f"{setting.work_hours:.3g} h of work without a checkpoint, an interruption every "
        f"{1 / setting.hazard_per_hour:.3g} h: expected loss ${expected.lost_usd:,.2f}",
    )


def too_late(needed_hours: float, deadline_hours: float) -> Refusal | None:
    """A run that needs more hours than the deadline leaves."""
    if needed_hours <= deadline_hours:
        return None
    return Refusal(
        RejectionCode.DEADLINE,
        f"needs {needed_hours:.3g} h, the deadline leaves {max(0.0, deadline_hours):.3g} h",
    )


def over_threshold(job: JobSpec, quote: Quote) -> Refusal | None:
    """A quote above the job's own limits; without `work` only the hourly ones can be checked."""
    hourly, most_hourly = quote.price_usd_per_hour, job.budget.max_hourly_usd
    if not cheap_enough(job, hourly):
        return Refusal(RejectionCode.SCAVENGE_BELOW, not_below(job, hourly))
    if most_hourly is not None and hourly > most_hourly:
        reason = f"${hourly:,.2f}/h is above max_hourly ${most_hourly:,.2f}"
        return Refusal(RejectionCode.MAX_HOURLY, reason)
    total, most = quote.total_usd, job.budget.max_cost_usd
    if most is not None and quote.basis is Basis.RUN and total > most:
        return Refusal(RejectionCode.MAX_COST, f"${total:,.2f} is above max_cost ${most:,.2f}")
    return None


def _never_finishes(setting: Setting, data: DataPlan, loss: str) -> Refusal:
    stretch_hours = setting.interval_hours + setting.save_hours
    stretch_hours += setting.restart_hours(data)
    return Refusal(
        RejectionCode.NEVER_FINISHES,
        f"an interruption every {1 / setting.hazard_per_hour:.3g} h, a restart and the work to "
        f"the next checkpoint take {stretch_hours:.3g} h: expected loss {loss}",
    )
