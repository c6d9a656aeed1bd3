"""`finsched events`: what happened, one line an event."""

from __future__ import annotations

from typing import Annotated

import typer

from finsched.cli.arguments import RunArgument


def events(
    run: RunArgument = None,
    every_run: Annotated[bool, typer.Option("--all", help="The events of every run.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay until the run ends; with --all, for ever.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From then on: 12h ago, or 2026-11-22T08:00."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Print the ledger's events, oldest first, one a line."""
    from finsched.api import event_log
    from finsched.cli.render.event_lines import EventLines, JsonLines

    lines = JsonLines() if as_json else EventLines(every_run=every_run)
    for state, record in event_log.events(run, every_run=every_run, since=since, follow=follow):
        lines.tell(state, record)
    return 0
