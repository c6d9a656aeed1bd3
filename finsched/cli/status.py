"""`finsched status`: where a run stands, and what it has cost so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from finsched.cli.arguments import RunArgument

if TYPE_CHECKING:
    from datetime import datetime

    from finsched.model.run import Run


def status(
    run: RunArgument = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and follow it.")] = False,
    why: Annotated[
        bool, typer.Option("--why", help="Every event and decision, with what was weighed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The state as JSON.")] = False,
) -> int:
    """Show progress, what was spent, what an hour costs and what is at risk until the next save."""
    from finsched.api import looking

    if watch:
        _watch(run)
    state, now = looking.status(run)
    if as_json:
        _print_document(state, now, why=why)
    else:
        _print(state, now, why=why)
    return 0


def _watch(run: str | None) -> None:
    from finsched.api import looking
    from finsched.cli.render.watch import watching

    with watching() as listener:
        looking.follow(run, listener)


def _print_document(run: Run, now: datetime, *, why: bool) -> None:
    from finsched.api import looking
    from finsched.cli.output import print_json
    from finsched.cli.render.status import run_document

    document = run_document(run, now)
    if why:
        from finsched.cli.render.reasons import decisions

        document["decisions"] = decisions(looking.events(run.id))
    print_json(document)


def _print(run: Run, now: datetime, *, why: bool) -> None:
    from finsched.api import looking
    from finsched.cli.output import console
    from finsched.cli.render.status import print_status

    if why:
        from finsched.cli.render.reasons import print_reasons

        print_reasons(looking.events(run.id), console())
    print_status(run, now, console(), supervised=looking.supervised(run.id))
