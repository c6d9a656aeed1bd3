"""Observe, decide, act, write down: one run from here to its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from finsched.decide.freshness import stale
from finsched.decide.next_step import next_step
from finsched.decide.prospects import Prospects
from finsched.decide.spend import spent_usd
from finsched.decide.step import End, Launch, Move, Pause, Stay, Step, Wait
from finsched.errors import MachineProblem, ProviderProblem
from finsched.model.event import Decided, Ended, Event, StopRequested, Warned
from finsched.model.quote import Quote
from finsched.model.run import Attempt, Choice, Outcome, Placement, Run
from finsched.node.store import Store
from finsched.provider import InstanceState, Provider
from finsched.run.clock import Clock
from finsched.run.correspondence import Correspondence
from finsched.run.journal import Journal
from finsched.run.launching import LaunchTerms, launch, reserve_seconds
from finsched.run.reconcile import reconcile
from finsched.run.watching import give_up, watch

SLACK_SECONDS = 5.0
_ORDERS = {Outcome.BUDGET: "limit", Outcome.DEADLINE: "limit", Outcome.STOPPED: "stopped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a supervisor acts on: the doors to the clouds, the store, the market and time."""

    provider_for: Callable[[str], Provider]
    store: Store
    clock: Clock
    terms: LaunchTerms
    look_ahead: Callable[[Run, datetime], Prospects]
    place: Callable[[Run, Quote, str], Placement]


