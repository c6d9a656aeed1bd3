"""The queue of the per-user process: what waits in it, and what limits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How many runs the per-user process carries at once; a tag is written `key=value`.

    None and a provider or tag that is not named mean no limit.
    """

    total: int | None = None
    per_provider: Mapping[str, int] = field(default_factory=dict)
    per_tag: Mapping[str, int] = field(default_factory=dict)


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
