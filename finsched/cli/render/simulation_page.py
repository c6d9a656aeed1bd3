"""A simulation as one page of HTML that needs nothing else: plots, chances and policies."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template

from finsched.api.simulating import Simulation
from finsched.cli.output import money
from finsched.cli.render import simulation_charts as charts
from finsched.cli.render import simulation_words as say
from finsched.simulating.comparison import Comparison
from finsched.simulating.study import PolicyResult
from finsched.simulating.summary import Distribution


def page(simulation: Simulation) -> str:
    """Return the page."""
    template = files("finsched.cli.render").joinpath("simulation_page.html").read_text("utf-8")
    comparison = simulation.comparison
    return Template(template).substitute(
        title=escape(say.title(simulation)),
        job=escape(simulation.job.name),
        subtitle=escape(_subtitle(simulation)),
        placements=escape(say.placements(simulation)),
        tiles="\n".join(_tiles(simulation)),
        cost=charts.cost_histogram(simulation),
        finish=charts.finish_curve(simulation),
        policies=_policies(simulation),
        quoted=escape(_quoted(comparison)) if comparison else "",
        notes="\n".join(f"<li>{escape(note)}</li>" for note in say.notes(simulation)),
    )


def _quoted(comparison: Comparison) -> str:
    text = say.quoted(comparison).replace("+-", "\N{PLUS-MINUS SIGN}")
    return text[0].upper() + text[1:]


def _subtitle(simulation: Simulation) -> str:
    count = f"{simulation.futures:,} seeded futures"
    policy = f"the policy {simulation.chosen.policy}"
    when = f"{say.prices(simulation)}, simulated at {simulation.as_of:%F %R} UTC"
    return f"{count} under {policy}, seed {simulation.seed}, {when}"


def _tiles(simulation: Simulation) -> Iterator[str]:
    result = simulation.chosen
    cost, hours = result.cost_usd, result.finish_hours
    yield _tile("Mean cost", money(cost.mean), f"{money(cost.p5)} to {money(cost.p95)} in 9 of 10")
    for label, chance in say.chances(simulation, result):
        value, _, interval = chance.partition(" ")
        yield _tile(label.capitalize(), value, f"95% sure: {interval.strip('()')}")
    spread = f"{hours.p5:,.1f} h to {hours.p95:,.1f} h in 9 of 10"
    yield _tile("Median time to the end", f"{hours.p50:,.1f} h", spread)
    on_demand = f"{result.on_demand_hours.mean:,.1f} h on demand"
    yield _tile("Mean interruptions", f"{result.interruptions.mean:.2f}", on_demand)


def _tile(label: str, value: str, remark: str) -> str:
    return (
        f'<div class="tile"><p class="label">{escape(label)}</p>'
        f'<p class="value">{escape(value)}</p><p class="remark">{escape(remark)}</p></div>'
    )


def _policies(simulation: Simulation) -> str:
    """All policies on the same futures, the cheapest first; nothing where there is only one."""
    if len(simulation.results) == 1:
        return ""
    ordered = sorted(simulation.results, key=lambda result: result.cost_usd.mean)
    most = max(result.cost_usd.p95 for result in ordered)
    rows = "\n".join(_policy(result, simulation.chosen, most) for result in ordered)
    return (
        "<section><h2>Policies on the same futures</h2>"
        '<div class="scroll"><table><thead><tr><th>policy</th>'
        '<th class="wide">cost: 5 % to 95 %, dot at the mean</th><th>mean</th>'
        f"<th>above {escape(simulation.chosen.policy)}</th><th>hours</th>"
        "<th>interruptions</th><th>hours on demand</th><th>done</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _policy(result: PolicyResult, chosen: PolicyResult, most_usd: float) -> str:
    cells = (
        money(result.cost_usd.mean),
        _above(result, chosen),
        f"{result.finish_hours.mean:,.1f}",
        f"{result.interruptions.mean:.2f}",
        f"{result.on_demand_hours.mean:,.1f}",
        f"{result.finishes.probability:.1%}",
    )
    own = ' class="own"' if result is chosen else ""
    bar = charts.range_bar(result.cost_usd, most_usd)
    tail = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr{own}><th>{escape(result.policy)}</th><td class="wide">{bar}</td>{tail}</tr>'


def _above(result: PolicyResult, chosen: PolicyResult) -> str:
    if result is chosen:
        return "&mdash;"
    more = Distribution.of([a - b for a, b in zip(result.usd, chosen.usd, strict=True)])
    return f"{money(more.mean)} ± {2 * more.standard_error:,.2f}"