class Supervisor:
    """Carries one run to its end; all that it knows stands in the journal."""

    def __init__(self, journal: Journal, around: Surroundings) -> None:
        self._journal = journal
        self._around = around
        self._stop_by: datetime | None = None
        self._post: Correspondence | None = None
        self._signals = 0
        self._warned_of: tuple[int, int] | None = None
        self._unknown_since: datetime | None = None

    def interrupt(self) -> None:
        """Ask for a clean stop; asked twice, the machine is switched off at once."""
        self._signals += 1

    def supervise(self) -> Run:
        """Go on until the run has an outcome, and return it.

        When this machine fails (a full disk), the node saves, and nothing goes on billing.
        """
        try:
            self._settle()
            while self._journal.run.outcome is None:
                self._tick()
        except MachineProblem:
            self._abandon()
            raise
        return self._journal.run

    def _settle(self) -> None:
        attempt = self._journal.run.live_attempt
        if attempt:
            reconcile(self._journal, self._provider(attempt.provider), self._around.clock)

    def _tick(self) -> None:
        self._journal.catch_up()
        self._hear_signals()
        attempt = self._journal.run.live_attempt
        if attempt:
            self._watch(attempt)
        self._act(self._step())
        self._journal.looked(self._around.clock.now())

    def _watch(self, attempt: Attempt) -> None:
        """Look once; a cloud that does not answer says nothing about the machine."""
        provider, around = self._provider(attempt.provider), self._around
        known = True
        with suppress(ProviderProblem):
            known = watch(self._journal, attempt, provider, self._letters(attempt), around.clock)
        self._give_up_on_the_vanished(attempt, known=known)

    def _give_up_on_the_vanished(self, attempt: Attempt, *, known: bool) -> None:
        if known:
            self._unknown_since = None
            return
        now = datetime.now(UTC)
        self._unknown_since = self._unknown_since or now
        patience = self._around.terms.lease + timedelta(seconds=SLACK_SECONDS)
        if now - self._unknown_since > patience or self._signals > 1:
            give_up(self._journal, attempt)
            self._unknown_since = None

    def _hear_signals(self) -> None:
        if self._signals and self._journal.run.stop_requested is None:
            self._record(StopRequested(reason="interrupted"))

    def _step(self) -> Step:
        run, now = self._journal.run, self._around.clock.now()
        seconds = reserve_seconds(run, self._around.clock) * self._around.clock.speed
        return next_step(
            run,
            now=now,
            spent_usd=spent_usd(run, now),
            reserve=timedelta(seconds=seconds),
            ahead=self._around.look_ahead(run, now),
        )

    def _act(self, step: Step) -> None:
        match step:
            case Launch(quote=quote, choice=choice):
                self._record(Decided(choice=choice))
                self._launch(self._around.place(self._journal.run, quote, choice.why))
            case Move(choice=choice) | Pause(choice=choice):
                self._note(choice)
                self._leave()
                self._pause()
            case Wait(until=until, choice=choice):
                self._note(choice)
                self._pause_until(until)
            case Stay():
                self._renew_lease()
                self._warn_of_stale_checkpoint()
                self._pause()
            case End(outcome=outcome, why=why):
                self._end(outcome, why)

    def _note(self, choice: Choice) -> None:
        """Write a decision down when it is another than the last."""
        last = self._journal.run.choice
        if last is None or (last.step, last.target) != (choice.step, choice.target):
            self._record(Decided(choice=choice))

    def _leave(self) -> None:
        """Let the live attempt save and end, so that the next one can begin."""
        attempt = self._journal.run.live_attempt
        if attempt:
            self._renew_lease()
            self._wind_down(attempt, "moved")

    def _launch(self, chosen: Placement) -> None:
        run = self._journal.run
        name = "local" if run.rehearsal else chosen.offer.provider
        self._stop_by = None
        provider, around = self._provider(name), self._around
        try:
            launch(self._journal, provider, around.clock, around.terms, chosen)
        except ProviderProblem as problem:
            self._record(Ended(outcome=Outcome.NO_PLACEMENT, detail=problem.message))
            raise

    def _end(self, outcome: Outcome, why: str) -> None:
        attempt = self._journal.run.live_attempt
        if attempt is None:
            self._record(Ended(outcome=outcome, detail=why))
            return
        self._wind_down(attempt, _ORDERS.get(outcome, "stopped"))
        self._pause()

    def _wind_down(self, attempt: Attempt, order: str) -> None:
        """Order a last checkpoint; switch the machine off when it takes too long."""
        self._letters(attempt).stop(order)
        if self._stop_by is None:
            seconds = reserve_seconds(self._journal.run, self._around.clock) + SLACK_SECONDS
            self._stop_by = datetime.now(UTC) + timedelta(seconds=seconds)
        if datetime.now(UTC) >= self._stop_by or self._signals > 1:
            self._switch_off(attempt)

    def _switch_off(self, attempt: Attempt) -> None:
        compute = self._provider(attempt.provider).compute
        for instance_id in attempt.instance_ids:
            if compute:
                compute.terminate(instance_id)

    def _renew_lease(self) -> None:
        attempt = self._journal.run.live_attempt
        if attempt:
            self._letters(attempt).renew(self._around.terms.lease)

    def _warn_of_stale_checkpoint(self) -> None:
        """Say once per attempt and commit that nothing was kept for two intervals."""
        run = self._journal.run
        latency = timedelta(seconds=SLACK_SECONDS * self._around.clock.speed)
        age = stale(run, self._around.clock.now(), latency)
        situation = (len(run.attempts), len(run.checkpoints))
        if age is None or situation == self._warned_of:
            return
        self._warned_of = situation
        text = f"nothing was kept for {age.total_seconds() / 3600:.1f} h, more than two intervals"
        self._record(Warned(attempt=len(run.attempts), text=text))

    def _letters(self, attempt: Attempt) -> Correspondence:
        if self._post is None or self._post.attempt != attempt.number:
            self._post = Correspondence(self._around.store, attempt.number)
        return self._post

    def _abandon(self) -> None:
        """Without a ledger to write to: let the node save, then switch its machine off."""
        attempt = self._journal.run.live_attempt
        if attempt is None:
            return
        self._letters(attempt).stop("stopped")
        seconds = reserve_seconds(self._journal.run, self._around.clock) + SLACK_SECONDS
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        while datetime.now(UTC) < until and not self._is_gone(attempt):
            self._pause()
        self._switch_off(attempt)

    def _is_gone(self, attempt: Attempt) -> bool:
        compute = self._provider(attempt.provider).compute
        statuses = compute.poll(attempt.instance_ids) if compute else {}
        states = [status.state for status in statuses.values()]
        return len(states) == len(attempt.instance_ids) and all(
            state is InstanceState.TERMINATED for state in states
        )

    def _pause(self) -> None:
        attempt = self._journal.run.live_attempt
        if attempt:
            interval = self._provider(attempt.provider).poll_interval
            self._around.clock.pause(interval.total_seconds())

    def _pause_until(self, moment: datetime) -> None:
        left = (self._around.clock.real(moment) - datetime.now(UTC)).total_seconds()
        self._around.clock.pause(min(max(left, 0.0), 1.0))

    def _record(self, event: Event) -> None:
        self._journal.record(event, self._around.clock.now())

    def _provider(self, name: str) -> Provider:
        return self._around.provider_for(name)
