"""Why the simulated mean differs from the one figure of the quote."""

from __future__ import annotations

from dataclasses import dataclass

from finsched.model.quote import Quote
from finsched.simulating.scenario import Scenario
from finsched.simulating.study import PolicyResult

_NOISE = 2.0  # standard errors
_CENT = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The quote beside the simulation; amounts in USD, the parts add up to the difference.

    `on_demand_usd` is what hours on demand cost above the quoted price, `overhead_usd` what more
    hours of starts and lost work cost at the quoted price, `other_usd` what is left: dearer or
    faster pools, and moves of data.
    """

    quoted_usd: float
    simulated_usd: float
    noise_usd: float
    on_demand_usd: float
    on_demand_hours: float
    overhead_hours: float
    overhead_usd: float
    other_usd: float

    @property
    def difference_usd(self) -> float:
        """The simulated mean above the quote."""
        return self.simulated_usd - self.quoted_usd

    @property
    def within_noise(self) -> bool:
        """Whether luck of the draw explains the difference."""
        return abs(self.difference_usd) <= max(self.noise_usd, _CENT)


def compare(quote: Quote, scenario: Scenario, result: PolicyResult) -> Comparison:
    """Split the difference between a quote and a policy's mean cost."""
    cost, on_demand = result.cost_usd, result.on_demand_hours.mean
    price = quote.price_usd_per_hour
    rented = sum(o.spot_s + o.on_demand_s for o in result.outcomes) / 3600 / len(result.outcomes)
    more_hours = rented - quote.hours.expected
    on_demand_usd = on_demand * (scenario.job.on_demand_price_per_hour - price)
    difference = cost.mean - quote.total_usd
    return Comparison(
        quoted_usd=quote.total_usd,
        simulated_usd=cost.mean,
        noise_usd=_NOISE * cost.standard_error,
        on_demand_usd=on_demand_usd,
        on_demand_hours=on_demand,
        overhead_hours=more_hours,
        overhead_usd=more_hours * price,
        other_usd=difference - on_demand_usd - more_hours * price,
    )
