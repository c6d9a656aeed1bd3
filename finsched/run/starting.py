"""From a job to a run in the ledger: quote, admit, submit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from finsched import plugins, policies, quoting
from finsched.decide.admit import Objection, Refused, admit
from finsched.decide.spot.policies import DEFAULT
from finsched.decide.timing.scavenging import nothing_cheap
from finsched.errors import (
    FinschedError,
    InvalidRequest,
    NotConfigured,
    NothingFeasible,
    OverThreshold,
    SpecError,
)
from finsched.ledger import Ledger
from finsched.model.job import CapacityPreference, JobSpec
from finsched.model.market import Market
from finsched.model.quote import Decision, Quote
from finsched.model.run import Placement, Rehearsal
from finsched.run.clock import anchored, wall_clock
from finsched.run.placing import placement
from finsched.run.rehearsing import default_speed
from finsched.run.reserving import reserve
from finsched.run.submission import Sending, Submission, submit, unwatched
from finsched.settings import Settings

LOCAL = "local"
_ERRORS: dict[Objection, type[FinschedError]] = {
    Objection.NOTHING_FEASIBLE: NothingFeasible,
    Objection.OVER_THRESHOLD: OverThreshold,
    Objection.MISSING_TAGS: SpecError,
    Objection.NO_CHECKPOINT: SpecError,
}
_FIXES = {
    Objection.NOTHING_FEASIBLE: "`finsched quote` lists the reason of every offer",
    Objection.OVER_THRESHOLD: "raise budget or scavenge_below in the job file, or ask for less",
    Objection.MISSING_TAGS: "add them under `tags:`",
    Objection.NO_CHECKPOINT: "declare `checkpoint:`, or set `capacity: on_demand`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalRequest:
    """What a user asks of a rehearsal; without `speed`, the cadence shrinks to two seconds."""

    seed: int = 0
    interruptions: int | None = None
    hazard_per_hour: float | None = None
    spot_capacity: float = 1.0
    speed: float | None = None


def start(
    job: JobSpec,
    settings: Settings,
    ledger: Ledger,
    *,
    request: RehearsalRequest | None = None,
    store: str | None = None,
    policy: str = DEFAULT,
    sending: Sending = unwatched,
) -> str:
    """Quote a job, admit it, write it down as a run and return the run's id.

    Raises the error that says why it may not start; nothing was started then.
    """
    now = datetime.now(UTC)
    policies.policy(policy)
    if isinstance(job.deadline, datetime) and job.deadline <= now:
        raise SpecError(f"the deadline {job.deadline:%F %T} UTC is past", fix="set a later one")
    market = quoting.read_market(job, settings, now=now)
    if request is None:
        _refuse_without_a_door(job, market)

    def quoted(spec: JobSpec) -> Decision:
        here = request is None
        return quoting.quote_in(
            spec, market, now=now, discounts=settings.discounts, launchable_only=here
        )

    decision = quoted(job)
    store_base = _store_base(job, settings, store, rehearsed=request is not None)
    rehearsal = None
    if request or not nothing_cheap(job, decision):
        best = _admitted(job, decision, settings)
        _refuse_folder(None if request else best, store_base)
        rehearsal = _rehearsal(request, placement(job, best, market)) if request else None
    submission = Submission(
        job=job,
        store_base=store_base,
        best_on_demand=_best_on_demand(job, quoted, market),
        rehearsal=rehearsal,
        policy=policy,
    )
    clock = anchored(now, rehearsal.speed) if rehearsal else wall_clock()

    def set_aside(run_id: str) -> None:
        if rehearsal is None:
            reserve(ledger, run_id, job, settings.budgets, now)

    return submit(ledger, submission, clock, sending, reserve=set_aside)


def _refuse_without_a_door(job: JobSpec, market: Market) -> None:
    wanted = set(job.where.clouds) or {offer.provider for offer in market.offers}
    if market.launchable & wanted:
        return
    installed = ", ".join(plugins.names()) or "none"
    named = ", ".join(job.where.clouds) or "any cloud"
    raise NotConfigured(
        f"nothing can be launched on {named} from here: the installed providers are {installed},"
        " and `local` counts only where the job's where.clouds names it",
        fix="`finsched check CLOUD JOB` says what is missing there; or prove the job here first:"
        " finsched launch JOB --rehearse",
    )


def _refuse_folder(chosen: Quote | None, store_base: str) -> None:
    """A machine of a cloud cannot reach a folder of this computer."""
    if store_base.startswith("file:") and chosen is not None and chosen.offer.provider != LOCAL:
        raise InvalidRequest(
            f"{store_base} is a folder of this computer: machines of {chosen.offer.provider} cannot"
            " reach it",
            fix="set checkpoint.uri in the job, or store in the settings, to s3://bucket/folder",
        )


def _admitted(job: JobSpec, decision: Decision, settings: Settings) -> Quote:
    admission = admit(job, decision, settings.required_tags)
    if admission.placement is not None and admission.allowed:
        return admission.placement
    raise _refusal(admission.refused[0])


def _refusal(refused: Refused) -> FinschedError:
    return _ERRORS[refused.objection](refused.reason, fix=_FIXES[refused.objection])


def _rehearsal(request: RehearsalRequest, chosen: Placement) -> Rehearsal:
    count = request.interruptions
    if count is None and request.hazard_per_hour is None:
        count = 2
    return Rehearsal(
        speed=request.speed or default_speed(chosen),
        seed=request.seed,
        interruptions=count if request.hazard_per_hour is None else None,
        hazard_per_hour=request.hazard_per_hour,
        spot_capacity=request.spot_capacity,
    )


def _store_base(job: JobSpec, settings: Settings, store: str | None, *, rehearsed: bool) -> str:
    """A rehearsal never touches the job's own bucket."""
    declared = job.checkpoint.uri if job.checkpoint and not rehearsed else None
    chosen = store or declared or settings.store
    return chosen if "://" in chosen else Path(chosen).expanduser().absolute().as_uri()


def _best_on_demand(
    job: JobSpec, quoted: Callable[[JobSpec], Decision], market: Market
) -> Placement | None:
    """The cheapest on-demand quote, also where it is over a threshold or the job wants spot alone.

    It is a yardstick and no place to go.
    """
    decision = quoted(replace(job, capacity=CapacityPreference.ON_DEMAND))
    over = (each.quote for each in decision.rejections if each.quote)
    quotes = [*decision.quotes, *over]
    best = min(quotes, key=lambda quote: quote.total_usd, default=None)
    return placement(job, best, market, "best on-demand") if best else None
