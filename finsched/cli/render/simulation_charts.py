"""The plots of a simulation as inline SVG; colours come from the page's own style."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from finsched.api.simulating import Simulation
from finsched.cli.output import money
from finsched.cli.render import simulation_words as say
from finsched.simulating.summary import Distribution, Histogram

_WIDTH, _HEIGHT = 560, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 16, 66, 48
_BINS = 36
_CURVE_POINTS = 200
_SPREAD_SHARE = 0.04  # free space beside what is drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axes:
    """A plot's area and the values at its edges."""

    left: float
    right: float
    top: float

    def x(self, value: float) -> float:
        share = (value - self.left) / (self.right - self.left)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.top * (_HEIGHT - _TOP - _BOTTOM)


def cost_histogram(simulation: Simulation) -> str:
    """The cost of the futures, with the mean, the quote and the budget where they are in sight."""
    result = simulation.chosen
    found = Histogram.of(result.usd, _BINS)
    width = found.width or max(found.low, 1.0) * 0.01
    high = found.low + width * len(found.counts)
    marks = [("mean", result.cost_usd.mean, "mean")]
    if simulation.quote:
        marks.append(("quote", simulation.quote.total_usd, "quote"))
    if limit := simulation.job.budget.max_cost_usd:
        marks.append(("max_cost", limit, "limit"))
    near = [each for each in marks if found.low - (high - found.low) <= each[1] <= 2 * high]
    axes = _axes(
        [found.low, high, *(usd for _, usd, _ in near)], max(found.counts) / len(result.usd)
    )
    bars = "".join(
        _bar(axes, found.low + at * width, width, _told(found, at, len(result.usd)), share)
        for at, share in enumerate(count / len(result.usd) for count in found.counts)
        if share
    )
    frame = _frame(
        axes, say.amount, "cost of the run; the last bar is open upwards", "share of futures"
    )
    return _svg("Cost of the run", frame + bars + _marks(axes, near, money))


def finish_curve(simulation: Simulation) -> str:
    """The share of futures that have ended by each hour, with the deadline."""
    result, scenario = simulation.chosen, simulation.scenario
    ends = sorted(o.finish_s / 3600 for o in result.outcomes if o.finish_s is not None)
    if not ends:
        return _svg("Time to the end", "")
    deadline = scenario.job.deadline_s / 3600
    marks = [("median", result.finish_hours.p50, "mean")]
    if scenario.has_deadline:
        marks.append(("deadline", deadline, "limit"))
    axes = _axes([ends[0], ends[-1], *(hours for _, hours, _ in marks)], 1.0)
    total = len(result.outcomes)
    steps = list(_steps(ends, total))
    end = f"H{axes.x(axes.right):.1f}"
    path = "".join(f"H{axes.x(hours):.1f}V{axes.y(share):.1f}" for hours, share in steps)
    start = f"M{axes.x(axes.left):.1f} {axes.y(0):.1f}"
    area = f'<path class="area" d="{start}{path}{end}V{axes.y(0):.1f}Z"/>'
    line = f'<path class="line" d="{start}{path}{end}"/>'
    frame = _frame(axes, hours_label, "hours from now", "share of futures that have ended")
    return _svg("Time to the end", frame + area + line + _marks(axes, marks, hours_label))


def range_bar(cost: Distribution, most_usd: float) -> str:
    """A bar from the 5th to the 95th percentile, and a dot at the mean."""
    scale = 240 / most_usd if most_usd > 0 else 0.0
    left, right, dot = 4 + cost.p5 * scale, 4 + cost.p95 * scale, 4 + cost.mean * scale
    return (
        '<svg class="range" viewBox="0 0 250 16" role="img">'
        f"<title>{money(cost.p5)} to {money(cost.p95)}, mean {money(cost.mean)}</title>"
        '<line class="track" x1="4" y1="8" x2="244" y2="8"/>'
        f'<line class="reach" x1="{left:.1f}" y1="8" x2="{max(right, left + 1):.1f}" y2="8"/>'
        f'<circle class="dot" cx="{dot:.1f}" cy="8" r="4.5"/></svg>'
    )


