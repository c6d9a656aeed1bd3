"""The cells of a quote table, the same in a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from finsched.cli.render import words
from finsched.cli.render.shortlist import ShortlistLine
from finsched.model.evidence import Quality
from finsched.model.market import CapacityType
from finsched.model.quote import Basis

AGE, OTHERS, HOURS = "age", "others", "hours"
SPARED = (AGE, OTHERS, HOURS)
"""What a narrow table leaves out, the least important first."""

GUESSED = frozenset({Quality.DERIVED, Quality.ESTIMATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its heading, how a line fills it, and how narrow it may be cut."""

    heading: str
    cell: Callable[[ShortlistLine], str]
    numeric: bool = False
    narrowest: int | None = None  # None: never cut


def columns(
    lines: Sequence[ShortlistLine], basis: Basis, today: date, without: Collection[str] = ()
) -> list[Column]:
    """Return the columns that tell these lines apart; what all share is left to the title.

    `without` names of `SPARED` what there is no room for.
    """
    gpus = {line.quote.offer.instance_type.gpu for line in lines}
    counts = {line.quote.offer.instance_type.gpu_count for line in lines}
    chosen = [
        Column(heading="#", cell=_rank, numeric=True),
        Column(heading="where", cell=_region if OTHERS in without else _where),
        Column(heading="machine", cell=lambda line: words.machine(line.quote.offer), narrowest=10),
    ]
    if len(gpus) > 1 or len(counts) > 1:
        chosen.append(Column(heading="GPU", cell=_gpu_name if len(counts) == 1 else _gpus))
    chosen.append(Column(heading="capacity", cell=_capacity))
    chosen.append(Column(heading="$/h", cell=_price, numeric=True))
    if AGE not in without:
        chosen.append(Column(heading="age", cell=partial(_age, today=today), numeric=True))
    if basis is Basis.RUN and HOURS not in without:
        chosen.append(Column(heading="hours", cell=_hours, numeric=True))
    total = "total $" if basis is Basis.RUN else "all in $/h"
    chosen.append(Column(heading=total, cell=_total, numeric=True))
    return chosen


def legend(lines: Sequence[ShortlistLine], basis: Basis, without: Collection[str] = ()) -> str:
    """Return what the signs in these lines mean, only those that occur."""
    signs = []
    if any(line.best_of_provider and line.rank > 1 for line in lines):
        signs.append("* cheapest of its provider")
    if any(line.other_places for line in lines):
        shown = OTHERS not in without
        signs.append("+n dearer places (--all)" if shown else "dearer places: --all")
    spot = [line for line in lines if line.quote.offer.capacity_type is CapacityType.SPOT]
    if spot:
        per = "" if basis is Basis.RUN else "/h"
        signs.append(f"{_capacity(spot[0])}: interruptions{per}")
    if any(_guessed(line) for line in lines):
        signs.append("~ derived price")
    return "; ".join(signs)


def _rank(line: ShortlistLine) -> str:
    return f"{'*' if line.best_of_provider else ''}{line.rank}"


def _where(line: ShortlistLine) -> str:
    others = f" +{line.other_places}" if line.other_places else ""
    return _region(line) + others


def _region(line: ShortlistLine) -> str:
    offer = line.quote.offer
    return words.region(offer) if line.folded else words.place(offer)


def _gpus(line: ShortlistLine) -> str:
    return words.gpus(line.quote.offer)


def _gpu_name(line: ShortlistLine) -> str:
    return line.quote.offer.instance_type.gpu or "none"


def _capacity(line: ShortlistLine) -> str:
    return words.capacity_and_interruptions(line.quote)


def _guessed(line: ShortlistLine) -> bool:
    return line.quote.offer.evidence.quality in GUESSED


def _price(line: ShortlistLine) -> str:
    return f"{'~' if _guessed(line) else ''}{line.quote.price_usd_per_hour:,.2f}"


def _age(line: ShortlistLine, today: date) -> str:
    return words.short_age(line.quote.offer.evidence, today)


def _hours(line: ShortlistLine) -> str:
    return f"{line.quote.hours.expected:,.1f}"


def _total(line: ShortlistLine) -> str:
    return f"{line.quote.total_usd:,.2f}"
