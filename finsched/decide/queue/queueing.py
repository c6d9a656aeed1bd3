"""Whose turn it is: a pure function from who waits, who runs and the limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from finsched.model.queue import QueueLimits

A_STEP_EVERY = timedelta(hours=1)
"""A run that waits gains a step of priority so often: nobody waits for ever."""

PATIENCE = timedelta(hours=1)
"""Who has waited for so long keeps the places of its provider and tags free of those behind it."""

_TOTAL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The places that a run takes: one of all, one of its provider, one of each of its tags."""

    provider: str = ""
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A run that waits for its turn since it was handed over."""

    run: str
    priority: int
    since: datetime
    claim: Claim = field(default_factory=Claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Whether it is a run's turn; `held_by` says what it waits for, None that it may start."""

    run: str
    held_by: str | None = None


def turns(
    waiting: Iterable[Waiting], running: Iterable[Claim], limits: QueueLimits, now: datetime
) -> Sequence[Turn]:
    """Return the waiting runs in their order, each with what it waits for.

    A run that a limit holds does not hold those behind it, as long as it has patience. Without, it
    keeps the places of its provider and tags; one of all it could not use before these are free.
    """
    most = _most(limits)
    taken = Counter(place for claim in running for place in _places(claim))
    found = []
    for each in sorted(waiting, key=lambda one: _order(one, now)):
        full = [place for place in _places(each.claim) if _is_full(place, taken, most)]
        found.append(Turn(run=each.run, held_by=_in_words(full[0], most) if full else None))
        if not full:
            taken.update(_places(each.claim))
        elif now - each.since >= PATIENCE:
            taken.update(place for place in _places(each.claim) if place != _TOTAL)
    return found


def _order(waiting: Waiting, now: datetime) -> tuple[float, datetime, str]:
    steps = max((now - waiting.since) // A_STEP_EVERY, 0)
    return -(waiting.priority + steps), waiting.since, waiting.run


def _most(limits: QueueLimits) -> dict[str, int]:
    most = {} if limits.total is None else {_TOTAL: limits.total}
    most |= {f"on {provider}": limit for provider, limit in limits.per_provider.items()}
    return most | {f"with {tag}": limit for tag, limit in limits.per_tag.items()}


def _places(claim: Claim) -> Iterator[str]:
    yield _TOTAL
    if claim.provider:
        yield f"on {claim.provider}"
    for tag in sorted(claim.tags):
        yield f"with {tag}"


def _is_full(place: str, taken: Counter[str], most: dict[str, int]) -> bool:
    return place in most and taken[place] >= most[place]


def _in_words(place: str, most: dict[str, int]) -> str:
    return f"at most {most[place]} at once" + ("" if place == _TOTAL else f" {place}")
