"""From quotes to what is simulated: the framed job, how sure its hazards are, what else is paid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from finsched.backtest.course import Upkeep
from finsched.decide.spot.framing import Horizon, fallback, frame
from finsched.decide.spot.situation import Off, Placement, SpotJob
from finsched.errors import NothingFeasible, SpecError
from finsched.model.market import CapacityType
from finsched.model.quote import Basis, Quote
from finsched.simulating.engine import Outcome
from finsched.simulating.futures import shape_of

LOOK_S = 600.0
"""How often a policy is asked at least, which is production's longest wait, too."""

_LONGEST_WORKS, _LONGEST_S = 20, 30 * 24 * 3600.0  # without a deadline, given up after this


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A job as policies are told it, with the quotes behind its placements, the cheapest first.

    `on_demand` is None where the job may not use it, `shapes` are those of the pools' posteriors.
    """

    job: SpotJob
    quotes: tuple[Quote, ...]
    pools: tuple[Quote, ...]
    on_demand: Quote | None
    shapes: tuple[float | None, ...]
    horizon_s: float

    @property
    def has_deadline(self) -> bool:
        """Whether the job has to end by a certain time."""
        return math.isfinite(self.job.deadline_s)

    @property
    def first(self) -> Quote:
        """The placement that the quotes put first."""
        return self.quotes[0]

    @property
    def order(self) -> list[Placement]:
        """The placements, the cheapest first."""
        places: list[tuple[Quote, Placement]] = [(quote, i) for i, quote in enumerate(self.pools)]
        if self.on_demand:
            places.append((self.on_demand, Off.ON_DEMAND))
        return [place for _, place in sorted(places, key=lambda each: each[0].total_usd)]

    def upkeep(self, placement: Placement) -> Upkeep:
        """How long a start takes there, and how often the work is kept."""
        quote = self.pools[placement] if isinstance(placement, int) else self.on_demand
        if quote is None or not self.pools:
            return Upkeep(start_s=self.job.changeover_s)
        every_s, hours = quote.checkpoint_every_seconds, quote.hours
        saving = (hours.work + hours.checkpoint) / hours.work
        return Upkeep(
            start_s=quote.restart_hours * 3600,
            kept_every_s=math.inf if every_s is None else every_s * saving,
        )

    def usd(self, outcome: Outcome) -> float:
        """All that a future costs: its machines and starts, and what is paid in any case.

        A start in a pool has in its price what moving data there costs more than on demand.
        """
        moves = [quote.cost.transfer_usd for quote in (*self.pools, *self._way_out)]
        to_on_demand = self.on_demand.cost.transfer_usd - min(moves) if self.on_demand else 0.0
        always = min(moves) + self.first.cost.storage_usd
        return outcome.cost + always + (to_on_demand if outcome.on_demand_s > 0 else 0.0)

    @property
    def _way_out(self) -> list[Quote]:
        return [self.on_demand] if self.on_demand else []


def scenario(quotes: Sequence[Quote], deadline_s: float | None) -> Scenario:
    """Frame the quotes of a job, as the supervisor does.

    Raises SpecError without `work.hours`, NothingFeasible without any quote.
    """
    _check(quotes)
    left_s = math.inf if deadline_s is None else deadline_s
    on_demand = fallback(quotes, left_s)
    horizon = Horizon(deadline_s=left_s, left_s=left_s, reaction_s=LOOK_S)
    framed = frame([*quotes, on_demand or _stand_in(quotes[0])], horizon)
    pools = framed.pools if framed else ()
    job = framed.job if framed and pools else _sure(on_demand or quotes[0], left_s)
    return Scenario(
        job=job,
        quotes=tuple(quotes),
        pools=pools,
        on_demand=on_demand,
        shapes=tuple(map(_shape, pools)),
        horizon_s=_horizon_s(job),
    )


def _check(quotes: Sequence[Quote]) -> None:
    if not quotes:
        raise NothingFeasible("no offer can run this job", fix="`finsched quote` says why")
    if quotes[0].basis is Basis.HOUR:
        raise SpecError(
            "the job does not say how much work it is, so there is nothing to simulate",
            fix="add `work: {hours: ...}` to the job file",
        )


def _stand_in(spot: Quote) -> Quote:
    """What work and speeds are measured against where nothing may run on demand."""
    return replace(spot, offer=spot.offer._replace(capacity_type=CapacityType.ON_DEMAND))


def _sure(on_demand: Quote, left_s: float) -> SpotJob:
    """The job on demand alone: nothing is left to chance."""
    hours = on_demand.hours
    return SpotJob(
        tick_s=LOOK_S,
        deadline_s=left_s,
        work_s=(hours.work + hours.checkpoint) * 3600,
        changeover_s=(hours.restart + hours.staging) * 3600,
        on_demand_price_per_hour=on_demand.price_usd_per_hour,
        egress_price=0.0,
        pools=(),
    )


def _shape(quote: Quote) -> float | None:
    hazard = quote.hazard
    return shape_of(hazard.per_hour, hazard.low_per_hour, hazard.high_per_hour)


def _horizon_s(job: SpotJob) -> float:
    if math.isfinite(job.deadline_s):
        return job.deadline_s
    return max(_LONGEST_WORKS * job.work_s, _LONGEST_S)
