"""What is said of a simulation, the same in a terminal and on a page."""

from __future__ import annotations

from collections.abc import Iterator

from finsched.api.simulating import Simulation
from finsched.cli.output import money
from finsched.cli.render import words
from finsched.model.quote import Quote
from finsched.simulating.comparison import Comparison
from finsched.simulating.scenario import Scenario
from finsched.simulating.study import PolicyResult
from finsched.simulating.summary import Chance


def title(simulation: Simulation) -> str:
    """Return the job and how it was simulated."""
    count = f"{simulation.futures:,} future{'' if simulation.futures == 1 else 's'}"
    policy = simulation.chosen.policy
    return f"{simulation.job.name}: {count} under {policy}, seed {simulation.seed}"


def placements(simulation: Simulation) -> str:
    """Return where the job starts, and what else its policy may choose."""
    scenario = simulation.scenario
    pools, on_demand = scenario.pools, scenario.on_demand
    first = pools[0] if pools else scenario.first
    text = f"{_offer(first)}"
    if len(pools) > 1:
        text += f" and {len(pools) - 1} more spot pool{'' if len(pools) == 2 else 's'}"
    if pools and on_demand:
        machine = f"{words.place(on_demand.offer)}, {words.machine(on_demand.offer)}"
        text += f"; on demand {machine} at {money(on_demand.price_usd_per_hour)}/h"
    return text


def prices(simulation: Simulation) -> str:
    """Return from which days the prices are: `prices of 2026-05-18 to 2026-06-15 or older`."""
    evidence = [quote.offer.evidence for quote in _quotes(simulation.scenario)]
    days = sorted({day for each in evidence if (day := each.latest or each.earliest)})
    if not days:
        return "prices without a date"
    span = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
    open_end = any(each.earliest is None for each in evidence)
    return f"prices of {span}{' or older' if open_end else ''}"


def _quotes(scenario: Scenario) -> list[Quote]:
    others = [quote for quote in (scenario.on_demand, scenario.first) if quote]
    return [*scenario.pools, *others]


def _offer(quote: Quote) -> str:
    return f"{words.place_and_machine(quote.offer)} at {money(quote.price_usd_per_hour)}/h"


def interval(chance: Chance) -> str:
    """Return a chance with its 95 % interval: `97.2% (96.4% to 97.9%)`."""
    low, high = f"{chance.low:.1%}", f"{chance.high:.1%}"
    return f"{chance.probability:.1%} ({low} to {high})"


def chances(simulation: Simulation, result: PolicyResult) -> Iterator[tuple[str, str]]:
    """Yield what the limits of the job are, and the chance to keep each."""
    scenario, limit = simulation.scenario, simulation.job.budget.max_cost_usd
    if scenario.has_deadline:
        yield f"within {_hours(scenario.horizon_s)} (deadline)", interval(result.finishes)
    elif result.finishes.probability < 1:
        yield f"within {_hours(scenario.horizon_s)}", interval(result.finishes)
    if limit is not None:
        yield f"within {amount(limit)} (max_cost)", interval(result.costs_at_most(limit))


def amount(usd: float) -> str:
    """Return an amount in few letters: `$1,250`, and cents only where there are some."""
    return f"${usd:,.0f}" if usd == round(usd) else money(usd)


def _hours(seconds: float) -> str:
    return f"{round(seconds / 3600, 1):,g} h"


def quoted(comparison: Comparison) -> str:
    """Return the quote beside the mean, and why they differ by more than the noise."""
    mean = f"{money(comparison.simulated_usd)} +- {money(comparison.noise_usd)}"
    both = f"the quote says {money(comparison.quoted_usd)}, the simulated mean is {mean}"
    if comparison.within_noise:
        return f"{both}: no difference beyond the noise."
    more = "more" if comparison.difference_usd > 0 else "less"
    size = money(abs(comparison.difference_usd))
    return f"{both}: {size} {more}, mostly by {_reason(comparison)}."


def _reason(comparison: Comparison) -> str:
    sign = 1 if comparison.difference_usd > 0 else -1
    hours = abs(comparison.overhead_hours)
    overhead = "more" if comparison.overhead_hours > 0 else "fewer"
    reasons = {
        f"{comparison.on_demand_hours:.1f} h on demand, which the quote"
        " does not plan for": comparison.on_demand_usd,
        f"{hours:.2g} {overhead} hours paid than the quote expects:"
        " work, starts and work done twice": comparison.overhead_usd,
        "pools at another price than the quoted one, and moves of data": comparison.other_usd,
    }
    return max(reasons, key=lambda reason: sign * reasons[reason])


def notes(simulation: Simulation) -> Iterator[str]:
    """Yield how to read the spread, and what the simulation leaves out."""
    job = simulation.job
    if not simulation.scenario.pools:
        yield "Nothing is left to chance here: on-demand machines are not taken back."
        return
    yield (
        "Nine futures of ten lie between 5 % and 95 %. Prices stand still. Drawn are the hazard of"
        " each region's pools, from its posterior, and when a pool takes machines back and has new"
        " ones."
    )
    if job.budget.max_cost_usd is not None:
        yield "A launch stops at max_cost; here the job goes on, to say how often it would."
    left_out = [
        name
        for name, said in (
            ("max_interruptions", job.budget.max_interruptions),
            ("start", job.start),
            ("scavenge_below", job.scavenge_below_usd_per_hour),
        )
        if said is not None
    ]
    if left_out:
        yield f"Not simulated: {', '.join(left_out)}."
