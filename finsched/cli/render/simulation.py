"""A simulation for people: a table, chances, a plot of the cost, and the quote beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from finsched.api.simulating import Simulation
from finsched.cli.output import money
from finsched.cli.render import simulation_words as say
from finsched.simulating.study import PolicyResult
from finsched.simulating.summary import Distribution, Histogram

if TYPE_CHECKING:
    from rich.console import Console

_LABEL, _CELL = 24, 12
_BINS, _BAR_CELLS = 14, 44
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_READABLE_CELLS = 100


def print_simulation(simulation: Simulation, out: Console) -> None:
    """Print all that was found, in at most 80 columns."""
    from rich.text import Text

    _paragraphs(out, [say.title(simulation)], "bold")
    _paragraphs(out, [say.placements(simulation)], "dim")
    out.print()
    for at, row in enumerate(_table(simulation.chosen)):
        out.print(Text(row, style="" if at else "dim"))
    for label, chance in say.chances(simulation, simulation.chosen):
        out.print(Text(f"{label}: {chance}", style="bold"))
    out.print()
    for row in _plot(simulation.chosen.usd, plain=out.options.ascii_only):
        out.print(Text(row))
    if len(simulation.results) > 1:
        out.print()
        for at, row in enumerate(_policies(simulation)):
            out.print(Text(row, style="" if at else "dim"))
    out.print()
    comparison = simulation.comparison
    _paragraphs(out, [say.quoted(comparison).capitalize()] if comparison else [], "")
    _paragraphs(out, list(say.notes(simulation)), "dim")


def _paragraphs(out: Console, texts: Sequence[str], style: str) -> None:
    from rich.text import Text

    for text in texts:
        out.print(Text(textwrap.fill(text, min(out.width, _READABLE_CELLS)), style=style))


def _table(result: PolicyResult) -> list[str]:
    heads = "".join(f"{head:>{_CELL}}" for head in ("mean", "5 %", "median", "95 %"))
    return [
        " " * _LABEL + heads,
        _row("cost", result.cost_usd, money),
        _row("hours to the end", result.finish_hours, _hours),
        _row("interruptions", result.interruptions, _count),
        _row("hours on demand", result.on_demand_hours, _hours),
    ]


def _row(label: str, found: Distribution, written: Callable[[float], str]) -> str:
    values = (found.mean, found.p5, found.p50, found.p95)
    return f"{label:<{_LABEL}}" + "".join(f"{written(value):>{_CELL}}" for value in values)


def _hours(hours: float) -> str:
    return f"{hours:,.1f} h" if hours == hours else "-"  # noqa: PLR0124 - NaN: none has ended


def _count(count: float) -> str:
    return f"{count:,.2f}".removesuffix(".00")


def _plot(usd: Sequence[float], *, plain: bool) -> list[str]:
    """One bar a bin of the cost; the fullest takes the whole width."""
    found = Histogram.of(usd, _BINS)
    if len(found.counts) == 1:
        return [f"every future costs {money(found.low)}"]
    most = max(found.counts)
    rows = []
    for at, count in enumerate(found.counts):
        low = found.low + at * found.width
        last = at == len(found.counts) - 1
        label = f"{say.amount(low)} {'or more' if last else f'to {say.amount(low + found.width)}'}"
        bar = _bar(count / most * _BAR_CELLS, plain=plain) if count else ""
        rows.append(f"{label:<{_LABEL - 2}} {bar:<{_BAR_CELLS}}{count / len(usd):>8.1%}")
    return rows


def _bar(cells: float, *, plain: bool) -> str:
    """Return a bar of eighths of a cell; what is there shows."""
    if plain:
        return "#" * max(1, round(cells))
    eighths = max(1, round(cells * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _policies(simulation: Simulation) -> list[str]:
    """All policies on the same futures, and how much each costs above the chosen one."""
    heads = ("mean cost", "95 %", "above", "hours", "inter.", "on dem.", "done")
    widths = (11, 11, 17, 8, 7, 8, 8)
    lines = ["policy    " + "".join(f"{h:>{w}}" for h, w in zip(heads, widths, strict=True))]
    for result in simulation.results:
        cost = result.cost_usd
        cells = (
            money(cost.mean),
            money(cost.p95),
            _above(result, simulation.chosen),
            f"{result.finish_hours.mean:,.1f}",
            f"{result.interruptions.mean:.2f}",
            f"{result.on_demand_hours.mean:,.1f}",
            f"{result.finishes.probability:.1%}",
        )
        row = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{_short(result.policy):<10}{row}")
    return lines


def _short(policy: str) -> str:
    return {"uniform-progress": "uniform-p."}.get(policy, policy)


def _above(result: PolicyResult, chosen: PolicyResult) -> str:
    if result is chosen:
        return ""
    more = Distribution.of([a - b for a, b in zip(result.usd, chosen.usd, strict=True)])
    return f"{money(more.mean)} +-{2 * more.standard_error:,.2f}"
