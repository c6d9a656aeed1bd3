"""Observe, decide, act, write down: one run from here to its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from finsched.decide.live.budget_steps import step_passed
from finsched.decide.live.freshness import in_vain, stale
from finsched.decide.live.limits import over
from finsched.decide.live.prospects import Prospects
from finsched.decide.live.spend import budget_met_at, spent_usd
from finsched.decide.live.step import (
    DropStandby,
    End,
    HandOver,
    Launch,
    Move,
    Pause,
    Stay,
    Step,
    Wait,
)
from finsched.decide.next_step import next_step
from finsched.errors import MachineProblem, ProviderProblem
from finsched.model.event import (
    BudgetUsed,
    Decided,
    Ended,
    Event,
    Promoted,
    StopRequested,
    Warned,
)
from finsched.model.quote import Quote
from finsched.model.run import Attempt, Choice, Outcome, Placement, Run, WarningCause
from finsched.node.store import Store
from finsched.provider import Provider
from finsched.run.abandoning import Abandonment
from finsched.run.attendant import SLACK_SECONDS, Attendant, Means
from finsched.run.clock import Clock
from finsched.run.journal import Journal
from finsched.run.launching import LaunchTerms, launch, reserve_seconds
from finsched.run.patience import Patience, not_ended
from finsched.run.watching import IN_VAIN, MOVED

_ORDERS = {Outcome.BUDGET: "limit", Outcome.DEADLINE: "limit", Outcome.STOPPED: "stopped"}
_BETWEEN_ATTEMPTS_SECONDS = 1.0
_SHORTEST_LOOK_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a supervisor acts on: the doors to the clouds, the store, the market and time."""

    provider_for: Callable[[str], Provider]
    store: Store
    clock: Clock
    terms: LaunchTerms
    look_ahead: Callable[[Run, datetime], Prospects]
    place: Callable[[Run, Quote, str], Placement]
    patience: Patience | None = None  # of a person who waits for the end, if any


