"""One seed, from beginning to end: the same seed makes the same run, event for event."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from finsched.model.event import Resumed, StopRequested, Submitted
from finsched.model.run import Outcome, Run
from finsched.provider import EndReason, LaunchRequest
from finsched.quoting import overridden
from finsched.run.home import Supervised
from finsched.testing.chaos import incidents, invariants
from finsched.testing.chaos.inspector import Inspector, Violated
from finsched.testing.chaos.neighbours import Purse, rent_to_neighbour
from finsched.testing.chaos.office import OfficeTime, Premises, Process, TroubledLedger, is_locked
from finsched.testing.chaos.scenario import DAY_S, HOURS, Scenario, market, scenario, shortened
from finsched.testing.chaos.sweeping import Cleaner
from finsched.testing.chaos.weather import NodeWeather, Weather, draw_storms
from finsched.testing.chaos.zones import local_zone
from finsched_sim.timeline import Timeline
from finsched_sim.workload import Workload
from finsched_sim.world import World

_MEMORY = Path("/dev/shm")  # noqa: S108 - a disk in memory, where there is one
_FAULTS_END_S = 40 * HOURS
_LEAST_INCIDENTS = 8
_LEAST_DECISIONS = 200
_SHORTEST_JOB_HOURS = 3.0
_LEAST_FAULTS = 10
_ENDLESS_S = 400 * HOURS


@dataclass(kw_only=True)
class Report:
    """What one seed came to."""

    seed: int
    violation: str | None = None
    hours: float = 0.0
    decisions: int = 0
    attempts: int = 0
    crashes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    @property
    def too_small(self) -> str | None:
        """How little a run has met that was not cut short: too little to prove anything."""
        faults = self.faults.total()
        enough = faults >= _LEAST_FAULTS and self.decisions >= _LEAST_DECISIONS
        if self.violation or (enough and self.hours * HOURS >= DAY_S):
            return None
        return f"too little: {self.hours:.1f} h, {self.decisions} decisions, {faults} faults"


def simulate(seed: int) -> Report:
    """Run one seed and return what it came to; a violation ends it."""
    _freeze_what_is_imported()
    with _folder() as folder, local_zone(scenario(seed).zone):
        return Simulation(seed, folder).run()


@cache
def _freeze_what_is_imported() -> None:
    """Spare the collector what stays; once, because whatever is frozen is never collected."""
    gc.collect()
    gc.freeze()


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        yield Path(name)


class Simulation:
    """The world of one seed, the person in front of it, and the inspector behind it."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.drawn = scenario(seed)
        self.dice = Random(f"incidents {seed}")  # noqa: S311 - a seeded plan, no secret
        self.timeline = Timeline(self.drawn.began_at)
        names = tuple(plan.name for plan in self.drawn.plans)
        storms = draw_storms(self.dice, names, _FAULTS_END_S)
        self.weather = Weather(self.timeline, Random(f"weather {seed}"), storms)  # noqa: S311
        self.weather.fault_chance = self.dice.choice((0.005, 0.015, 0.04))
        self.world = World(
            self.drawn.plans,
            self._workload_of,
            seed=seed,
            timeline=self.timeline,
            trouble=self.weather,
            node_trouble=lambda machine: NodeWeather(self.weather, machine),
        )
        self.time = OfficeTime(self.timeline)
        self.ledger = TroubledLedger(folder / "ledger.sqlite", self.weather)
        self.report = Report(seed=seed)
        self._premises = Premises(
            world=self.world,
            ledger=self.ledger,
            weather=self.weather,
            time=self.time,
            state_dir=folder,
            lease=self.drawn.lease,
            market=lambda: market(self.world, self.drawn),
        )
        self.inspector = Inspector(
            self.world,
            self.ledger,
            self.weather,
            lease=self.drawn.lease,
            skew_s=lambda: self.time.worst_s,
        )
        self._cleaner = Cleaner(self._premises, self.inspector.cases)
        self._purse = Purse(self._premises, self.inspector, self.drawn.months_budget_usd)
        self._runs: dict[str, Scenario] = {}
        self._lanes = self.drawn.lanes

    def run(self) -> Report:
        """Let the world go on until its runs are over, or until something is violated."""
        try:
            self._plan()
            while self._lanes:
                self.timeline.run_until(self.timeline.now_s + HOURS)
                self.inspector.look()
                self._require_an_end()
            self._sweep_up()
        except Violated as violation:
            self.report.violation = str(violation)
        self._sum_up()
        return self.report

    # --- what a person does --------------------------------------------------------------------

    def _plan(self) -> None:
        self.timeline.observer = self.inspector.look
        for at_s, name in incidents.draw(self.dice, _FAULTS_END_S / 2, at_least=_LEAST_INCIDENTS):
            self.timeline.after(at_s, partial(incidents.befall, self, name))
        for _ in range(self.drawn.neighbours):
            rent_to_neighbour(self.world)
        for _ in range(self.drawn.lanes):
            self._submit(self.drawn)

    def _submit(self, drawn: Scenario) -> None:
        run_id = f"run-{len(self._runs) + 1}"
        self._runs[run_id] = drawn
        self._purse.reserve(run_id, drawn.job)
        submitted = Submitted(job=drawn.job, store_uri=f"mem://{run_id}", policy=drawn.policy)
        with self.weather.paused():
            self.ledger.append(run_id, submitted, self.time.now())
        self.inspector.open(run_id)
        self._supervise(run_id)

    def _supervise(self, run_id: str) -> None:
        process = Process(self._premises, run_id, ended=self._process_ended)
        self.inspector.cases[run_id].process = process
        try:
            process.start()
        except Supervised:  # a sweep holds the run just now
            self._later(60.0, lambda: self._supervise(run_id))

    @property
    def process(self) -> Process | None:
        """A supervisor that runs, if one does."""
        processes = (case.process for case in self.inspector.cases.values())
        alive = [each for each in processes if each and each.alive]
        return self.dice.choice(alive) if alive else None

    def sweep(self) -> None:
        """Let a person look for what was left behind, and delete it."""
        self._cleaner.sweep()

    def _sweep_up(self) -> None:
        """Once all is over and the clouds tell of everything, a last sweep leaves nothing."""
        with self.weather.paused():
            self.weather.fault_chance = 0.0
            for machine in self.world.made:
                machine.unlisted = False
            self.timeline.let_pass(HOURS)
            self.sweep()
            for machine in self.world.made:
                if said := invariants.findable(machine, ()):
                    raise Violated(f"findable: {said}")

    def start_a_second_supervisor(self) -> None:
        """Two at once: the lock has to turn the second one away."""
        if process := self.process:
            self.weather.note("second supervisor")
            if not is_locked(self._premises, process):
                raise Violated(f"one_supervisor: two supervise {process.run_id}")

    def _process_ended(self, process: Process, why: str) -> None:
        self.report.decisions += process.ticks
        run = self.inspector.look_at_end_of(process, why)
        self._tell(f"{process.run_id}: supervisor {why}, outcome {run.outcome}")
        if why == "done":
            self._later(self._allowed_s, lambda: self._close(run.id))
        elif why in {"crashed", "killed"}:
            self.report.crashes += 1
            pause_s = self.dice.choice((5.0, 60.0, 1800.0, 4 * HOURS)) * self.dice.uniform(0.5, 1)
            self._later(pause_s, lambda: self._supervise(process.run_id))
        else:
            pause_s = self.dice.uniform(300.0, 3600.0)
            self._later(pause_s, lambda: self._resume(run))

    def _close(self, run_id: str) -> None:
        """The run is over and a lease has passed: settle it, and begin something new."""
        run = self.ledger.run(run_id)
        self.inspector.close(run)
        self.report.outcomes.append(str(run.outcome))
        if self._has_met_enough:
            self._lanes -= 1
        elif run.outcome in {Outcome.FINISHED, Outcome.JOB_FAILED}:
            self._submit(shortened(self.drawn, self._missing_hours))
        else:
            self._resume(run)

    @property
    def _missing_hours(self) -> float:
        """How long another job has to be for the simulation to meet enough."""
        looks = max(_LEAST_DECISIONS - self.report.decisions, 0)
        by_looks_s = looks * min(plan.poll_s for plan in self.drawn.plans)
        missing_s = max(DAY_S - self.timeline.now_s, by_looks_s)
        return max(missing_s / HOURS, _SHORTEST_JOB_HOURS)

    @property
    def _has_met_enough(self) -> bool:
        lost = sum(machine.status.reason is EndReason.INTERRUPTED for machine in self.world.made)
        self.weather.faults["machine taken back"] = lost
        faults = self.weather.faults.total()
        enough = faults >= _LEAST_FAULTS and self.report.decisions >= _LEAST_DECISIONS
        return enough and self.timeline.now_s >= DAY_S

    def _resume(self, run: Run) -> None:
        """A person lets the run go on, with more money where that had run out."""
        if run.outcome is None:
            self._supervise(run.id)
            return
        limit = run.job.budget.max_cost_usd
        more = limit * 1.5 if limit and run.outcome is Outcome.BUDGET else None
        until = None
        if run.outcome is Outcome.DEADLINE:
            until = self.time.now() + timedelta(hours=30)
        self._purse.reserve(run.id, overridden(run.job, max_cost_usd=more))
        with self.weather.paused():
            self.ledger.append(run.id, Resumed(max_cost_usd=more, deadline=until), self.time.now())
        self._supervise(run.id)

    def ask_to_stop(self) -> None:
        """Let a person ask for the end of the run; the supervisor finds it in the ledger."""
        if process := self.process:
            self.weather.note("person stops")
            with self.weather.paused():
                stop = StopRequested(reason="stopped by a person")
                self.ledger.append(process.run_id, stop, self.time.now())

    def _require_an_end(self) -> None:
        if self.timeline.now_s > _ENDLESS_S:
            raise Violated("goes_on: the runs do not come to an end")

    # --- the rest ------------------------------------------------------------------------------

    def _workload_of(self, request: LaunchRequest) -> Workload:
        return self._runs[request.run].workload

    @property
    def _allowed_s(self) -> float:
        return self.drawn.lease.total_seconds() + 600.0

    def _later(self, seconds: float, act: object) -> None:
        self.timeline.after(seconds, act)  # type: ignore[arg-type]

    def _tell(self, text: str) -> None:
        self.report.story.append(f"{self.timeline.now_s / HOURS:9.4f} h  {text}")

    def _sum_up(self) -> None:
        report = self.report
        report.hours = self.timeline.now_s / HOURS
        report.faults = self.weather.faults
        report.attempts = sum(len(case.run.attempts) for case in self.inspector.cases.values())
        self.ledger.close()
