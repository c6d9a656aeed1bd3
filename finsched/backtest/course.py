"""The course of one job: where it is, what is left, and what it has cost so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from finsched.decide.spot.situation import Off, Placement, SpotJob

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What a machine needs: time to start, and running time between two commits of its work.

    With `kept_every_s` zero all work is kept at once; infinite, an interruption loses all of it.
    """

    start_s: float
    kept_every_s: float = 0.0


class Course:
    """The account of a job between two decisions; whoever owns the clock moves it on.

    Without `upkeep` every start takes the whole changeover of the job, and no work is ever lost.
    Where a machine `hands_over`, it works on while the one that takes its place starts.
    """

    def __init__(
        self,
        job: SpotJob,
        upkeep: Callable[[Placement], Upkeep] | None = None,
        *,
        hands_over: bool = False,
    ) -> None:
        self._job, self._hands_over = job, hands_over
        plain = Upkeep(start_s=job.changeover_s)
        self._upkeep_of = upkeep or (lambda _: plain)
        self._upkeep = plain
        self._run_s, self._work_left_at_start_s = 0.0, job.work_s
        self.placement: Placement = Off.IDLE
        self.changeover_left_s = 0.0
        self.work_left_s = job.work_s
        self.data_region: str | None = None
        self.cost = 0.0
        self.spot_s = self.on_demand_s = 0.0
        self.starts = self.interruptions = 0

    @property
    def left_s(self) -> float:
        """The time that the present machine still needs, if it lasts; infinite without one."""
        if self.placement is Off.IDLE:
            return math.inf
        return self.changeover_left_s + self.work_left_s / self._speed()

    @property
    def start_s(self) -> float:
        """How long the present machine takes to start."""
        return self._upkeep.start_s

    @property
    def kept_left_s(self) -> float:
        """The work that would be left if the present machine were lost now."""
        every_s = self._upkeep.kept_every_s
        if self.placement is Off.IDLE or every_s == 0:
            return self.work_left_s
        if math.isinf(every_s):
            return self._job.work_s
        commits = math.floor(self._run_s / every_s + _ROUNDING)
        return self._work_left_at_start_s - commits * every_s * self._speed()

    def take_back(self, available: Sequence[bool]) -> None:
        """A pool without machines takes its own back."""
        if isinstance(self.placement, int) and not available[self.placement]:
            self.interrupt()

    def interrupt(self) -> None:
        """The pool takes its machine back, and with it the work since the last commit."""
        self.work_left_s = self.kept_left_s
        self.placement = Off.IDLE
        self.changeover_left_s = 0.0
        self.interruptions += 1

    def go_to(self, placement: Placement) -> None:
        """Stay, stop, or start elsewhere and pay the start and the way of the data.

        A job that can save does so before it leaves.
        """
        if placement == self.placement:
            return
        if math.isinf(self._upkeep.kept_every_s):
            self.work_left_s = self._job.work_s
        if placement is Off.IDLE:
            self.placement, self.changeover_left_s = placement, 0.0
        else:
            self._start(placement)

    def _start(self, placement: Placement) -> None:
        """Begin there; a machine that runs and hands over is paid until the new one has started."""
        upkeep = self._upkeep_of(placement)
        runs = self.placement is not Off.IDLE and self.changeover_left_s == 0
        if self._hands_over and runs:
            self._pay(upkeep.start_s)
            self.changeover_left_s = 0.0
        else:
            self.changeover_left_s = upkeep.start_s
        self.placement, self._upkeep = placement, upkeep
        self.starts += 1
        self._run_s, self._work_left_at_start_s = 0.0, self.work_left_s
        self._bring_data(placement)

    def run_for(self, time_s: float) -> bool:
        """Let time pass, billed only until the work is finished; whether it is."""
        if self.placement is Off.IDLE:
            return False
        lost_s = min(self.changeover_left_s, time_s)
        self.changeover_left_s -= lost_s
        speed = self._speed()
        needed_s = self.work_left_s / speed
        finished = time_s - lost_s >= needed_s
        worked_s = needed_s if finished else time_s - lost_s
        self.work_left_s = 0.0 if finished else self.work_left_s - worked_s * speed
        self._run_s += worked_s
        self._pay(lost_s + worked_s)
        return finished

    def _pay(self, time_s: float) -> None:
        if isinstance(self.placement, int):
            self.spot_s += time_s
            price_per_hour = self._job.pools[self.placement].price_per_hour
        else:
            self.on_demand_s += time_s
            price_per_hour = self._job.on_demand_price_per_hour
        self.cost += time_s / 3600 * price_per_hour

    def _speed(self) -> float:
        """Work per time, against the on-demand machine."""
        return self._job.pools[self.placement].speed if isinstance(self.placement, int) else 1.0

    def _bring_data(self, placement: Placement) -> None:
        """On-demand runs where the data is; spot elsewhere moves it."""
        if not isinstance(placement, int):
            nearest = next((pool.region for pool in self._job.pools), None)
            self.data_region = self.data_region or nearest
            return
        pool = self._job.pools[placement]
        if self.data_region not in (None, pool.region):
            self.cost += self._job.egress_price
        self.cost += pool.start_price
        self.data_region = pool.region
