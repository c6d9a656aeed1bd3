"""`finsched queue`: the runs that were handed over, and what they wait for."""

from __future__ import annotations

from typing import Annotated

import typer


def queue(
    as_json: Annotated[bool, typer.Option("--json", help="The list as JSON.")] = False,
) -> int:
    """List the runs that the background process carries, and those that wait for their turn."""
    from finsched.api import hosting
    from finsched.cli.output import console, print_json
    from finsched.cli.render.queue import print_queue, queue_document

    held = hosting.queue()
    if as_json:
        print_json(queue_document(held))
    else:
        print_queue(held, console())
    return 0
