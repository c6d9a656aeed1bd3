"""What a run can do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from finsched.model.quote import Quote
from finsched.model.run import Choice, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Start the next attempt on this placement."""

    quote: Quote
    choice: Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Go from the live attempt to this placement; the old one works on while the new one boots."""

    quote: Quote
    choice: Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """The standby is ready: the live attempt saves and ends, and the standby goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropStandby:
    """The standby takes too long: it ends, and the live attempt goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """The live attempt saves and ends, and nothing takes its place for now."""

    choice: Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do before `until`."""

    until: datetime
    choice: Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """The live attempt goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The run is over; a live attempt is wound down first."""

    outcome: Outcome
    why: str


Step = Launch | Move | HandOver | DropStandby | Pause | Wait | Stay | End
