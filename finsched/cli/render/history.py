"""The history of pools for people: prices with sparklines, interruptions, availability."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from statistics import fmean
from textwrap import wrap
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from finsched.api.history import History, PoolHazard
from finsched.catalog.browse import usd_per_gpu_hour
from finsched.cli.output import duration
from finsched.cli.render import words
from finsched.cli.render.sparkline import bar, sparkline
from finsched.cli.render.weekday import weekday_words
from finsched.decide.offers.spell_age import hazard_at_age
from finsched.decide.timing.start_effect import SIGNIFICANCE, weekday_effect
from finsched.model.evidence import Evidence
from finsched.model.history import Availability, PriceSeries
from finsched.model.interruption import Hazard
from finsched.model.market import ANY_REGION, CapacityType, Offer, Tier

WIDTH = 80
SPARKLINE_WIDTH = 12
BAR_WIDTH = 8
MOST_ROWS = 6  # of a table, unless all are asked for
SHORT_TIERS = {
    Tier.COMMUNITY: "community",
    Tier.MARKETPLACE: "ask",
    Tier.FLEX_START: "flex",
    Tier.CALENDAR: "calendar",
    Tier.PROTOTYPING: "prototype",
}
HOST_APART = "*"
AGES = ((0.1, "in the first 10 min"), (1.0, "after 1 h"), (12.0, "after 12 h"))  # hours, of a spell
NOT_KNOWN = "not known"
PRICE_TITLES = ("First", "Last", "Low", "High", "Change")

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


def print_history(found: History, out: Console, *, everything: bool = False) -> None:
    """Print what is known, the most telling rows first; at most a few unless `everything`."""
    today = found.as_of.date()
    most = None if everything else MOST_ROWS
    for gpu in found.gpus:
        memory = f" · {words.gibibytes(gpu.memory_gib)}" if gpu.memory_gib else ""
        out.print(Text(f"{gpu.vendor} {gpu.name}{memory}", style="bold"))
    if found.gpus:
        out.print()
    _print_prices(found, today, most, out)
    out.print()
    _print_interruptions(found, today, most, out)
    out.print()
    _print_availability(found.availability, today, most, out)
    for note in found.notes:
        _print_lines(f"note: {note}", out, indent="")


# --- prices ------------------------------------------------------------------------------------


def _print_prices(found: History, today: date, most: int | None, out: Console) -> None:
    latest = {offer.capacity_type: offer for offer in found.latest}
    for capacity_type in (CapacityType.ON_DEMAND, CapacityType.SPOT):
        chosen = [each for each in found.prices if each.capacity_type is capacity_type]
        if chosen:
            _print_series(chosen, today, most, out, name_gpu=len(found.gpus) != 1)
        elif capacity_type in latest:
            _print_lines(_latest(latest[capacity_type], today), out, indent="")
    if not found.prices and not found.latest:
        out.print("Price over time: " + NOT_KNOWN)


def _print_series(
    chosen: Sequence[PriceSeries], today: date, most: int | None, out: Console, *, name_gpu: bool
) -> None:
    kind = words.capacity(chosen[0].capacity_type).capitalize()
    out.print(Text(_price_line(f"{kind} price, USD per GPU-hour", "", *PRICE_TITLES), "bold"))
    for of_source in _grouped(chosen[:most], lambda series: series.evidence.source):
        recorded = _recorded(of_source)
        for series in of_source:
            out.print(Text(_price_row(series, recorded, name_gpu=name_gpu)))
        _print_lines(words.source_and_age(recorded, today), out)
        if of_source[0].daily:
            _print_lines(f"weekday effect on price: {_weekday_effect(of_source)}", out)
    _print_marks(chosen[:most], out)
    _print_left_out(len(chosen), most, out)


def _recorded(group: Sequence[PriceSeries]) -> Evidence:
    """The source of some series, with the days on which these were recorded."""
    return replace(
        group[0].evidence,
        earliest=min(series.first.first_day for series in group),
        latest=max(series.last.last_day for series in group),
        note="",
    )


def _price_row(series: PriceSeries, recorded: Evidence, *, name_gpu: bool) -> str:
    spans = (series.first, series.last, series.lowest, series.highest)
    prices = (f"{span.usd_per_gpu_hour:.2f}" for span in spans)
    change = f"{series.change_percent:+.1f}%" if series.changes else "none"
    plot = sparkline(_sampled(series, recorded))
    return _price_line("  " + _name(series, name_gpu=name_gpu), plot, *prices, change)


def _price_line(name: str, plot: str, *figures: str) -> str:
    *prices, change = figures
    columns = "".join(f"{price:>6}" for price in prices)
    return f"{name:<35} {plot:<{SPARKLINE_WIDTH}}{columns}{change:>8}"


def _name(series: PriceSeries, *, name_gpu: bool) -> str:
    """`aws us-east-1 p5.48xlarge`, or the GPU where the list prices no machine."""
    kind = series.instance_type or (series.gpu if name_gpu else "")
    parts = (
        series.provider,
        _region(series.zone or series.region),
        kind,
        SHORT_TIERS.get(series.tier, ""),
    )
    return " ".join(filter(None, parts)) + (HOST_APART if _host_apart(series) else "")


def _region(region: str) -> str:
    return "" if region == ANY_REGION else region


def _host_apart(series: PriceSeries) -> bool:
    return series.evidence.note.startswith("GPU alone")


def _sampled(series: PriceSeries, recorded: Evidence) -> list[float | None]:
    """The mean price of each of twelve equal stretches of the days that a group was recorded."""
    first_day, last_day = recorded.earliest, recorded.latest
    if first_day is None or last_day is None:
        return []
    days = (last_day - first_day).days + 1
    bounds = [days * number // SPARKLINE_WIDTH for number in range(SPARKLINE_WIDTH + 1)]
    return [
        _mean_price(series, first_day, range(start, max(end, start + 1)))
        for start, end in pairwise(bounds)
    ]


def _mean_price(series: PriceSeries, first_day: date, offsets: range) -> float | None:
    prices = [series.price_on(first_day + timedelta(days=offset)) for offset in offsets]
    known = [price for price in prices if price is not None]
    return fmean(known) if known else None


def _weekday_effect(group: Sequence[PriceSeries]) -> str:
    """The clearest effect among several series, each tested more strictly the more there are."""
    moving = [series for series in group if series.changes]
    level = SIGNIFICANCE / max(len(moving), 1)
    effects = [(weekday_effect(series.daily_prices(), level), series) for series in moving]
    measured = [(effect, series) for effect, series in effects if effect.measurable]
    if measured:
        effect, series = min(measured, key=lambda each: each[0].p_value or 0.0)
        return f"{_name(series, name_gpu=True)}: {weekday_words(effect)}"
    longest = max(group, key=lambda series: len(series.daily_prices()))
    return weekday_words(weekday_effect(longest.daily_prices(), level))


def _print_marks(shown: Iterable[PriceSeries], out: Console) -> None:
    """Explain the marks that are there, and only those."""
    rows = list(shown)
    tiers = {series.tier for series in rows}
    marks = []
    if any(map(_host_apart, rows)):
        marks.append(f"{HOST_APART} GPU alone, the host is billed on top")
    if Tier.COMMUNITY in tiers:
        marks.append("community: private hosts")
    if Tier.FLEX_START in tiers:
        marks.append("flex: queued, starts when there is capacity")
    if marks:
        _print_lines("; ".join(marks), out)


def _latest(offer: Offer, today: date) -> str:
    kind = words.capacity(offer.capacity_type).capitalize()
    where = f"{offer.provider} {_region(offer.region)} {offer.instance_type.name}"
    price = f"{usd_per_gpu_hour(offer):.2f} per GPU-hour at {' '.join(where.split())}"
    source = words.source_and_age(offer.evidence, today)
    return f"{kind} price over time: {NOT_KNOWN}; cheapest seen {price} ({source})"


# --- interruptions -----------------------------------------------------------------------------


def _print_interruptions(found: History, today: date, most: int | None, out: Console) -> None:
    chosen = found.interruptions
    if chosen:
        titles = ("one in", "per hour (80%)", "per day (80%)")
        out.print(Text(_hazard_line("Spot interruptions, expected", *titles), "bold"))
        for alike in _grouped(chosen[:most], lambda known: known.hazard.evidence):
            for known in alike:
                out.print(Text(_hazard_row(known)))
            _print_lines(words.source_and_age(alike[0].hazard.evidence, today), out)
            if alike[0].own.instance_hours:
                _print_lines(_own(alike[0]), out)
        _print_left_out(len(chosen), most, out)
        _print_lines(_by_age(chosen[0].hazard), out)
    elif not found.without_hazard:
        out.print(f"Spot interruptions: {NOT_KNOWN}, no spot machine is listed")
    if found.without_hazard:
        _print_lines(_assumed(found), out, indent="")


def _own(known: PoolHazard) -> str:
    seen = f"{known.own.interruptions:.3g} in {known.own.instance_hours:.3g} h"
    return f"own runs, weighted by age: {seen}, {known.own_share:.0%} of the evidence"


def _by_age(hazard: Hazard) -> str:
    """How the hazard falls while a machine stays up; the same for every pool."""
    ratios = (
        f"{hazard_at_age(hazard, age_hours * 3600) / hazard.per_hour:.1f}x {said}"
        for age_hours, said in AGES
    )
    return f"by how long the pool has been up: {', '.join(ratios)} (traces of 2022 and 2023)"


def _assumed(found: History) -> str:
    """What a quote takes where nobody measured."""
    assumed = found.assumed_hazard
    rate = _with_interval(assumed.per_hour, assumed.low_per_hour, assumed.high_per_hour)
    partly = {known.pool.provider for known in found.interruptions}
    names = (f"some of {name}" if name in partly else name for name in found.without_hazard)
    return (
        f"Spot interruptions {NOT_KNOWN} for {', '.join(names)}: a quote assumes "
        f"one in {duration(1 / assumed.per_hour)}, {rate} per hour"
    )


def _hazard_row(known: PoolHazard) -> str:
    hazard, pool = known.hazard, known.pool
    rates = (hazard.per_hour, hazard.low_per_hour, hazard.high_per_hour)
    return _hazard_line(
        f"  {pool.provider} {pool.zone or pool.region} {pool.instance_type}",
        duration(1 / hazard.per_hour),
        _with_interval(*rates),
        _with_interval(*(24 * rate for rate in rates)),
    )


def _hazard_line(name: str, one_in: str, per_hour: str, per_day: str) -> str:
    return f"{name:<35}{one_in:>7} {per_hour:>20} {per_day:>16}"


def _with_interval(mean: float, low: float, high: float) -> str:
    """`.0011 (0-.0028)`: two digits of the mean, and as many decimals for its bounds."""
    decimals = max(0, 1 - math.floor(math.log10(mean)))
    texts = (f"{rate:.{decimals}f}" if rate >= 10**-decimals else "0" for rate in (mean, low, high))
    middle, *bounds = (text.removeprefix("0") or "0" for text in texts)
    return f"{middle} ({'-'.join(bounds)})"


# --- availability ------------------------------------------------------------------------------


def _print_availability(
    chosen: Sequence[Availability], today: date, most: int | None, out: Console
) -> None:
    if not chosen:
        out.print(f"Spot availability measured: {NOT_KNOWN}")
        return
    titles = ("from", "for", "of the time", "up for", "away for")
    out.print(Text(_availability_line("Spot availability measured", *titles), "bold"))
    for of_source in _grouped(chosen[:most], lambda each: each.evidence.source):
        for each in of_source:
            out.print(Text(_availability_row(each)))
        _print_lines(words.source_and_age(_measured(of_source), today), out)
    _print_left_out(len(chosen), most, out)


def _measured(group: Sequence[Availability]) -> Evidence:
    """The source of some measurements, with the days on which these were made."""
    return replace(
        group[0].evidence,
        earliest=min(each.first_day for each in group),
        latest=max(each.last_day for each in group),
        note="",
    )


def _availability_row(each: Availability) -> str:
    many = f"{each.nodes}x " if each.nodes > 1 else ""
    return _availability_line(
        f"  {each.provider} {each.zone} {many}{each.instance_type}",
        str(each.first_day),
        f"{each.hours / 24:.0f} d",
        f"{bar(each.up_share, BAR_WIDTH)} {words.chance(each.up_share):>4}",
        duration(each.mean_up_hours),
        duration(each.mean_down_hours),
    )


def _availability_line(name: str, first_day: str, days: str, share: str, up: str, away: str) -> str:
    return f"{name:<34}{first_day:<10}{days:>5} {share:>13}{up:>8}{away:>9}"


# --- what all tables share ---------------------------------------------------------------------


def _grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> list[list[Item]]:
    """Items of one key together, in the order in which the keys first appear."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _print_lines(text: str, out: Console, indent: str = "    ") -> None:
    for line in wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    ):
        out.print(Text(line, style="dim"))


def _print_left_out(count: int, most: int | None, out: Console) -> None:
    if most is not None and count > most:
        _print_lines(f"{count - most} more with --all", out)
