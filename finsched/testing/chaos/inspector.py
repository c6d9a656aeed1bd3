"""Holds a simulated run to its invariants, after everything that happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from finsched.ledger import Ledger
from finsched.model.event import Intended, fold
from finsched.model.market import CapacityType
from finsched.model.run import AttemptState, Run
from finsched.provider import EndReason
from finsched.run.silence import FIRST_SIGN_SECONDS
from finsched.testing.chaos import invariants
from finsched.testing.chaos.alarm import Alarm
from finsched.testing.chaos.gangs import GangInspector, was_hindered
from finsched.testing.chaos.office import Process
from finsched.testing.chaos.truth import LogTruth
from finsched.testing.chaos.weather import LEDGER, NODE_PARTS, NODE_STORE, STORE, Weather
from finsched_sim.machine import Machine
from finsched_sim.node import SimNode
from finsched_sim.world import World

_SHUTDOWN_S = 30.0
_SYSTEM_TIMER_S = 900.0  # ends a machine whose agent is gone
_CALL_S = 60.0  # a slow call
_SIGNAL_S = 0.5  # from a limit to the signal, at the most
_LOOKS_BETWEEN_SUMS = 10
_BOOT_AND_SAVE_S = 5 * 3600.0  # two boots, a cool-down, an interval and an upload at their longest


_LOST = (EndReason.INTERRUPTED, EndReason.FAILED)


class Violated(Exception):
    """An invariant does not hold."""


@dataclass(kw_only=True)
class Case:
    """One run under inspection; moments in seconds since the beginning of the world."""

    run_id: str
    bucket_uri: str
    truth: LogTruth
    run: Run
    process: Process | None = None
    machines: list[Machine] = field(default_factory=list)
    running: list[Machine] = field(default_factory=list)
    over_usd: float = 0.0  # about what the others have cost
    seen_entries: int = 0
    intents: set[str] = field(default_factory=set)
    read_to: int = 0
    ended_s: float | None = None
    kept_s: float = 0.0
    disturbed_s: float = 0.0
    is_disturbed: bool = False
    watched_s: float = 0.0
    is_watched: bool = False
    excused_usd: float = 0.0
    excused_until_s: float = 0.0
    excused_usd_per_s: float = 0.0
    looks: int = 0
    looked_s: float = 0.0
    limit_usd: float | None = None
    at_limit: list[Machine] | None = None  # what ran when the limit was passed


class Inspector:
    """Knows the truth of the world, and what the ledger says of it."""

    def __init__(
        self,
        world: World,
        ledger: Ledger,
        weather: Weather,
        *,
        lease: timedelta,
        skew_s: Callable[[], float],
    ) -> None:
        self.cases: dict[str, Case] = {}
        self._world = world
        self._ledger = ledger
        self._weather = weather
        self._lease_s = lease.total_seconds()
        self._skew_s = skew_s
        self._calm = [
            shelf.capacity
            for cloud in world.clouds.values()
            for shelf in cloud.plan.shelves
            if shelf.capacity_type is CapacityType.ON_DEMAND
        ]
        self._gangs = GangInspector(world, weather)
        self._alarm = Alarm(world.timeline, weather)
        self._seen_machines = 0
        self._agents: dict[str, SimNode] = {}
        self._restored: set[str] = set()
        self._ended: set[str] = set()

    def open(self, run_id: str) -> Case:
        """Begin to look at a run."""
        run = self._ledger.run(run_id)
        truth = LogTruth(self._world.bucket(run.store_uri))
        now_s = self._world.timeline.now_s
        case = Case(run_id=run_id, bucket_uri=run.store_uri, truth=truth, run=run, kept_s=now_s)
        self.cases[run_id] = case
        return case

    def look(self) -> None:
        """Check everything that can be checked at any moment."""
        self._look_at_new_machines()
        self._look_at_agents()
        for case in self.cases.values():
            self._look_at(case)

    def look_at_end_of(self, process: Process, why: str) -> Run:
        """A process has ended: it had a reason, and what it knew is what the ledger folds to."""
        records = self._ledger.records(process.run_id)
        run = fold(records)
        disk_is_full = self._weather.storm_over(LEDGER) is not None or process.met_full_disk
        said = invariants.stays(why, run, disk_is_full=disk_is_full)
        self._require("stays", process.run_id, said)
        if journal := process.journal:
            heard = [record for record in records if record.sequence <= journal.last_sequence]
            told = run if len(heard) == len(records) else fold(heard)
            self._require("folds", process.run_id, invariants.folds(journal.run, told))
        return run

    def close(self, run: Run) -> None:
        """Everything of a run is over: the sums have to agree."""
        case = self.cases[run.id]
        case.run = run
        now_s = self._world.timeline.now_s
        self._require("not_blamed", case.run_id, self._not_blamed(case))
        said = invariants.the_bill(case.run, case.machines, now_s)
        self._require("the_bill", case.run_id, said)

    def _not_blamed(self, case: Case) -> str | None:
        nodes = [self._world.nodes[machine.id] for machine in case.machines]
        fails = any(node.workload.fails_at is not None for node in nodes)
        return invariants.not_blamed(case.run, fails=fails)

    # --- one thing after the other -------------------------------------------------------------

    def _look_at_new_machines(self) -> None:
        machines = self._world.made
        while self._seen_machines < len(machines):
            machine = machines[self._seen_machines]
            self._seen_machines += 1
            case = self.cases[machine.request.run]
            case.machines.append(machine)
            case.running.append(machine)
            self._agents[machine.id] = self._world.nodes[machine.id]
            said = invariants.known(machine, self._intents(case))
            self._require("known", case.run_id, said)

    def _intents(self, case: Case) -> set[str]:
        """The tokens that stand in the ledger by now."""
        while page := self._ledger.rows(run=case.run_id, after=case.read_to):
            case.read_to = page[-1].sequence
            told = (json.loads(row.body) for row in page if row.kind == Intended.__name__)
            case.intents.update(document["token"] for document in told)
        return case.intents

    def _look_at_agents(self) -> None:
        """What each agent has restored and how it ended; one that is gone does nothing more."""
        for machine_id, node in tuple(self._agents.items()):
            if node.restored is not None and machine_id not in self._restored:
                self._restored.add(machine_id)
                case = self.cases[node.config.run]
                said = invariants.nothing_lost(node, case.truth)
                self._require("nothing_lost", case.run_id, said)
            if node.ended is not None and machine_id not in self._ended:
                self._ended.add(machine_id)
                self._look_at_last_save(node)
            if not node.is_alive:
                del self._agents[machine_id]

    def _look_at_last_save(self, node: SimNode) -> None:
        """How long an upload takes is known from the first on, and a deaf job saves nothing."""
        case = self.cases[node.config.run]
        number, job = node.config.attempt, case.run.job
        uploaded = any(point.attempt < number for point in case.run.checkpoints)
        declared_s = job.checkpoint.save_time.total_seconds() if job.checkpoint else 0.0
        honest = declared_s >= node.workload.save_s + _SIGNAL_S
        stormy = self._weather.storm_over(NODE_STORE) or self._weather.storm_over(NODE_PARTS)
        hindered = was_hindered(self._world, case.machines, node.token)
        hindered = hindered or _has_slowed(case.run, number)
        if uploaded and honest and node.workload.heeds_signal and not (stormy or hindered):
            said = invariants.kept_at_the_limit(node, case.truth)
            self._require("kept_at_the_limit", case.run_id, said)

    def _look_at(self, case: Case) -> None:
        now_s = self._world.timeline.now_s
        if case.process and case.process.journal:
            case.run = case.process.journal.run
        entries = case.truth.entries
        if len(entries) > case.seen_entries:
            case.seen_entries = len(entries)
            case.kept_s = now_s if entries[-1].progress is not None else case.kept_s
            self._require("one_writer", case.run_id, invariants.one_writer(entries))
            said = self._gangs.one_step(entries[-1], case.truth.bucket, case.machines)
            self._require("one_step", case.run_id, said)
        _settle(case, now_s)
        if case.run.outcome is None:
            case.ended_s = None
            self._look_at_living(case, now_s)
        else:
            case.disturbed_s = now_s
            self._look_at_ended(case, now_s)

    def _look_at_living(self, case: Case, now_s: float) -> None:
        self._excuse(case, now_s)
        limit = case.run.job.budget.max_cost_usd
        if limit is not None:
            self._look_at_spend(case, limit, now_s)
        self._look_at_progress(case, now_s)
        self._look_at_leases(case, now_s)
        said = self._gangs.ends_together(case.machines, self._lease_s)
        self._require("ends_together", case.run_id, said)
        case.looked_s = now_s
        case.looks += 1
        if case.looks % _LOOKS_BETWEEN_SUMS == 0:
            self._look_at_sums(case, now_s)

    def _look_at_progress(self, case: Case, now_s: float) -> None:
        """Deadlines apart: with one, a policy may well wait for a cheaper machine."""
        if case.run.job.deadline is not None:
            return
        was, case.is_disturbed = case.is_disturbed, self._is_disturbed(case, now_s)
        if was or case.is_disturbed:
            case.disturbed_s = now_s
        calm_s = now_s - max(case.disturbed_s, case.kept_s, self._weather.last_fault_s)
        allowed_s = max(2 * self._lease_s, FIRST_SIGN_SECONDS) + _BOOT_AND_SAVE_S
        what = f"{len(case.run.attempts)} attempts"
        self._require("goes_on", case.run_id, invariants.goes_on(calm_s, allowed_s, what))

    def _look_at_leases(self, case: Case, now_s: float) -> None:
        """Without a supervisor that is awake every node ends itself when its lease does."""
        was, case.is_watched = case.is_watched, case.process is not None and case.process.awake
        if was or case.is_watched:
            case.watched_s = now_s
        if not case.is_watched:
            self._alarm.nobody_looks(case.run_id)
        if now_s == case.watched_s:
            return
        for machine in case.running:
            if not machine.frozen:
                since_s = max(case.watched_s, machine.booted_by_s, machine.thawed_s)
                said = invariants.leased(machine, now_s - since_s, self._allowed_s(machine))
                self._require("leased", case.run_id, said)

    def _allowed_s(self, machine: Machine) -> float:
        """How long a machine may run after the last thing that anybody did for it."""
        reserve_s = float(machine.request.node_config["reserve_seconds"])
        if not self._world.nodes[machine.id].is_alive:
            reserve_s += _SYSTEM_TIMER_S
        return self._lease_s + 2 * reserve_s + _SHUTDOWN_S + 2 * abs(self._skew_s())

    def _is_disturbed(self, case: Case, now_s: float) -> bool:
        if case.process is None or not case.process.awake or self._weather.storms_now:
            return True
        if any(machine.status.reason in _LOST for machine in _newest_gang(case.machines)):
            return True
        return not any(capacity.has_some(now_s) for capacity in self._calm)

    def _look_at_spend(self, case: Case, limit: float, now_s: float) -> None:
        if limit != case.limit_usd:
            case.limit_usd, case.at_limit = limit, None
        about_usd = sum((each.meter.about_usd(now_s) for each in case.running), case.over_usd)
        if about_usd <= limit:
            return
        reached = [each for each in case.machines if not self._is_out_of_reach(each, case)]
        billed = float(sum((machine.meter.usd(now_s) for machine in reached), Decimal(0)))
        if billed > limit and case.at_limit is None:
            case.at_limit = [m for m in case.machines if not _ended_before(m, case.looked_s)]
        allowed = sum(self._allowance_usd(machine) for machine in case.at_limit or ())
        said = invariants.within_budget(case.run, billed, allowed + case.excused_usd)
        self._require("within_budget", case.run_id, said)

    def _allowance_usd(self, machine: Machine) -> float:
        tariff, config = machine.meter.tariff, machine.request.node_config
        seconds = float(max(tariff.step_seconds, tariff.minimum_seconds))
        seconds += 2 * float(config["reserve_seconds"]) + _SHUTDOWN_S + abs(self._skew_s())
        return seconds * float(tariff.usd_per_hour) / 3600

    def _excuse(self, case: Case, now_s: float) -> None:
        """What a machine costs while nobody at all could end it is reported, not blamed."""
        case.excused_usd += case.excused_usd_per_s * (now_s - case.excused_until_s)
        case.excused_until_s, case.excused_usd_per_s = now_s, 0.0
        watched = case.process is not None and case.process.awake
        for machine in case.running:
            denied = machine.unlisted
            if not denied and (not machine.frozen or machine.cloud.has_timer):
                continue
            reached = watched and not self._weather.storm_over(machine.cloud.name) and not denied
            if not reached or self._weather.storm_over(STORE) or self._weather.storm_over(LEDGER):
                usd_per_second = float(machine.meter.tariff.usd_per_hour) / 3600
                case.excused_usd_per_s += usd_per_second

    def _look_at_sums(self, case: Case, now_s: float) -> None:
        moment = self._world.timeline.now()
        machines = [each for each in case.machines if not self._is_out_of_reach(each, case)]
        said = invariants.never_below_the_bill(
            case.run, machines, now_s, moment, self._slack_usd(case)
        )
        self._require("never_below_the_bill", case.run_id, said)
        self._require("fresh", case.run_id, self._alarm.fresh(case.run, case.machines))

    def _is_out_of_reach(self, machine: Machine, case: Case) -> bool:
        """A frozen machine that its own cloud denies: nobody at all can end it, or know of it."""
        if not self._world.nodes[machine.id].was_frozen:
            return False
        attempts, token = case.run.attempts, machine.request.token
        return any(each.token == token and invariants.is_estimate(each) for each in attempts)

    def _slack_usd(self, case: Case) -> Decimal:
        """What machines cost whose beginning or end nobody but a wrong clock can tell."""
        guessed = {
            each.token
            for each in case.run.attempts
            if invariants.is_estimate(each) or each.state is AttemptState.INTENDED
        }
        return sum(
            (self._unseen_usd(m) for m in case.machines if m.request.token in guessed), Decimal(0)
        )

    def _unseen_usd(self, machine: Machine) -> Decimal:
        """What it costs in the time that a call, a shutdown or a wrong clock make uncertain.

        Where its agent is gone as well, the timer of its operating system ends it.
        """
        node = self._world.nodes[machine.id]
        seconds = _CALL_S + _SHUTDOWN_S + 2 * abs(self._skew_s())
        seconds += _SYSTEM_TIMER_S if node.ended is None and not node.is_alive else 0.0
        return machine.meter.tariff.usd_per_hour * Decimal(seconds) / 3600

    def _look_at_ended(self, case: Case, now_s: float) -> None:
        if case.ended_s is None:
            case.ended_s = now_s
        for machine in case.running:
            if self._is_out_of_reach(machine, case):
                continue
            since_s = now_s - case.ended_s
            said = invariants.over_with_the_run(
                machine, case.run, since_s, self._allowed_s(machine)
            )
            self._require("over_with_the_run", case.run_id, said)

    def _require(self, name: str, run_id: str, violation: str | None) -> None:
        if violation:
            hours = self._world.timeline.now_s / 3600
            raise Violated(f"{name} at {hours:.3f} h of {run_id}: {violation}")


def _newest_gang(machines: Sequence[Machine]) -> Sequence[Machine]:
    """The machines of the newest attempt, of which one call has made all."""
    return machines[-machines[-1].request.nodes :] if machines else ()


def _settle(case: Case, now_s: float) -> None:
    """Set the machines that have ended apart: nothing of them changes any more."""
    for machine in [each for each in case.running if not each.runs]:
        case.running.remove(machine)
        case.over_usd += machine.meter.about_usd(now_s)


def _has_slowed(run: Run, number: int) -> bool:
    """Whether uploads take longer than was known when an attempt was launched."""
    before = [point.upload_seconds for point in run.checkpoints if point.attempt < number]
    since = [point.upload_seconds for point in run.checkpoints if point.attempt == number]
    return bool(before and since) and since[-1] > before[-1]


def _ended_before(machine: Machine, at_s: float) -> bool:
    ended_s = machine.meter.ended_s
    return ended_s is not None and ended_s < at_s
