"""One live attempt as its supervisor sees it: watched, kept alive, told to end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from finsched.errors import ProviderProblem
from finsched.model.run import Attempt
from finsched.node.store import Store
from finsched.provider import InstanceState, Provider
from finsched.run.clock import Clock
from finsched.run.correspondence import Correspondence
from finsched.run.journal import Journal
from finsched.run.launching import reserve_seconds
from finsched.run.watching import give_up, watch

SLACK_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What an attendant works with."""

    journal: Journal
    provider: Provider
    store: Store
    clock: Clock
    lease: timedelta


class Attendant:
    """Looks after one attempt from its launch to its end."""

    def __init__(self, number: int, means: Means) -> None:
        self._number = number
        self._means = means
        self._post = Correspondence(means.store, number)
        self._stop_by: datetime | None = None
        self._unknown_since: datetime | None = None

    @property
    def poll_interval(self) -> timedelta:
        """How often it is worth looking."""
        return self._means.provider.poll_interval

    def look(self, *, patient: bool = True) -> None:
        """Look once; a cloud that does not answer says nothing about the machine."""
        means, known = self._means, True
        with suppress(ProviderProblem):
            known = watch(means.journal, self._attempt, means.provider, self._post, means.clock)
        self._give_up_on_the_vanished(known=known, patient=patient)

    def renew(self) -> None:
        """Keep the node's lease from running out."""
        self._post.renew(self._means.lease)

    def take_over(self) -> None:
        """Let a standby go on with the run."""
        self._post.go()

    def wind_down(self, order: str, *, patient: bool = True) -> None:
        """Order a last checkpoint; switch the machine off when it takes too long."""
        self._post.stop(order)
        now = self._means.clock.wall()
        if self._stop_by is None:
            self._stop_by = now + self.seconds_to_save
        if now >= self._stop_by or not patient:
            self.switch_off()

    @property
    def seconds_to_save(self) -> timedelta:
        """How long a last checkpoint may take, in real time."""
        means = self._means
        seconds = reserve_seconds(means.journal.run, means.clock) + SLACK_SECONDS
        return timedelta(seconds=seconds)

    def switch_off(self) -> None:
        """End the machines, whatever runs on them."""
        compute = self._means.provider.compute
        for instance_id in self._attempt.instance_ids:
            if compute:
                compute.terminate(instance_id)

    @property
    def is_gone(self) -> bool:
        """Whether the provider says that every machine has ended."""
        compute, ids = self._means.provider.compute, self._attempt.instance_ids
        statuses = compute.poll(ids) if compute else {}
        states = [status.state for status in statuses.values()]
        gone = all(state is InstanceState.TERMINATED for state in states)
        return len(states) == len(ids) and gone

    @property
    def _attempt(self) -> Attempt:
        return self._means.journal.run.attempts[self._number - 1]

    def _give_up_on_the_vanished(self, *, known: bool, patient: bool) -> None:
        if known:
            self._unknown_since = None
            return
        now = self._means.clock.wall()
        self._unknown_since = self._unknown_since or now
        patience = self._means.lease + timedelta(seconds=SLACK_SECONDS)
        if now - self._unknown_since > patience or not patient:
            give_up(self._means.journal, self._attempt)
