"""One run that the process holds: looked at when it is due, from whatever the ledger says of it."""

from __future__ import annotations

import logging
from collections.abc import Sized
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta

from finsched.decide.live.prospects import Prospects
from finsched.decide.live.spend import budget_met_at
from finsched.decide.queue.attention import seconds_to_next_look
from finsched.errors import FinschedError
from finsched.model.run import Run
from finsched.run.clock import Clock
from finsched.run.home import Supervised, supervision
from finsched.run.journal import Journal
from finsched.run.launching import reserve_seconds
from finsched.run.session import Session
from finsched.run.supervisor import Supervisor, Surroundings
from finsched.settings import SecretValues

LOG = logging.getLogger("finsched.host")
_SUPERVISED_ELSEWHERE_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 300.0


class HeldRun:
    """Looks at a run until it has an outcome.

    A look that fails lets go of the run and begins anew from the ledger after a pause, which grows
    as long as it fails. `runs` are all that share the process with it.
    """

    def __init__(
        self, run_id: str, session: Session, secrets: SecretValues, runs: Sized = ()
    ) -> None:
        self.id = run_id
        self._runs = runs
        self.secrets = secrets
        self._session = replace(session, secrets=secrets)
        self._grip = ExitStack()
        self._supervisor: Supervisor | None = None
        self._journal: Journal | None = None
        self._clock: Clock | None = None
        self._quiet_looks = 0
        self._failures = 0
        self.problem: str | None = None  # of the last look, where it failed

    @property
    def run(self) -> Run | None:
        """The run as it was at the last look; None before the first."""
        return self._journal.run if self._journal else None

    @property
    def lacks_secrets(self) -> list[str]:
        """The secrets that a launch would need and nobody has handed over."""
        return sorted(set(self.run.job.secrets) - self.secrets.keys()) if self.run else []

    @property
    def waits_because(self) -> str | None:
        """Why it waits by its own choice and has no machine; None where that is not so.

        A rehearsal does not: its clock goes on only while it is held.
        """
        run = self.run
        if run is None or run.rehearsal or run.live_attempts or self.problem or run.choice is None:
            return None
        return run.choice.why if run.choice.step == "wait" else None

    def has_seen(self, sequence: int) -> bool:
        """Whether the ledger's rows up to this one have been looked at."""
        return self._journal is not None and self._journal.last_sequence >= sequence

    def look(self) -> float | None:
        """Look once; return in how many seconds to look again, None once the run has ended."""
        try:
            wanted_seconds = self._look()
        except Supervised:
            return _SUPERVISED_ELSEWHERE_SECONDS
        except FinschedError as problem:
            LOG.warning("%s: %s", self.id, problem.message)
            return self._pause(problem.message)
        except Exception as problem:
            LOG.exception("%s: a look failed", self.id)
            return self._pause(f"a look failed: {type(problem).__name__}; see the log")
        self._failures, self.problem = 0, None
        if wanted_seconds is None:
            self.let_go()
        return wanted_seconds

    def let_go(self) -> None:
        """Let others supervise the run; its machines work on as long as their leases last."""
        self._supervisor = None
        self._grip.close()

    def _look(self) -> float | None:
        supervisor = self._supervisor or self._take()
        if supervisor is None or self._journal is None:
            return None
        before = self._journal.last_sequence
        wanted_seconds = supervisor.tick()
        quiet = self._journal.last_sequence == before
        self._quiet_looks = self._quiet_looks + 1 if quiet else 0
        return None if wanted_seconds is None else self._stretched(wanted_seconds)

    def _take(self) -> Supervisor | None:
        """Take hold of the run; None when it has ended."""
        if self._session.ledger.run(self.id).outcome is not None:
            return None
        self._grip.enter_context(supervision(self._session.settings.state_dir, self.id))
        self._journal = Journal(self._session.ledger, self.id, self._session.observer)
        around = self._session.surroundings(self._journal)
        self._clock = around.clock
        self._supervisor = Supervisor(self._journal, self._with_secrets_only(around))
        return self._supervisor

    def _with_secrets_only(self, around: Surroundings) -> Surroundings:
        """Nothing is launched without the run's secrets; what works already has them."""

        def ahead(run: Run, now: datetime) -> Prospects:
            return self._prospects_without_secrets() or around.look_ahead(run, now)

        return replace(around, look_ahead=ahead)

    def _prospects_without_secrets(self) -> Prospects | None:
        if not (missing := self.lacks_secrets):
            return None
        why = f"its secrets {', '.join(missing)} are gone: `finsched resume {self.id}` hands them"
        return Prospects(lacks=f"{why} over")

    def _stretched(self, wanted_seconds: float) -> float:
        run, clock = self.run, self._clock
        if run is None or clock is None or clock.speed > 1:
            return wanted_seconds
        now = clock.now()
        reserve = timedelta(seconds=reserve_seconds(run, clock))
        limits = (budget_met_at(run, now, reserve), run.deadline_at)
        return seconds_to_next_look(
            run,
            wanted_seconds,
            quiet_looks=self._quiet_looks,
            runs=len(self._runs),
            lease_seconds=self._session.settings.lease.total_seconds(),
            now=now,
            limit_at=min((each for each in limits if each), default=None),
        )

    def _pause(self, problem: str) -> float:
        self.let_go()
        self.problem = problem
        self._failures += 1
        return min(_FIRST_PAUSE_SECONDS * 2.0**self._failures, _LONGEST_PAUSE_SECONDS)
