"""What a run is not alone with: other runs in one budget, other installations in one account."""

from __future__ import annotations

from finsched.decide.live.spend import spent_usd
from finsched.errors import OverThreshold
from finsched.model.job import JobSpec
from finsched.model.market import CapacityType
from finsched.node.clock import time_from
from finsched.provider import LaunchRequest
from finsched.run.reserving import reserve
from finsched.testing.chaos import invariants
from finsched.testing.chaos.inspector import Case, Inspector, Violated
from finsched.testing.chaos.office import INSTALLATION, Premises
from finsched_sim.world import World

_TOTAL = "total"
_MORE = 1.5  # a person raises the budget by so much where a run does not fit


class Purse:
    """The month's budget of all runs; without a limit everything fits."""

    def __init__(self, premises: Premises, inspector: Inspector, limit_usd: float | None) -> None:
        self._premises = premises
        self._inspector = inspector
        self._limit_usd = limit_usd
        self._month = f"{premises.time.now():%Y-%m}"
        (premises.state_dir / "installation").write_text(f"{INSTALLATION}\n")

    def reserve(self, run_id: str, job: JobSpec) -> None:
        """Set a run's worst case aside, with more money for the month where there is too little."""
        if self._limit_usd is None:
            return
        with time_from(self._premises.time):
            while not self._fits(run_id, job):
                self._premises.weather.note("budget refused", passing=True)
                self._limit_usd *= _MORE
        self._require_within(run_id, job)

    def _fits(self, run_id: str, job: JobSpec) -> bool:
        limits = {_TOTAL: self._limit_usd or 0.0}
        try:
            reserve(self._premises.ledger, run_id, job, limits, self._premises.time.now())
        except OverThreshold:
            return False
        return True

    def _require_within(self, run_id: str, job: JobSpec) -> None:
        """What has been billed and what may still be, without asking what was written down."""
        if f"{self._premises.time.now():%Y-%m}" != self._month:
            return
        cases = self._inspector.cases
        others = [case for case in cases.values() if case.run_id != run_id]
        taken_usd = sum(self._worst_usd(case) for case in others)
        taken_usd += self._worst_usd(cases[run_id], job) if run_id in cases else _most_usd(job)
        allowed_usd = sum(case.excused_usd for case in others) + 1.0
        if said := invariants.reserved(taken_usd, self._limit_usd or 0.0, allowed_usd):
            raise Violated(f"reserved for {run_id}: {said}")

    def _worst_usd(self, case: Case, goes_on_with: JobSpec | None = None) -> float:
        """What a run has been billed, and what its own limit leaves of what it takes for spent."""
        now_s, now = self._premises.world.timeline.now_s, self._premises.time.now()
        billed_usd = sum(float(machine.meter.usd(now_s)) for machine in case.machines)
        run = self._premises.ledger.run(case.run_id)
        if run.outcome is not None and goes_on_with is None:
            return billed_usd
        limit_usd = _most_usd(goes_on_with or run.job)
        return billed_usd + max(limit_usd - float(spent_usd(run, now)), 0.0)


def _most_usd(job: JobSpec) -> float:
    return job.budget.max_cost_usd or 0.0


def rent_to_neighbour(world: World) -> None:
    """Let another installation have a machine whose tags look like those of our first run."""
    cloud = world.clouds[min(world.clouds)]
    offers = (each for each in cloud.offers() if each.capacity_type is CapacityType.ON_DEMAND)
    request = LaunchRequest(
        token="run-1-1",  # noqa: S106 - no secret
        installation=f"{INSTALLATION}-of-others",
        run="run-1",
        attempt=1,
        offer=next(offers),
        nodes=1,
        node_config={},
    )
    cloud.rent_to_others(request)
