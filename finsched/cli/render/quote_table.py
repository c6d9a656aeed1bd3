"""A decision for people: the table, then what to know of its first line."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from finsched.cli.render.quote_cells import SPARED, Column, columns, legend
from finsched.cli.render.quote_summary import COST_LABEL, Fact, Section, cost_parts
from finsched.cli.render.shortlist import ShortlistLine
from finsched.model.quote import Basis, Quote

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

LABEL_CELLS = 12
READABLE_CELLS = 100
CUT = ".."
PART_COLOURS = {
    "compute": "green",
    "rework": "yellow",
    "checkpoints": "cyan",
    "start-up": "magenta",
    "transfer": "blue",
    "storage": "bright_black",
}


def print_table(
    console: Console, lines: Sequence[ShortlistLine], basis: Basis, today: date
) -> None:
    """Print one row a line, fitted to the console's width, and the legend of its signs."""
    from rich.text import Text

    without = _left_out(lines, basis, today, console.width)
    chosen = columns(lines, basis, today, without)
    heading, best, *others = _rows(lines, chosen, console.width)
    rows = [Text(heading, style="dim"), Text(best, style="bold green"), *map(Text, others)]
    console.print(*rows, sep="\n")
    if signs := legend(lines, basis, without):
        console.print(Text(signs, style="dim"))


def print_title(console: Console, title: str, remark: str) -> None:
    """Print what is quoted, then how much of the market can do it."""
    from rich.text import Text

    console.print(Text(title, style="bold"))
    console.print(Text(remark, style="dim"))
    console.print()


def print_sections(console: Console, sections: Sequence[Section], best: Quote | None) -> None:
    """Print labelled sentences, a blank line before each section, a bar before the best's cost."""
    from rich.text import Text

    width = min(console.width, READABLE_CELLS)
    draws = console.is_terminal and not console.options.ascii_only
    for section in sections:
        console.print()
        for fact in section:
            if fact.label == COST_LABEL and best is not None and draws:
                console.print(_bar(cost_parts(best), width - LABEL_CELLS))
            console.print(Text.assemble((fact.label, "dim"), _wrapped(fact, width)))


def _bar(parts: dict[str, float], cells: int) -> Text:
    """Return the parts of a cost as one coloured bar; the smallest part still shows."""
    from rich.text import Text

    total = sum(parts.values())
    bar = Text(" " * LABEL_CELLS)
    for name, usd in parts.items():
        share = usd / total * (cells - len(parts))
        bar.append("\u2588" * max(1, round(share)), style=PART_COLOURS[name])
    return bar


def _left_out(
    lines: Sequence[ShortlistLine], basis: Basis, today: date, width: int
) -> tuple[str, ...]:
    """Return what the table does without, so that no region is ever cut."""
    for count in range(len(SPARED)):
        chosen = columns(lines, basis, today, SPARED[:count])
        if _least_width(_cells(lines, chosen), chosen) <= width:
            return SPARED[:count]
    return SPARED


def _rows(lines: Sequence[ShortlistLine], chosen: Sequence[Column], width: int) -> list[str]:
    """Return the headings, then the lines; a rich table would cut amounts where space is short."""
    cells = _cells(lines, chosen)
    widths = _widths(cells, chosen, width)
    return [" ".join(map(_padded, row, chosen, widths)) for row in cells]


def _cells(lines: Sequence[ShortlistLine], chosen: Sequence[Column]) -> list[list[str]]:
    headings = [column.heading for column in chosen]
    return [headings, *([column.cell(line) for column in chosen] for line in lines)]


def _least_width(rows: Sequence[Sequence[str]], chosen: Sequence[Column]) -> int:
    """Return the width of a row in which every column is as narrow as it may be."""
    widest = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    least = [
        min(cells, column.narrowest or cells) for cells, column in zip(widest, chosen, strict=True)
    ]
    return sum(least) + len(least) - 1


def _widths(rows: Sequence[Sequence[str]], chosen: Sequence[Column], width: int) -> list[int]:
    """Return the columns' widths: the widest that may be are narrowed until the rows fit."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    while sum(widths) + len(widths) - 1 > width:
        spare = [
            0 if column.narrowest is None else widths[index] - column.narrowest
            for index, column in enumerate(chosen)
        ]
        if max(spare) <= 0:
            break
        widths[spare.index(max(spare))] -= 1
    return widths


def _padded(text: str, column: Column, width: int) -> str:
    cell = _shortened(text, width)
    return cell.rjust(width) if column.numeric else cell.ljust(width)


def _shortened(text: str, width: int) -> str:
    """Return text cut in its middle: both ends of a machine's name tell it apart."""
    if len(text) <= width:
        return text
    tail = (width - len(CUT)) // 2
    return text[: width - len(CUT) - tail] + CUT + text[-tail:]


def _wrapped(fact: Fact, width: int) -> Text:
    """Return the sentence in a column of its own right of the labels, cost parts coloured."""
    from rich.text import Text

    indent = " " * LABEL_CELLS
    wrapped = textwrap.fill(
        fact.text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
    text = Text(wrapped[len(fact.label) :])
    if fact.label == COST_LABEL:
        for name, colour in PART_COLOURS.items():
            text.highlight_words([name], colour)
    return text
