"""Intent first, then the create call, then the confirmation: no machine without a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from finsched.decide.live.spend import budget_ends_at
from finsched.errors import (
    InvalidRequest,
    NoAnswer,
    NoCapacity,
    NoQuota,
    NotAuthorized,
    PriceTooLow,
    ProviderProblem,
    Throttled,
)
from finsched.model.event import AttemptEnded, Intended, Launched
from finsched.model.run import Attempt, AttemptEnd, Placement, Refusal, Run
from finsched.provider import Compute, Instance, LaunchRequest, Provider
from finsched.run.clock import Clock
from finsched.run.journal import Journal
from finsched.run.quota import require_quota
from finsched.run.rehearsing import hints

LEAST_RESERVE_SECONDS = 2.0
TRY_ANOTHER_POOL = (NoAnswer, NoCapacity, NoQuota, PriceTooLow, Throttled)
_REFUSALS = {
    NoCapacity: Refusal.CAPACITY,
    NoQuota: Refusal.QUOTA,
    PriceTooLow: Refusal.PRICE,
}
_CLEAR_NO = (NoCapacity, NoQuota, PriceTooLow, InvalidRequest, NotAuthorized)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchTerms:
    """What every launch of a run shares; `secrets` live in memory only."""

    installation: str
    lease: timedelta
    store_options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def launch(
    journal: Journal,
    provider: Provider,
    clock: Clock,
    terms: LaunchTerms,
    chosen: Placement,
    *,
    standby: bool = False,
) -> None:
    """Start the next attempt on a placement; a refusal ends the attempt, not the run.

    Raises the `ProviderProblem` of a refusal that another pool would not mend.
    """
    number = len(journal.run.attempts) + 1
    token = f"{journal.run.id}-{number}"
    intent = Intended(
        attempt=number,
        token=token,
        provider=provider.name,
        placement=chosen,
        standby=standby,
    )
    journal.record(intent, clock.now())
    try:
        require_quota(provider, chosen.offer, chosen.nodes)
        instances = _create(provider, _request(journal.run, clock, terms))
    except ProviderProblem as problem:
        _refused(journal, clock, number, problem)
        if _is_final(problem, journal.run):
            raise
    else:
        if instances:
            confirm(journal, number, instances, clock)


def confirm(journal: Journal, number: int, instances: Sequence[Instance], clock: Clock) -> None:
    """Write down which machines an intent became."""
    ids = tuple(instance.id for instance in instances)
    began = clock.at(min(instance.created_at for instance in instances))
    journal.record(Launched(attempt=number, instance_ids=ids, billing_from=began), clock.now())


def _create(provider: Provider, request: LaunchRequest) -> Sequence[Instance]:
    """Create; nothing is returned where nobody can tell yet whether there are machines.

    The intent then stays open: `reconcile` settles it.
    """
    if provider.compute is None:
        raise NoCapacity(f"{provider.name} can be quoted but not launched from here")
    try:
        return provider.compute.launch(request)
    except (NoAnswer, OSError):
        return _ask_again(provider.compute, request)
    except ProviderProblem:
        if found := provider.compute.find(request.token):
            return found
        raise


def _ask_again(compute: Compute, request: LaunchRequest) -> Sequence[Instance]:
    """The same token asks for the same machines, so that only a clear no means that none is."""
    try:
        return compute.launch(request)
    except _CLEAR_NO:
        raise
    except (ProviderProblem, OSError):
        with suppress(ProviderProblem, OSError):
            return compute.find(request.token)
        return ()


def _is_final(problem: ProviderProblem, run: Run) -> bool:
    """Whether a refusal ends the run: a mistake does, a bad hour only before the first machine."""
    if isinstance(problem, TRY_ANOTHER_POOL):
        return False
    has_run = any(attempt.instance_ids for attempt in run.attempts)
    return isinstance(problem, InvalidRequest) or not has_run


def _refused(journal: Journal, clock: Clock, number: int, problem: ProviderProblem) -> None:
    kinds = (kind for error, kind in _REFUSALS.items() if isinstance(problem, error))
    end = AttemptEnded(
        attempt=number,
        end=AttemptEnd.NOT_LAUNCHED,
        detail=problem.message,
        refusal=next(kinds, Refusal.OTHER),
    )
    journal.record(end, clock.now())


def _request(run: Run, clock: Clock, terms: LaunchTerms) -> LaunchRequest:
    attempt = run.attempts[-1]
    return LaunchRequest(
        token=attempt.token,
        installation=terms.installation,
        run=run.id,
        attempt=attempt.number,
        offer=attempt.placement.offer,
        nodes=attempt.placement.nodes,
        node_config=_node_config(run, attempt, clock, terms),
        secrets=terms.secrets,
        tags=run.job.tags,
        hints=hints(run, attempt.placement),
        disk_gb=run.job.requirements.disk_gb,
    )


def _node_config(run: Run, attempt: Attempt, clock: Clock, terms: LaunchTerms) -> Mapping[str, Any]:
    return {
        "run": run.id,
        "attempt": attempt.number,
        "node_rank": 0,
        "nodes": attempt.placement.nodes,
        "store_uri": run.store_uri,
        "store_options": dict(terms.store_options),
        "workdir_key": run.workdir_key,
        "standby": attempt.standby,
        "setup": run.job.setup,
        "run_command": run.job.run,
        "env": dict(run.job.env),
        "secret_names": list(run.job.secrets),
        "checkpoint": _checkpoint_config(run, attempt, clock),
        "lease_seconds": terms.lease.total_seconds(),
        "stop_at": _stop_at(run, attempt, clock),
        "reserve_seconds": reserve_seconds(run, clock),
        "poll_seconds": 0.1 if clock.speed > 1 or attempt.provider == "local" else 1.0,
        "notice_grace_seconds": max(attempt.placement.notice_seconds / clock.speed, 1.0),
    }


def _checkpoint_config(run: Run, attempt: Attempt, clock: Clock) -> Mapping[str, Any] | None:
    spec, every_seconds = run.job.checkpoint, attempt.placement.checkpoint_every_seconds
    if spec is None or every_seconds is None:
        return None
    cadence = attempt.placement.checkpoint_cadence
    return {
        "path": spec.path,
        "signal": spec.signal,
        "every_seconds": _by_age(cadence, clock) if cadence else every_seconds / clock.speed,
        "usual_seconds": every_seconds / clock.speed,
        "keep": spec.keep,
    }


def _by_age(cadence: Sequence[tuple[float, float]], clock: Clock) -> list[dict[str, float]]:
    """Return the interval by the machine's age in real seconds."""
    return [
        {"age_seconds": age / clock.speed, "every_seconds": every / clock.speed}
        for age, every in cadence
    ]


def reserve_seconds(run: Run, clock: Clock) -> float:
    """Return the real seconds kept free before a limit, so that a last checkpoint fits.

    Saving takes what is declared, the upload half as long again as the last one took.
    """
    spec, last = run.job.checkpoint, run.last_checkpoint
    save_seconds = spec.save_time.total_seconds() if spec else 0.0
    upload_seconds = 1.5 * last.upload_seconds if last else 0.0
    return max(save_seconds / clock.speed + upload_seconds, LEAST_RESERVE_SECONDS)


def _stop_at(run: Run, attempt: Attempt, clock: Clock) -> list[dict[str, str]]:
    limits: dict[str, datetime | None] = {
        "budget": budget_ends_at(run, attempt, clock.now()),
        "deadline": run.deadline_at,
    }
    return [
        {"at": clock.real(moment).isoformat(), "reason": reason}
        for reason, moment in limits.items()
        if moment is not None
    ]
