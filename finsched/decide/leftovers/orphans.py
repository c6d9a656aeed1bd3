"""Whether something at a provider still belongs to somebody, told from the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from finsched.model.run import Attempt, Run

GRACE = timedelta(minutes=2)
"""How long an end may take to show at a provider."""


class Fate(StrEnum):
    """What a sweep does with something that carries our installation's tag."""

    KEPT = "kept"  # it belongs to a run that goes on
    ORPHAN = "orphan"  # its run or attempt is over: it is deleted
    FOREIGN = "foreign"  # our tag, but not in our ledger: it is shown and never deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A fate and the reason for it."""

    fate: Fate
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of a run beside its events; moments are in the run's own time.

    `lease_until` is until when the attempt's machine may run without its supervisor. `given_up`
    means that a person named the run: what is not supervised is over then.
    """

    now: datetime
    supervised: bool
    lease_until: datetime | None = None
    given_up: bool = False


def rule_without_run(name: str | None, *, shared: bool) -> Ruling:
    """Return what becomes of something whose run our ledger does not know."""
    if shared:
        return _kept("it belongs to the installation and to no single run")
    if name is None:
        return Ruling(fate=Fate.FOREIGN, why="its tags name no run")
    return Ruling(fate=Fate.FOREIGN, why=f"the ledger here knows no run {name}")


def rule(run: Run, number: int | None, seen: Situation) -> Ruling:
    """Return what becomes of something of a run and, where `number` is known, of one attempt."""
    if seen.supervised:
        return _kept("a process watches over the run")
    if run.outcome is not None:
        return _over(run, run.ended_at, f"the run has ended: {run.outcome}", seen)
    if number is not None:
        return _of_attempt(run, number, seen)
    return _orphan("you gave the run up") if seen.given_up else _kept("the run has not ended")


def _of_attempt(run: Run, number: int, seen: Situation) -> Ruling:
    attempt = next((each for each in run.attempts if each.number == number), None)
    if attempt is None:
        return _orphan(f"the run has no attempt {number}")
    if not attempt.live:
        return _over(run, attempt.ended_at, f"attempt {number} has ended: {attempt.end}", seen)
    return _orphan("you gave the run up") if seen.given_up else _unwatched(run, attempt, seen)


def _unwatched(run: Run, attempt: Attempt, seen: Situation) -> Ruling:
    """A machine ends itself when its lease does: one that outlives it is out of control."""
    until = seen.lease_until or attempt.intended_at
    if seen.now - until > _grace(run):
        return _orphan("nobody watches over the run, and the machine outlived its lease")
    return _kept(
        "nobody watches over the run, and its machine ends itself soon:"
        f" `finsched resume {run.id}` goes on, `finsched stop {run.id}` saves and ends it"
    )


def _over(run: Run, ended_at: datetime | None, why: str, seen: Situation) -> Ruling:
    why = why.replace("_", " ")
    if ended_at and seen.now - ended_at <= _grace(run) and not seen.given_up:
        return _kept(f"{why}, a moment ago")
    return _orphan(why)


def _grace(run: Run) -> timedelta:
    return GRACE * (run.anchor.speed if run.anchor else 1.0)


def _kept(why: str) -> Ruling:
    return Ruling(fate=Fate.KEPT, why=why)


def _orphan(why: str) -> Ruling:
    return Ruling(fate=Fate.ORPHAN, why=why)
