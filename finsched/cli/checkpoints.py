"""`finsched checkpoints`: what a run has saved, and what of it is to be kept for good."""

from __future__ import annotations

from typing import Annotated

import typer

from finsched.cli.arguments import RunArgument


def checkpoints(
    run: RunArgument = None,
    pin: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Keep checkpoint N for good.")
    ] = None,
    unpin: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Keep it no longer than others.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The list as JSON.")] = False,
) -> int:
    """List a run's checkpoints, with what is kept of them; pin one to keep it for good."""
    from finsched.api.checkpoints import checkpoints as survey
    from finsched.cli.output import console, print_json
    from finsched.cli.render.checkpoints import checkpoint_document, print_checkpoints

    found, each = survey(run, pin=pin, unpin=unpin)
    if as_json:
        print_json({"run": found.id, "checkpoints": [checkpoint_document(kept) for kept in each]})
    else:
        print_checkpoints(found, each, console())
    return 0
