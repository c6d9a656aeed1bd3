"""`finsched status`: where a run stands, and what it has cost so far."""

from __future__ import annotations

from typing import Annotated

import typer


def status(
    run: Annotated[
        str | None, typer.Argument(help="The run, or its beginning; the newest if left out.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and follow it.")] = False,
    why: Annotated[bool, typer.Option("--why", help="Every event, with its reason.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The state as JSON.")] = False,
) -> int:
    """Show progress, spend, burn and what is at risk since the last commit."""
    from finsched.api import running
    from finsched.cli.output import console, print_json
    from finsched.cli.render.status import print_events, print_status, run_document
    from finsched.cli.render.watch import watching

    if watch:
        with watching() as listener:
            running.follow(run, listener)
    state, now = running.status(run)
    if as_json:
        print_json(run_document(state, now))
        return 0
    if why:
        print_events(running.events(state.id), console())
    print_status(state, now, console())
    return 0
