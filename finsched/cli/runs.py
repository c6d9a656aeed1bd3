"""`finsched runs`: every run of this installation."""

from __future__ import annotations

from typing import Annotated

import typer


def runs(
    as_json: Annotated[bool, typer.Option("--json", help="The list as JSON.")] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many, newest first.")] = 20,
) -> int:
    """List the runs, newest first."""
    from finsched.api import looking
    from finsched.cli.output import console, print_json
    from finsched.cli.render.status import print_runs, run_document

    found = looking.runs(limit)
    if as_json:
        print_json({"runs": [run_document(run, now) for run, now in found]})
    else:
        print_runs(found, console())
    return 0
