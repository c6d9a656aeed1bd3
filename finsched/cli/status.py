"""`finsched status`: where a run stands, and what it has cost so far."""

from __future__ import annotations

from typing import Annotated

import typer

from finsched.cli.arguments import RunArgument


def status(
    run: RunArgument = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and follow it.")] = False,
    why: Annotated[
        bool, typer.Option("--why", help="Every event and decision, with what was weighed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The state as JSON.")] = False,
) -> int:
    """Show progress, what was spent, what an hour costs and what is at risk until the next save."""
    from finsched.api import running
    from finsched.cli.output import console, print_json
    from finsched.cli.render.reasons import decisions, print_reasons
    from finsched.cli.render.status import print_status, run_document
    from finsched.cli.render.watch import watching

    if watch:
        with watching() as listener:
            running.follow(run, listener)
    state, now = running.status(run)
    told = running.events(state.id) if why else []
    if as_json:
        reasons = {"decisions": decisions(told)} if why else {}
        print_json({**run_document(state, now), **reasons})
        return 0
    if why:
        print_reasons(told, console())
    print_status(state, now, console(), supervised=running.supervised(state.id))
    return 0
