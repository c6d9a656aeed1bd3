"""What a run decided at each step, and what it had to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from finsched.cli.output import duration, money
from finsched.cli.render.live import Lines
from finsched.model.event import Decided, Recorded, fold
from finsched.model.run import Choice

MOST_OPTIONS = 4


def print_reasons(records: Sequence[Recorded], out: Console) -> None:
    """Print every event of a run, and for each decision what was weighed."""
    lines = _Reasons(out)
    for index, record in enumerate(records):
        lines.heard(fold(records[: index + 1]), record)


def decisions(records: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Return every decision of a run as JSON, oldest first."""
    return [
        _document(record, record.event.choice)
        for record in records
        if isinstance(record.event, Decided)
    ]


class _Reasons(Lines):
    """The lines of the events, with what each decision weighed above its own."""

    def heard(self, run: Any, record: Recorded) -> None:
        super().heard(run, record)
        if isinstance(record.event, Decided):
            for word, sentence in _weighed(record.event.choice):
                self.tell("", word, sentence)


def _weighed(choice: Choice) -> Iterator[tuple[str, str]]:
    """The slack and the options, the cheapest first, with the chosen one marked."""
    if choice.slack_seconds is not None:
        yield "slack", f"{_hours(choice.slack_seconds)} beyond the work and a start on demand"
    if choice.options:
        yield "weighed", "expected cost to the end:"
    for option in choice.options[:MOST_OPTIONS]:
        mark = "*" if option.name == choice.target else " "
        usd = "" if option.expected_usd is None else money(option.expected_usd)
        yield "", f"{mark}{usd:>10}  {option.name}"
    if len(choice.options) > MOST_OPTIONS:
        yield "", f"   and {len(choice.options) - MOST_OPTIONS} dearer ones"


def _hours(seconds: float) -> str:
    return duration(seconds / 3600) if seconds >= 0 else f"-{duration(-seconds / 3600)}"


def _document(record: Recorded, choice: Choice) -> dict[str, Any]:
    return {
        "at": record.at.isoformat(),
        "step": choice.step,
        "target": choice.target,
        "why": choice.why,
        "slack_seconds": choice.slack_seconds,
        "options": [
            {"name": option.name, "expected_usd": option.expected_usd} for option in choice.options
        ],
    }
