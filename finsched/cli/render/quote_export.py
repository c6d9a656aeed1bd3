"""Quotes for other programs and pages: CSV of every figure, Markdown of what people read."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from finsched.cli.render.quote_cells import Column, columns, legend
from finsched.cli.render.quote_document import (
    COST_PARTS,
    HOUR_PARTS,
    cost_document,
    hours_document,
    quote_document,
)
from finsched.cli.render.quote_summary import Section
from finsched.cli.render.shortlist import ShortlistLine
from finsched.model.quote import Decision, Quote

CSV_COLUMNS = (
    "rank",
    "provider",
    "region",
    "zone",
    "instance_type",
    "capacity_type",
    "tier",
    "gpu",
    "gpu_count",
    "nodes",
    "launchable",
    "price_usd_per_hour",
    *COST_PARTS,
    "total_usd",
    "expected_hours",
    *(f"{part}_hours" for part in HOUR_PARTS),
    "hazard_per_hour",
    "expected_interruptions",
    "deadline_probability",
    "checkpoint_every_seconds",
    "speedup",
    "price_source",
    "price_as_of",
    "price_quality",
    "marks",
)


def print_csv(decision: Decision, top: int | None = None) -> None:
    """Print every quote as one CSV row under a header."""
    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for rank, quote in enumerate(decision.quotes[:top], start=1):
        writer.writerow({"rank": rank, **_csv_row(quote, decision.launchable)})


def _csv_row(quote: Quote, launchable: frozenset[str]) -> dict[str, Any]:
    document = quote_document(quote, launchable)
    hours = hours_document(quote.hours)
    price = quote.offer.evidence
    return {
        **document,
        **cost_document(quote.cost),
        "expected_hours": hours.pop("expected"),
        **{f"{part}_hours": value for part, value in hours.items()},
        "hazard_per_hour": document["interruptions"]["hazard_per_hour"],
        "expected_interruptions": document["interruptions"]["expected"],
        "price_source": price.source,
        "price_as_of": price.as_of,
        "price_quality": price.quality.value,
        "marks": "; ".join(quote.marks),
    }


def print_markdown(
    heading: str,
    lines: Sequence[ShortlistLine],
    decision: Decision,
    sections: Sequence[Section],
) -> None:
    """Print the table and what to know of it as Markdown, for a pull request's comment."""
    sys.stdout.write(f"### {_escaped(heading)}\n\n")
    if lines:
        sys.stdout.writelines(f"{row}\n" for row in _table(lines, decision))
        sys.stdout.write(f"\n<sub>{_escaped(legend(lines, decision.basis))}</sub>\n\n")
    for section in sections:
        for fact in section:
            sys.stdout.write(f"- **{fact.label}**: {_escaped(fact.text)}\n")


def _table(lines: Sequence[ShortlistLine], decision: Decision) -> Iterator[str]:
    chosen = columns(lines, decision.basis, decision.as_of.date())
    yield _markdown_row([column.heading for column in chosen])
    yield _markdown_row(["---:" if column.numeric else "---" for column in chosen])
    for line in lines:
        yield _markdown_row(_bold_best(line, chosen))


def _bold_best(line: ShortlistLine, chosen: Sequence[Column]) -> list[str]:
    cells = [_escaped(column.cell(line)) for column in chosen]
    return [f"**{cell}**" for cell in cells] if line.rank == 1 else cells


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Return text in which Markdown finds nothing to format."""
    for sign in "\\`*_|<~":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