def hours_label(hours: float) -> str:
    """Hours on an axis: `72 h`."""
    return f"{round(hours, 1):,g} h"


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g}%"


def _axes(values: list[float], top: float) -> _Axes:
    low, high = min(values), max(values)
    room = max((high - low) * _SPREAD_SHARE, high * 1e-3, 1e-6)
    return _Axes(left=max(0.0, low - room), right=high + room, top=top * 1.05)


def _steps(ends: list[float], total: int) -> Iterator[tuple[float, float]]:
    """The curve, thinned to a few hundred points."""
    stride = max(1, len(ends) // _CURVE_POINTS)
    for at in range(stride - 1, len(ends) - 1, stride):
        yield ends[at], (at + 1) / total
    yield ends[-1], len(ends) / total


def _bar(axes: _Axes, low: float, width: float, told: str, share: float) -> str:
    x, y = axes.x(low) + 0.5, axes.y(share)
    wide, tall = max(axes.x(low + width) - x - 0.5, 1.0), max(axes.y(0) - y, 1.0)
    place = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}"'
    return f'<rect class="bar" {place} rx="1.5"><title>{told}</title></rect>'


def _told(found: Histogram, at: int, total: int) -> str:
    low, last = found.low + at * found.width, at == len(found.counts) - 1
    upper = "or more" if last else f"to {say.amount(low + found.width)}"
    return f"{say.amount(low)} {upper}: {found.counts[at]:,} of {total:,}"


def _frame(axes: _Axes, label: Callable[[float], str], below: str, beside: str) -> str:
    """Grid lines, the axis with its ticks, and what the axes mean."""
    base = axes.y(0)
    parts = [f'<text class="beside" x="{_LEFT}" y="14">{beside}</text>']
    for share in _ticks(0, axes.top, 4):
        y = axes.y(share)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="tick end" x="{_LEFT - 8}" y="{y + 4:.1f}">{_percent(share)}</text>'
        )
    for value in _ticks(axes.left, axes.right, 6):
        x = axes.x(value)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" y1="{base:.1f}" x2="{x:.1f}" y2="{base + 5:.1f}"/>'
        )
        parts.append(f'<text class="tick" x="{x:.1f}" y="{base + 19:.1f}">{label(value)}</text>')
    parts.append(
        f'<line class="axis" x1="{_LEFT}" y1="{base:.1f}" x2="{_WIDTH - _RIGHT}" y2="{base:.1f}"/>'
    )
    parts.append(f'<text class="below" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}">{below}</text>')
    return "".join(parts)


def _marks(
    axes: _Axes, marks: list[tuple[str, float, str]], written: Callable[[float], str]
) -> str:
    """Vertical lines with their names above, one row lower where two would overlap."""
    parts, taken = [], [-math.inf, -math.inf]
    for name, value, kind in sorted(marks, key=lambda mark: mark[1]):
        x, text = axes.x(value), f"{name} {written(value)}"
        half = 3.6 * len(text)
        row = 0 if x - half > taken[0] else 1
        taken[row] = x + half
        middle = min(max(x, _LEFT + half), _WIDTH - _RIGHT - half)
        y = 40 + 16 * row
        place = f'x1="{x:.1f}" y1="{y + 4}" x2="{x:.1f}" y2="{axes.y(0):.1f}"'
        parts.append(f'<line class="mark {kind}" {place}/>')
        parts.append(f'<text class="mark {kind}" x="{middle:.1f}" y="{y}">{text}</text>')
    return "".join(parts)


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round values between two bounds, at most so many."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(s * power for s in (1, 2, 2.5, 5, 10, 20) if s * power >= (high - low) / most)
    first = math.ceil(low / step)
    return [at * step for at in range(first, math.floor(high / step) + 1)]


def _svg(name: str, inner: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{name}">{inner}</svg>'
