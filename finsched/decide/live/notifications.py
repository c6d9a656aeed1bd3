"""Which events a person is told of, and in which words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from finsched.decide.live.spend import spent_usd
from finsched.model.event import AttemptEnded, BudgetUsed, Ended, Launched, Recorded, Warned
from finsched.model.market import CapacityType
from finsched.model.notification import About
from finsched.model.run import Attempt, AttemptEnd, Outcome, Run, WarningCause

_MOST_OF_A_DETAIL = 200
_LOSSES = {
    AttemptEnd.INTERRUPTED: "the provider took the machine back",
    AttemptEnd.NODE_FAILED: "the machine broke",
    AttemptEnd.LEASE_EXPIRED: "nobody renewed the lease, and the machine ended itself",
}

_ALARMS = {
    WarningCause.STALE_CHECKPOINT: (About.STALE_CHECKPOINT, "nothing is kept"),
    WarningCause.STALLED_JOB: (About.STALLED_JOB, "the job stands still"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Something that a person wants to hear of at once; `good` is None for neither good nor bad."""

    about: About
    run: str
    title: str
    text: str
    good: bool | None = False


def notifications(run: Run, record: Recorded) -> tuple[Notification, ...]:
    """Return what an event is to be told as; `run` is the run after it.

    Nothing is told of a rehearsal, where nothing is at stake.
    """
    if run.rehearsal is not None:
        return ()
    match record.event:
        case AttemptEnded(attempt=number, end=end, detail=detail) if end in _LOSSES:
            return (_loss(run, number, _LOSSES[end], detail, record.at),)
        case Launched(attempt=number) if _is_fallback(run, number):
            return (_fallback(run, number),)
        case BudgetUsed(percent=percent):
            return (_budget(run, f"{percent} %", record.at),)
        case Warned(text=text, cause=cause) if cause in _ALARMS:
            return (_told(run, *_ALARMS[cause], text),)
        case Ended(outcome=Outcome.BUDGET) if run.budget_used_percent < 100:
            return _budget(run, "all", record.at), _end(run, record.at)
        case Ended():
            return (_end(run, record.at),)
    return ()


def _loss(run: Run, number: int, why: str, detail: str, at: datetime) -> Notification:
    said = f" ({_short(detail)})" if detail else ""
    text = f"Attempt {number}{_on(run, number)} was lost: {why}{said}. {_kept(run, at)}"
    return _told(run, About.INTERRUPTION, f"lost attempt {number}", text)


def _is_fallback(run: Run, number: int) -> bool:
    """On demand, when the machine before was spot, or when spot was tried and refused."""
    before = [each for each in run.attempts if each.number < number]
    bought = [each for each in before if each.instance_ids]
    tried = bought[-1:] or before
    this = [each for each in run.attempts if each.number == number]
    return any(not _is_spot(each) for each in this) and any(map(_is_spot, tried))


def _is_spot(attempt: Attempt) -> bool:
    return attempt.placement.offer.capacity_type is CapacityType.SPOT


def _fallback(run: Run, number: int) -> Notification:
    [attempt] = [each for each in run.attempts if each.number == number]
    why = _short(attempt.placement.why)
    text = f"Attempt {number}{_on(run, number)} costs ${attempt.placement.usd_per_hour:,.2f}/h"
    return _told(run, About.FALLBACK, "on demand now", f"{text}: {why}" if why else f"{text}.")


def _budget(run: Run, share: str, at: datetime) -> Notification:
    limit_usd = run.job.budget.max_cost_usd
    of = "" if limit_usd is None else f" of ${limit_usd:,.2f}"
    text = f"${spent_usd(run, at):,.2f}{of} is spent. {_kept(run, at)}"
    return _told(run, About.BUDGET, f"{share} of the budget", text)


def _end(run: Run, at: datetime) -> Notification:
    outcome = str(run.outcome).replace("_", " ")
    detail = f": {_short(run.detail)}" if run.detail else ""
    count = len(run.attempts)
    text = (
        f"It ended as {outcome}{detail}. It cost ${spent_usd(run, at):,.2f} in {count}"
        f" attempt{'' if count == 1 else 's'}. finsched report {run.id}"
    )
    good = run.outcome is Outcome.FINISHED
    return replace(_told(run, About.END, outcome, text), good=good)


def _told(run: Run, about: About, title: str, text: str) -> Notification:
    good = None if about is About.FALLBACK else False
    return Notification(
        about=about,
        run=run.id,
        title=f"{run.job.name}: {title}",
        text=f"{run.id}: {text}",
        good=good,
    )


def _on(run: Run, number: int) -> str:
    for each in run.attempts:
        if each.number == number:
            offer = each.placement.offer
            kind = "spot" if _is_spot(each) else "on demand"
            return f" on {offer.provider} {offer.region}, {offer.instance_type.name} {kind},"
    return ""


def _kept(run: Run, at: datetime) -> str:
    last = run.last_checkpoint
    if last is None:
        return "No checkpoint is kept yet."
    share = "" if last.progress is None else f" at {last.progress:.0%}"
    minutes = max(at - last.at, timedelta(0)).total_seconds() / 60
    return f"The last checkpoint{share} is {minutes:,.0f} min old."


def _short(text: str) -> str:
    """One line, not too long: clouds and nodes wrote it."""
    words = " ".join(text.split())
    return words if len(words) <= _MOST_OF_A_DETAIL else f"{words[:_MOST_OF_A_DETAIL]}…"
