"""One live attempt as its supervisor sees it: watched, kept alive, told to end."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from finsched.errors import ProviderProblem, StoreProblem
from finsched.model.event import Warned
from finsched.model.run import Attempt
from finsched.node.store import Store
from finsched.provider import InstanceState, Provider
from finsched.run.clock import Clock
from finsched.run.correspondence import Correspondence
from finsched.run.journal import Journal
from finsched.run.launching import reserve_seconds
from finsched.run.patience import unconfirmed
from finsched.run.reconcile import reconcile
from finsched.run.silence import Silence
from finsched.run.watching import give_up, watch

SLACK_SECONDS = 5.0
_SOONEST_RETRY_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What an attendant works with."""

    journal: Journal
    provider: Provider
    store: Store
    clock: Clock
    lease: timedelta


class Attendant:
    """Looks after one attempt from its launch to its end.

    Waiting is measured in seconds that no jump of the clock and no sleep of this machine adds to.
    """

    def __init__(self, number: int, means: Means) -> None:
        self._number = number
        self._means = means
        self._post = Correspondence(means.store, number)
        self._stop_by: float | None = None
        self._unknown_since: float | None = None
        self._heard = [Silence(means.lease) for _ in range(self._attempt.placement.nodes)]
        self._refusals = 0  # in a row, to switch the machines off
        self._switches_off = False  # since the last look
        self._warned = False
        self._doubted = False
        self._problem: ProviderProblem | None = None  # why the last look told nothing

    @property
    def seconds_to_next_look(self) -> float:
        """When it is worth looking again: at the next poll, or when patience ends.

        A machine that could not be switched off costs money, and one whose lease could not be
        renewed ends: both are tried again sooner.
        """
        seconds = self._means.provider.poll_interval.total_seconds()
        refusals = self._refusals if self._switches_off else 0
        if failures := max(refusals, self._post.looks_missed, self._post.orders_missed):
            seconds = min(seconds, _SOONEST_RETRY_SECONDS * 2.0 ** min(failures - 1, 10))
        left = self._stop_by - self._now if self._stop_by else 0.0
        return min(seconds, left) if left > 0 else seconds

    def look(self, *, patient: bool = True) -> None:
        """Look once; a cloud that does not answer says nothing about the machine."""
        known, self._problem, self._switches_off = True, None, False
        try:
            known = self._look()
        except ProviderProblem as problem:
            self._problem = problem
            self._doubt(problem)
        if self._attempt.live and not self._attempt.unconfirmed:
            self._give_up_on_the_vanished(known=known, patient=patient)
            self._give_up_on_the_silent()

    def renew(self) -> None:
        """Keep the node's lease from running out, and what else it holds for a time."""
        self._post.renew(self._means.lease)
        run, lender = self._means.journal.run, self._means.provider.lender
        if lender:
            with suppress(ProviderProblem, StoreProblem):  # tried again while there is time
                lender.renew(run.id, self._number, run.store_uri)

    def take_over(self) -> None:
        """Let a standby go on with the run."""
        self._post.go()

    def wind_down(self, order: str, *, patient: bool = True) -> None:
        """Order a last checkpoint; switch the machine off when it takes too long."""
        self._post.stop(order)
        if self._stop_by is None:
            self._stop_by = self._now + self.seconds_to_save
        if self._now >= self._stop_by or not patient:
            self.switch_off()

    def open_end(self, *, patient: bool) -> str | None:
        """Say what may be there of an attempt that was told to end and that nobody can end now.

        None where it is worth looking again: its cloud answers, or its machine may still save.
        """
        attempt = self._attempt
        problem = f": {self._problem.message}" if self._problem else ""
        if attempt.unconfirmed and (self._problem or not patient):
            return f"{unconfirmed(attempt)}{problem}"
        in_time = patient and self._now < (self._stop_by or math.inf)
        if attempt.unconfirmed or self._problem is None or in_time:
            return None
        ids = ", ".join(attempt.instance_ids)
        return f"{attempt.provider} has not said whether {ids} has ended{problem}"

    @property
    def seconds_to_save(self) -> float:
        """How long a last checkpoint may take, in real time."""
        means = self._means
        return reserve_seconds(means.journal.run, means.clock) + SLACK_SECONDS

    def switch_off(self) -> None:
        """End the machines, whatever runs on them; a refusal is met again at the next look."""
        compute, refusals = self._means.provider.compute, self._refusals + 1
        self._refusals, self._switches_off = 0, True
        for instance_id in self._attempt.instance_ids:
            try:
                if compute:
                    compute.terminate(instance_id)
            except ProviderProblem:
                self._refusals = refusals

    @property
    def is_gone(self) -> bool:
        """Whether the provider says that every machine has ended."""
        compute, ids = self._means.provider.compute, self._attempt.instance_ids
        with suppress(ProviderProblem):
            statuses = compute.poll(ids) if compute and ids else {}
            states = [status.state for status in statuses.values()]
            gone = all(state is InstanceState.TERMINATED for state in states)
            return len(states) == len(ids) and gone
        return False

    def _look(self) -> bool:
        """Whether the cloud knew of every machine."""
        means = self._means
        if self._attempt.unconfirmed:
            reconcile(means.journal, self._attempt, means.provider, means.clock)
            return True
        return watch(
            means.journal,
            self._attempt,
            means.provider,
            self._post,
            means.clock,
            silent=self._warned,
        )

    def _doubt(self, problem: ProviderProblem) -> None:
        """Say once that nobody knows whether a launch made a machine."""
        if self._attempt.unconfirmed and not self._doubted:
            self._doubted = True
            self._warn(f"{unconfirmed(self._attempt)}: {problem.message}")

    @property
    def _attempt(self) -> Attempt:
        return self._means.journal.run.attempts[self._number - 1]

    @property
    def _now(self) -> float:
        return self._means.clock.monotonic()

    def _give_up_on_the_vanished(self, *, known: bool, patient: bool) -> None:
        if known:
            self._unknown_since = None
            return
        self._unknown_since = self._unknown_since or self._now
        patience = self._means.lease.total_seconds() + SLACK_SECONDS
        if self._now - self._unknown_since > patience or not patient:
            self.switch_off()
            now = self._means.clock.now()
            give_up(self._means.journal, self._attempt, now, unseen=self._unseen)

    @property
    def _unseen(self) -> timedelta:
        """How long a machine may still run that nobody sees: its lease, a save, its last words."""
        run, clock, lease = self._means.journal.run, self._means.clock, self._means.lease
        saving = timedelta(seconds=2 * reserve_seconds(run, clock))
        return (self._post.lease_left(lease) + saving) * clock.speed

    def _give_up_on_the_silent(self) -> None:
        """A machine whose agent says nothing any more is paid for nothing: it is switched off.

        A gang with one that is silent waits in vain.
        """
        if self._post.trouble is not None or self._problem:  # then no letter was read
            for heard in self._heard:
                heard.cannot_tell(self._now)
            return
        newest = [self._post.newest_of.get(rank, 0) for rank in range(len(self._heard))]
        each = zip(self._heard, newest, strict=True)
        if any(tuple(heard.too_long(number, self._now) for heard, number in each)):
            self._warn_once("nothing was heard of the machine for too long: it is switched off")
            self.switch_off()

    def _warn_once(self, text: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(text)

    def _warn(self, text: str) -> None:
        event = Warned(attempt=self._number, text=text)
        self._means.journal.record(event, self._means.clock.now())
