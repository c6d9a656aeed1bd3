"""`finsched logs`: what the job printed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from finsched.cli.arguments import RunArgument


def logs(
    run: RunArgument = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay until it ends.")] = False,
    attempt: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="One attempt only; all in order if left out."),
    ] = None,
    node: Annotated[
        int, typer.Option(min=0, metavar="N", help="Of a run with several nodes; 0 is the first.")
    ] = 0,
) -> int:
    """Print the output of a run's attempts; declared secrets are shown as ***."""
    from finsched.api import running

    for piece in running.output(run, attempt=attempt, node=node, follow=follow):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return 0
