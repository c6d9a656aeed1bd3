"""`finsched resume`: go on with a run from its last committed checkpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from finsched.cli.arguments import RunArgument, finite


def resume(
    run: RunArgument = None,
    max_cost: Annotated[
        float | None,
        typer.Option(min=0, callback=finite, metavar="USD", help="A new budget.max_cost."),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="A new deadline from now on, such as 12h."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Hand it to the process that holds runs, and return.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The account as JSON.")] = False,
) -> int:
    """Go on with a run that stopped, failed or lost its launcher, from its last checkpoint."""
    from finsched.api import hosting, running
    from finsched.cli.render.conclusion import conclude
    from finsched.cli.render.queue import print_handed_over
    from finsched.cli.render.watch import watching

    if detach or hosting.is_handed_over(run):
        handed = hosting.hand_over(run, max_cost_usd=max_cost, deadline=deadline)
        print_handed_over(handed, as_json=as_json)
        return 0
    with watching() as listener:
        ended = running.resume(run, max_cost_usd=max_cost, deadline=deadline, listener=listener)
    return conclude(ended, as_json=as_json)
