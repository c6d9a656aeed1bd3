"""Many futures under one policy or several, all on the same futures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from finsched.decide.spot.policies import DEFAULT, POLICIES, MakePolicy
from finsched.errors import SpecError
from finsched.policies import policy as named
from finsched.simulating.cheapest import Cheapest
from finsched.simulating.engine import Outcome, Rules, live_through
from finsched.simulating.futures import Futures
from finsched.simulating.patience import patience_of
from finsched.simulating.scenario import Scenario
from finsched.simulating.summary import Chance, Distribution

CHEAPEST = "cheapest"
_NEED_A_DEADLINE = {"adaptive", "uniform-progress", CHEAPEST}

Progress = Callable[[int], None]
"""Is told how many futures are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyResult:
    """What a policy made of every future; `usd` is all that each costs."""

    policy: str
    outcomes: tuple[Outcome, ...]
    usd: tuple[float, ...]

    @property
    def cost_usd(self) -> Distribution:
        """Of all futures, whether they finish or not."""
        return Distribution.of(self.usd)

    @property
    def finish_hours(self) -> Distribution:
        """Of the futures that finish."""
        return Distribution.of([o.finish_s / 3600 for o in self.outcomes if o.finish_s is not None])

    @property
    def interruptions(self) -> Distribution:
        """Machines taken back."""
        return Distribution.of([o.interruptions for o in self.outcomes])

    @property
    def on_demand_hours(self) -> Distribution:
        """Hours that were paid at the on-demand price."""
        return Distribution.of([o.on_demand_s / 3600 for o in self.outcomes])

    @property
    def finishes(self) -> Chance:
        """The chance to finish before the horizon: the deadline where there is one."""
        return Chance.of(sum(o.finish_s is not None for o in self.outcomes), len(self.outcomes))

    def costs_at_most(self, limit_usd: float) -> Chance:
        """The chance to finish without spending more."""
        pairs = zip(self.outcomes, self.usd, strict=True)
        kept = sum(o.finish_s is not None and usd <= limit_usd for o, usd in pairs)
        return Chance.of(kept, len(self.outcomes))


def policies_for(scenario: Scenario, policy: str | None, *, compare: bool) -> list[str]:
    """The policies to simulate, the one that is asked for, or production's, first.

    Raises SpecError for an unknown policy, and for one that does not fit the job.
    """
    fit = _fitting(scenario)
    first = policy or fit[0]
    if first != CHEAPEST:
        named(first)
    is_ours = first in POLICIES or first == CHEAPEST
    if first not in fit and (is_ours or DEFAULT not in fit):
        raise SpecError(
            f"the policy {first!r} does not fit this job: {_lacks(scenario)}",
            fix=f"take one of: {', '.join(fit)}",
        )
    return [first, *(name for name in fit if name != first)] if compare else [first]


def _fitting(scenario: Scenario) -> list[str]:
    """The policies that can run the job, production's first."""
    if not scenario.pools:
        return ["on-demand"]
    if not scenario.on_demand:
        return [CHEAPEST]
    if not scenario.has_deadline:
        return [CHEAPEST, *(name for name in POLICIES if name not in _NEED_A_DEADLINE)]
    return [DEFAULT, *(name for name in POLICIES if name not in (DEFAULT, CHEAPEST))]


def _lacks(scenario: Scenario) -> str:
    if not scenario.pools:
        return "no spot offer can run it"
    return "it may not run on demand" if not scenario.on_demand else "it has no deadline"


def study(
    scenario: Scenario,
    policies: Sequence[str],
    *,
    futures: int,
    seed: int,
    progress: Progress | None = None,
) -> list[PolicyResult]:
    """Run every policy through the same seeded futures."""
    drawn = Futures(scenario.job.pools, scenario.shapes, seed=seed)
    outcomes: dict[str, list[Outcome]] = {name: [] for name in policies}
    makers = {name: (_maker(name, scenario), _rules(name, scenario)) for name in policies}
    for number in range(futures):
        future = drawn.future(number)
        for name, (make, rules) in makers.items():
            policy = make(scenario.job)
            outcomes[name].append(live_through(scenario.job, policy, future, rules))
        if progress:
            progress(number + 1)
    return [
        PolicyResult(policy=name, outcomes=tuple(lived), usd=tuple(map(scenario.usd, lived)))
        for name, lived in outcomes.items()
    ]


def _maker(policy: str, scenario: Scenario) -> MakePolicy:
    order = scenario.order
    return (lambda _: Cheapest(order)) if policy == CHEAPEST else named(policy)


def _rules(policy: str, scenario: Scenario) -> Rules:
    return Rules(
        horizon_s=scenario.horizon_s,
        upkeep=scenario.upkeep,
        patience=patience_of(policy),
        has_net=policy != CHEAPEST,
    )
