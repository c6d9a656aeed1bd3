"""A run under fire: somebody of it is killed, and its user does nothing but resume it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from finsched.ledger import Ledger
from finsched.model.run import AttemptEnd, Outcome, Run
from tests.host.conftest import Home

from .conftest import Process

LONGEST_RUN_SECONDS = 240.0
LOOK_AGAIN_SECONDS = 0.04


class Victim(StrEnum):
    """Who is killed."""

    SUPERVISOR = "supervisor"
    MACHINE = "machine"
    AGENT = "agent"
    JOB = "job"


class Moment(StrEnum):
    """From when on somebody is killed."""

    ANY = "as soon as it is there"
    KEPT = "once its machine has committed"
    WORST = "in the middle of something"


AFTER_SECONDS = {Moment.ANY: 2.0, Moment.KEPT: 1.0, Moment.WORST: 0.0}
TOLD_BY: dict[Victim, Callable[[Process], bool]] = {
    Victim.MACHINE: lambda process: b"finsched_local.machine\0" in process.command,
    Victim.AGENT: lambda process: b"finsched.node\0" in process.command,
    Victim.JOB: lambda process: b"FINSCHED_CHECKPOINT_DIR=" in process.environ,
}


class InTerminal:
    """A supervisor that is a command of its own."""

    def __init__(self, home: Home) -> None:
        self.last_words = ""
        self._home = home
        self._process: subprocess.Popen[str] | None = None

    def begin(self, *command: str | Path) -> None:
        self.end()
        self._process = self._home.start(*command)

    @property
    def pid(self) -> int:
        process = self._process
        return process.pid if process and process.poll() is None else 0

    @property
    def is_at_work(self) -> bool:
        return self.pid != 0

    def end(self) -> None:
        if self._process:
            _, self.last_words = self._process.communicate(timeout=30)
            assert "Traceback" not in self.last_words, self.last_words


class InBackground:
    """A supervisor that is the process of all of the user's runs."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def begin(self, *command: str | Path) -> None:
        self._home.finsched(*command, "--detach")

    @property
    def pid(self) -> int:
        return self._home.pid

    @property
    def is_at_work(self) -> bool:
        return self.pid != 0 and self._home.run().outcome is None

    @property
    def last_words(self) -> str:
        return (self._home.state_dir / "process" / "log").read_text()

    def end(self) -> None:
        self._home.end_process()
        assert "Traceback" not in self.last_words, self.last_words


@dataclass
class Plan:
    """Whom to kill next, and how long after a moment of a kind."""

    victim: Victim
    moment: Moment
    after_seconds: float
    due_at: float | None = None


@dataclass
class Ordeal:
    """One run, from its launch to its result; whoever is killed, its user only resumes it."""

    home: Home
    supervisor: InTerminal | InBackground
    dice: random.Random
    most_kills: int
    killed: list[Victim] = field(default_factory=list)
    _plan: Plan | None = None

    def endure(self) -> None:
        """Kill, and resume, until the run has its result."""
        give_up_at = time.monotonic() + LONGEST_RUN_SECONDS
        try:
            while not self._is_over():
                assert time.monotonic() < give_up_at, self._story()
                time.sleep(LOOK_AGAIN_SECONDS)
            self.supervisor.end()
        finally:
            if pid := self.supervisor.pid:  # or a failed test's run would go on
                os.kill(pid, signal.SIGKILL)

    def _is_over(self) -> bool:
        if self.supervisor.is_at_work:
            if len(self.killed) < self.most_kills:
                self._strike()
            return False
        run = newest_run(self.home)
        if run is None:
            self.supervisor.begin("launch", self.home.folder / "job.yaml")
            return False
        if run.outcome is not Outcome.FINISHED:
            require_a_kills_failure(run)
            self.supervisor.begin("resume")
        return run.outcome is Outcome.FINISHED

    def _story(self) -> str:
        run, killed = newest_run(self.home), ", ".join(self.killed)
        return f"killed: {killed}; {run}; {self.supervisor.last_words}"

    def _strike(self) -> None:
        """Kill the one that the dice chose, at a moment of the kind that they chose."""
        plan = self._plan = self._plan or self._chosen()
        there = sorted(process.pid for process in self._seen(plan.victim))
        if not there:
            plan.due_at = None
        elif plan.due_at is None:
            if self._is_moment(plan):
                plan.due_at = time.monotonic() + plan.after_seconds
        elif time.monotonic() >= plan.due_at:
            self._kill(there)

    def _chosen(self) -> Plan:
        victim, moment = self.dice.choice(list(Victim)), self.dice.choice(list(Moment))
        return Plan(victim, moment, AFTER_SECONDS[moment] * self.dice.random())

    def _is_moment(self, plan: Plan) -> bool:
        if plan.moment is Moment.WORST:
            return self._is_worst_moment(plan.victim)
        kept = (self.home.state_dir / "local").glob("local-*/scratch/committed")
        return plan.moment is Moment.ANY or any(kept)

    def _seen(self, victim: Victim) -> list[Process]:
        if victim is Victim.SUPERVISOR:
            pid = self.supervisor.pid
            return [Process(pid, b"", b"")] if pid else []
        return [process for process in self.home.living() if TOLD_BY[victim](process)]

    def _is_worst_moment(self, victim: Victim) -> bool:
        """A launch that nobody has written down, a machine without its job, half of a save."""
        if victim is Victim.JOB:
            lines = (self.home.folder / "witness").read_text().splitlines()
            return any(line.startswith("saving") for line in lines[-1:])
        comes_after = Victim.AGENT if victim is Victim.SUPERVISOR else Victim.JOB
        return bool(self._seen(Victim.MACHINE)) and not self._seen(comes_after)

    def _kill(self, there: list[int]) -> None:
        assert self._plan
        with suppress(ProcessLookupError):
            os.kill(self.dice.choice(there), signal.SIGKILL)
            self.killed.append(self._plan.victim)
        self._plan = None


def newest_run(home: Home) -> Run | None:
    file = home.state_dir / "ledger.sqlite"
    return home.run() if file.exists() and Ledger(file).run_ids() else None


def require_a_kills_failure(run: Run) -> None:
    """A job fails because it is killed, never because of what it finds."""
    failed = {each.detail for each in run.attempts if each.end is AttemptEnd.JOB_FAILED}
    assert failed <= {"the command exited with -9", "the command exited with 137"}
