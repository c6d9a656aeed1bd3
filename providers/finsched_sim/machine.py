"""A simulated machine: created, booted, charged for, taken back or switched off."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Protocol

from finsched.provider import EndReason, InstanceState, InstanceStatus, LaunchRequest
from finsched_sim.market import CloudPlan, Shelf
from finsched_sim.meter import Meter
from finsched_sim.timeline import Timeline


class Tenant(Protocol):
    """What runs on a machine: the model of the node agent."""

    def begin(self) -> None:
        """The machine has booted."""
        ...

    def warn(self, ends_s: float) -> None:
        """The cloud says when it takes the machine back."""
        ...

    def die(self) -> None:
        """The machine is gone."""
        ...


@dataclass(kw_only=True, eq=False)
class Machine:
    """One machine and all that it has said of itself: (moment, status)."""

    id: str
    request: LaunchRequest
    cloud: CloudPlan
    shelf: Shelf
    meter: Meter
    timeline: Timeline
    rank: int = 0
    booted_by_s: float = 0.0
    frozen: bool = False
    thawed_s: float = 0.0
    is_foreign: bool = False  # another installation's, in the same account
    unlisted: bool = False  # its cloud knows nothing of it, though it is there
    tenant: Tenant | None = None
    history: list[tuple[float, InstanceStatus]] = field(default_factory=list)

    @property
    def status(self) -> InstanceStatus:
        """How it stands."""
        return self.history[-1][1]

    @property
    def runs(self) -> bool:
        """Whether it is charged for."""
        return self.meter.runs

    def status_at(self, at_s: float) -> InstanceStatus | None:
        """How it stood at a moment; None before it existed."""
        index = bisect_right(self.history, at_s, key=lambda entry: entry[0])
        return self.history[index - 1][1] if index else None

    def is_pending(self) -> None:
        """It exists, and is charged for from now on."""
        self._note(InstanceState.PENDING)

    def has_booted(self) -> None:
        """It runs."""
        if self.runs:
            self._note(InstanceState.RUNNING)
            if self.tenant:
                self.tenant.begin()

    def warn(self, seconds: float) -> None:
        """Announce that it will be taken back, and take it back."""
        if self.runs:
            if self.tenant:
                self.tenant.warn(self.timeline.now_s + seconds)
            self.timeline.after(seconds, lambda: self.end(EndReason.INTERRUPTED))

    def end(self, reason: EndReason) -> None:
        """End it, whoever wanted it; it is charged until now, and gone a little later."""
        if not self.runs:
            return
        self.meter.stop(self.timeline.now_s)
        if self.tenant:
            self.tenant.die()
        self._note(InstanceState.TERMINATING, reason)
        self.timeline.after(self.cloud.shutdown_s, lambda: self._is_gone(reason))

    def _is_gone(self, reason: EndReason) -> None:
        self._note(InstanceState.TERMINATED, reason)

    def _note(self, state: InstanceState, reason: EndReason | None = None) -> None:
        timeline, ended_s = self.timeline, self.meter.ended_s
        status = InstanceStatus(
            id=self.id,
            state=state,
            billing_from=timeline.moment(self.meter.began_s),
            ended_at=timeline.moment(ended_s) if ended_s is not None else None,
            reason=reason,
        )
        self.history.append((timeline.now_s, status))