class Supervisor:
    """Carries one run to its end; all that it knows stands in the journal.

    It never waits by itself: `tick` says when the next one is wanted. `supervise` waits in between,
    and a process with many runs or a simulation may do so in its own way.
    """

    def __init__(self, journal: Journal, around: Surroundings) -> None:
        self._journal = journal
        self._around = around
        self._attendants: dict[int, Attendant] = {}
        self._signals = 0
        self._abandonment: Abandonment | None = None

    def interrupt(self) -> None:
        """Ask for a clean stop; asked twice, the machines are switched off at once."""
        self._signals += 1
        if patience := self._around.patience:
            patience.dwindles() if self._patient else patience.ends()

    def supervise(self) -> Run:
        """Go on until the run has an outcome, and return it.

        When this machine fails (a full disk), the nodes save, and nothing goes on billing.
        """
        heard = self._signals
        while (wanted_seconds := self.tick()) is not None:
            if not self._journal.run.live_attempts:
                wanted_seconds = min(wanted_seconds, _BETWEEN_ATTEMPTS_SECONDS)
            self._rest(wanted_seconds, heard)
            heard = self._signals
        return self._journal.run

    def _rest(self, seconds: float, heard: int) -> None:
        """Let time pass, but for what a signal cuts off, also one that came during the tick."""
        while seconds > 0 and heard == self._signals:
            self._around.clock.pause(min(seconds, _LONGEST_PAUSE_SECONDS))
            seconds -= _LONGEST_PAUSE_SECONDS

    def tick(self) -> float | None:
        """Look, decide and act; return in how many real seconds to do so again, None at the end.

        Raises the `ProviderProblem` of a launch that no other pool would mend, `NoAnswer` where a
        person has asked for the end and clouds do not answer, and the `MachineProblem` of this
        machine after the ticks in which the nodes could save.
        """
        if self._abandonment:
            return self._abandonment.tick()
        try:
            return self._look_and_act()
        except MachineProblem as problem:
            attendants = [self._attendant(each) for each in self._journal.run.live_attempts]
            self._abandonment = Abandonment(problem, attendants, self._around.clock)
            return self._abandonment.tick()

    def _look_and_act(self) -> float | None:
        if self._journal.run.outcome is not None:
            return None
        self._journal.catch_up()
        self._hear_signals()
        for attempt in self._journal.run.live_attempts:
            self._attendant(attempt).look(patient=self._patient)
        spent = spent_usd(self._journal.run, self._around.clock.now())
        self._note_budget(spent)
        self._promote(spent)
        wanted_seconds = self._act(self._step(spent))
        self._journal.looked(self._around.clock.now())
        return None if self._journal.run.outcome is not None else wanted_seconds

    def _hear_signals(self) -> None:
        if self._signals and self._journal.run.stop_requested is None:
            self._record(StopRequested(reason="interrupted"))

    def _note_budget(self, spent: Decimal) -> None:
        """Write down once that half of the budget, most of it or all of it is spent."""
        percent = step_passed(self._journal.run, spent)
        if percent is not None:
            self._record(BudgetUsed(percent=percent))

    def _promote(self, spent: Decimal) -> None:
        """A standby takes over once the attempt before it has ended, and the run goes on."""
        run = self._journal.run
        now = self._around.clock.now()
        if run.standby is None or run.live_attempt:
            return
        if over(run, now, spent, self._reserve) is None:
            self._record(Promoted(attempt=run.standby.number))

    def _step(self, spent: Decimal) -> Step:
        run, now = self._journal.run, self._around.clock.now()
        return next_step(
            run,
            now=now,
            spent_usd=spent,
            reserve=self._reserve,
            ahead=self._around.look_ahead(run, now),
        )

    @property
    def _reserve(self) -> timedelta:
        """What a last checkpoint takes, in the run's own time."""
        clock = self._around.clock
        return timedelta(seconds=reserve_seconds(self._journal.run, clock) * clock.speed)

    def _act(self, step: Step) -> float:
        """Do what was decided, and return in how many real seconds to look again."""
        match step:
            case Launch(quote=quote, choice=choice):
                self._record(Decided(choice=choice))
                self._launch(self._around.place(self._journal.run, quote, choice.why))
                return 0.0
            case Move(quote=quote, choice=choice):
                self._note(choice)
                self._launch_standby(self._around.place(self._journal.run, quote, choice.why))
            case HandOver():
                self._hand_over()
            case DropStandby():
                self._drop_standby()
            case Pause(choice=choice):
                self._note(choice)
                self._wind_down(MOVED)
            case Wait(until=until, choice=choice):
                self._note(choice)
                return self._seconds_until(until)
            case Stay():
                self._keep_alive()
            case End(outcome=outcome, why=why):
                self._end(outcome, why)
        return self._seconds_to_next_look

    def _note(self, choice: Choice) -> None:
        """Write a decision down when it is another than the last."""
        last = self._journal.run.choice
        if last is None or (last.step, last.target) != (choice.step, choice.target):
            self._record(Decided(choice=choice))

    def _launch(self, chosen: Placement) -> None:
        try:
            self._create(chosen, standby=False)
        except ProviderProblem as problem:
            self._record(Ended(outcome=Outcome.NO_PLACEMENT, detail=problem.message))
            raise

    def _launch_standby(self, chosen: Placement) -> None:
        """A refusal leaves the live attempt as it was, and its pool cools down."""
        with suppress(ProviderProblem):
            self._create(chosen, standby=True)
        self._keep_alive()

    def _create(self, chosen: Placement, *, standby: bool) -> None:
        around = self._around
        name = "local" if self._journal.run.rehearsal else chosen.offer.provider
        provider = around.provider_for(name)
        launch(self._journal, provider, around.clock, around.terms, chosen, standby=standby)

    def _hand_over(self) -> None:
        """The live attempt saves and ends; the standby is kept alive meanwhile."""
        run = self._journal.run
        if run.standby:
            self._attendant(run.standby).renew()
        if run.live_attempt:
            self._attendant(run.live_attempt).wind_down(MOVED, patient=self._patient)

    def _drop_standby(self) -> None:
        """The live attempt goes on alone."""
        run = self._journal.run
        if run.standby:
            self._attendant(run.standby).wind_down("stopped", patient=self._patient)
        if run.live_attempt:
            self._attendant(run.live_attempt).renew()

    def _end(self, outcome: Outcome, why: str) -> None:
        if not self._journal.run.live_attempts:
            self._record(Ended(outcome=outcome, detail=why))
            return
        self._wind_down(_ORDERS.get(outcome, "stopped"))
        if self._around.patience and self._journal.run.stop_requested:
            self._leave_open(self._around.patience)

    def _leave_open(self, patience: Patience) -> None:
        """A person does not wait for clouds that do not answer; the ledger keeps what may be."""
        patience.dwindles()
        run = self._journal.run
        attendants = [self._attendant(each) for each in run.live_attempts]
        ends = [each.open_end(patient=self._patient) for each in attendants]
        if patience.is_over and all(ends):
            raise not_ended(run.id, [end for end in ends if end])

    def _wind_down(self, order: str) -> None:
        for attempt in self._journal.run.live_attempts:
            self._attendant(attempt).wind_down(order, patient=self._patient)

    def _keep_alive(self) -> None:
        for attempt in self._journal.run.live_attempts:
            attendant = self._attendant(attempt)
            attendant.renew()
            if attempt.promoted_at and attempt.started_at is None:
                attendant.take_over()
        self._warn_of_stale_checkpoint()
        self._stop_what_is_in_vain()

    def _stop_what_is_in_vain(self) -> None:
        """What was warned of goes on: the machine is given up before more money burns."""
        run, clock = self._journal.run, self._around.clock
        if run.live_attempt and in_vain(run, clock.now(), self._latency):
            self._attendant(run.live_attempt).wind_down(IN_VAIN, patient=self._patient)

    @property
    def _latency(self) -> timedelta:
        """What starting and committing take at best, in the run's own time."""
        return timedelta(seconds=SLACK_SECONDS * self._around.clock.speed)

    def _warn_of_stale_checkpoint(self) -> None:
        """Say once per attempt and commit that nothing was kept for two intervals."""
        run = self._journal.run
        age = stale(run, self._around.clock.now(), self._latency)
        if age is None or run.standing == run.stale_after or run.live_attempt is None:
            return
        text = f"nothing was kept for {_in_words(age)}, more than two intervals"
        cause = WarningCause.STALE_CHECKPOINT
        self._record(Warned(attempt=run.live_attempt.number, text=text, cause=cause))

    def _attendant(self, attempt: Attempt) -> Attendant:
        if attempt.number not in self._attendants:
            self._attendants[attempt.number] = Attendant(attempt.number, self._means(attempt))
        return self._attendants[attempt.number]

    def _means(self, attempt: Attempt) -> Means:
        around = self._around
        return Means(
            journal=self._journal,
            provider=around.provider_for(attempt.provider),
            store=around.store,
            clock=around.clock,
            lease=around.terms.lease,
        )

    @property
    def _patient(self) -> bool:
        return self._signals < 2

    @property
    def _seconds_to_next_look(self) -> float:
        """When live attempts are worth another look; without any, it is at once."""
        run, now, clock = self._journal.run, self._around.clock.now(), self._around.clock
        wanted = [self._attendant(each).seconds_to_next_look for each in run.live_attempts]
        if wanted and (end := budget_met_at(run, now, self._reserve)):
            left = (clock.real(end) - clock.real(now)).total_seconds()
            wanted += [max(left, _SHORTEST_LOOK_SECONDS)] if left > 0 else []
        if self._around.patience and not self._around.patience.is_over:
            wanted.append(self._around.patience.seconds_left)
        return min(wanted, default=0.0)

    def _seconds_until(self, moment: datetime) -> float:
        clock = self._around.clock
        return max((clock.real(moment) - clock.wall()).total_seconds(), 0.0)

    def _record(self, event: Event) -> None:
        self._journal.record(event, self._around.clock.now())


def _in_words(age: timedelta) -> str:
    minutes = age.total_seconds() / 60
    if minutes < 1:
        return f"{age.total_seconds():.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
