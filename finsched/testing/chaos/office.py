"""Where supervisors run: processes that start, crash, sleep, and are started again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from finsched.errors import LedgerProblem, MachineProblem, ProviderProblem
from finsched.ledger import Ledger
from finsched.model.event import Event, Recorded
from finsched.model.market import Market
from finsched.node.clock import time_from
from finsched.run.clock import wall_clock
from finsched.run.home import Supervised, supervision
from finsched.run.journal import Journal
from finsched.run.launching import LaunchTerms
from finsched.run.outlook import Outlook
from finsched.run.supervisor import Supervisor, Surroundings
from finsched.testing.chaos.weather import LEDGER, Crash, Weather
from finsched_sim.timeline import Appointment, Timeline
from finsched_sim.world import World

INSTALLATION = "finsched-chaos"


class OfficeTime:
    """The clock of the supervisor's machine: it may be wrong, and waiting lets the world go on."""

    def __init__(self, timeline: Timeline) -> None:
        self.worst_s = 0.0  # the most that it was ever wrong
        self.slept_s = 0.0
        self.asleep_until_s = 0.0
        self._skew_s = 0.0
        self._timeline = timeline

    @property
    def skew_s(self) -> float:
        """How much it is wrong now."""
        return self._skew_s

    @skew_s.setter
    def skew_s(self, seconds: float) -> None:
        self._skew_s = seconds
        self.worst_s = max(self.worst_s, abs(seconds))

    def sleep(self, seconds: float) -> None:
        """Let the machine stand still, as a closed laptop does."""
        now_s = self._timeline.now_s
        wakes_s = now_s + seconds
        if wakes_s > self.asleep_until_s:
            self.slept_s += wakes_s - max(self.asleep_until_s, now_s)
            self.asleep_until_s = wakes_s

    @property
    def awake(self) -> bool:
        """Whether processes of this machine go on."""
        return self._timeline.now_s >= self.asleep_until_s

    def now(self) -> datetime:
        """Return what this machine takes for the present moment."""
        return self._timeline.moment(self._timeline.now_s + self.skew_s)

    def monotonic(self) -> float:
        """Return seconds that never jump, less those that were slept through."""
        return self._timeline.now_s - self.slept_s

    def pause(self, seconds: float) -> None:
        """Wait while everything else goes on."""
        self._timeline.let_pass(seconds)


class TroubledLedger(Ledger):
    """The ledger on a disk that may be full, in a process that may die."""

    def __init__(self, path: Path, weather: Weather) -> None:
        super().__init__(path)
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # nobody else opens it
        self._weather = weather

    def append(self, run: str, event: Event, at: datetime) -> Recorded:
        """Write one event durably, or fail."""
        return self._weather.around(
            LEDGER, "append", lambda: super(TroubledLedger, self).append(run, event, at)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What every supervisor process shares."""

    world: World
    ledger: Ledger
    weather: Weather
    time: OfficeTime
    state_dir: Path
    lease: timedelta
    market: Callable[[], Market]


class Process:
    """One supervisor process for one run; it steps itself along the world's time."""

    def __init__(
        self, premises: Premises, run_id: str, *, ended: Callable[[Process, str], None]
    ) -> None:
        self.run_id = run_id
        self.ticks = 0
        self.journal: Journal | None = None
        self.alive = False
        self.met_full_disk = False
        self._premises = premises
        self._ended = ended
        self._acts = False
        self._held = ExitStack()
        self._supervisor: Supervisor | None = None
        self._next: Appointment | None = None

    @property
    def awake(self) -> bool:
        """Whether it does its work now."""
        return self.alive and self._premises.time.awake

    def start(self) -> None:
        """Take the run's lock and begin; `Supervised` means that another process has it."""
        self._held.enter_context(supervision(self._premises.state_dir, self.run_id))
        self.alive = True
        self._guarded(self._begin)

    def kill(self) -> None:
        """End without a word: at once, or in the midst of the call that it waits for."""
        if self._acts:
            self._premises.weather.crash_next = "before"
        elif self.alive:
            self._leave("killed")

    def _begin(self) -> None:
        premises = self._premises
        self.journal = Journal(premises.ledger, self.run_id)
        clock = wall_clock()
        outlook = Outlook(self.journal.run, lambda _run, _now: premises.market(), clock)
        around = Surroundings(
            provider_for=lambda name: premises.world.clouds[name].provider,
            store=premises.world.store(self.journal.run.store_uri),
            clock=clock,
            terms=LaunchTerms(installation=INSTALLATION, lease=premises.lease),
            look_ahead=outlook.ahead,
            place=outlook.place,
        )
        self._supervisor = Supervisor(self.journal, around)
        self._tick()

    def _tick(self) -> None:
        if not self.awake:
            left_s = self._premises.time.asleep_until_s - self._premises.world.timeline.now_s
            self._plan(left_s)
            return
        assert self._supervisor is not None  # noqa: S101 - `_begin` has made it
        self.ticks += 1
        wanted_s = self._supervisor.tick()
        if wanted_s is None:
            self._leave("done")
        else:
            self._plan(wanted_s)

    def _plan(self, seconds: float) -> None:
        timeline = self._premises.world.timeline
        self._next = timeline.after(seconds, lambda: self._guarded(self._tick))

    def _guarded(self, action: Callable[[], None]) -> None:
        if not self.alive:
            return
        with time_from(self._premises.time):
            try:
                self._acts = True
                action()
            except Crash:
                self._leave("crashed")
            except (MachineProblem, ProviderProblem) as problem:
                self.met_full_disk = isinstance(problem, LedgerProblem)
                self._leave(type(problem).__name__)
            finally:
                self._acts = False

    def _leave(self, why: str) -> None:
        self.alive = False
        self._held.close()
        if self._next:
            self._next.call_off()
        self._ended(self, why)


def is_locked(premises: Premises, process: Process) -> bool:
    """Try to supervise the run beside its process, and say whether that was turned away."""
    try:
        with supervision(premises.state_dir, process.run_id):
            return False
    except Supervised:
        return True
