"""What Google's operations tell of machines: how they were made, and how they ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from finsched.errors import ProviderProblem
from finsched.provider import EndReason
from finsched_gcp.api import Api, Surveyed
from finsched_gcp.errors import problem_of_operation
from finsched_gcp.names import Located, last_part

NAMES_PER_CALL = 50  # keeps the filter in the address short
_DONE = "DONE"

ENDS: dict[str, EndReason] = {
    "compute.instances.preempted": EndReason.INTERRUPTED,
    "compute.instances.terminateOnHostMaintenance": EndReason.INTERRUPTED,
    "compute.instances.hostError": EndReason.FAILED,
    "compute.instances.guestTerminate": EndReason.ENDED_ITSELF,
    "delete": EndReason.TERMINATED_BY_US,
    "stop": EndReason.TERMINATED_BY_US,
}
"""Types of operations that end a machine. What its own service account asks for, it did itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One operation on a machine; `ended_at` is None while it is under way."""

    machine: Located
    kind: str
    user: str
    began_at: datetime
    ended_at: datetime | None
    problem: ProviderProblem | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that is known of one machine, in the order in which it was asked for."""

    happenings: tuple[Happening, ...]

    @property
    def creation(self) -> Happening | None:
        """How it was made."""
        return next((each for each in self.happenings if each.kind == "insert"), None)

    @property
    def ends(self) -> tuple[Happening, ...]:
        """What ended it; the first of them is why."""
        return tuple(each for each in self.happenings if each.kind in ENDS and each.problem is None)


def histories(operations: Iterable[Any]) -> dict[Located, History]:
    """Read operations, by machine."""
    known: dict[Located, list[Happening]] = {}
    for happening in map(_read, operations):
        known.setdefault(happening.machine, []).append(happening)
    return {
        machine: History(happenings=tuple(sorted(each, key=lambda one: one.began_at)))
        for machine, each in known.items()
    }


def operations_in(api: Api, zone: str, names: Sequence[str]) -> Iterator[Any]:
    """Yield the operations of a zone on these machines."""
    for some in portions(names):
        told = api.listed("ZoneOperations", zone=zone, filter=targets(some))
        yield from (each for each in told if last_part(each.target_link) in some)


def operations_on(api: Api, name: str) -> Surveyed:
    """Return the operations of the whole project on machines whose names begin so."""
    told = api.surveyed("GlobalOperations", "operations", filter=targets([name]))
    found = [each for each in told.found if last_part(each.target_link).startswith(f"{name}-")]
    return Surveyed(found, told.problems)


def targets(names: Iterable[str]) -> str:
    """Return the filter for operations on machines: it finds what contains the names."""
    return " OR ".join(f"(targetLink:instances/{name})" for name in names)


def named(names: Iterable[str]) -> str:
    """Return the filter for machines by name: unknown ones are left out where a get would fail."""
    return " OR ".join(f'(name = "{name}")' for name in names)


def portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split names so that a filter of them fits into a call."""
    for start in range(0, len(names), NAMES_PER_CALL):
        yield names[start : start + NAMES_PER_CALL]


def moment(text: str) -> datetime | None:
    """Read a time as Google writes it; None where it does not say."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _read(operation: Any) -> Happening:
    zone = last_part(operation.zone)
    began_at = moment(operation.insert_time or operation.start_time)
    return Happening(
        machine=Located(zone, last_part(operation.target_link)),
        kind=operation.operation_type,
        user=operation.user,
        began_at=began_at or datetime.now(UTC),
        ended_at=_end(operation),
        problem=problem_of_operation(operation, f"gcp/{zone}"),
        detail=operation.status_message or operation.operation_type,
    )


def _end(operation: Any) -> datetime | None:
    if operation.status.name != _DONE:
        return None
    return moment(operation.end_time) or moment(operation.insert_time)
