"""`finsched report`: what a run cost, attempt by attempt."""

from __future__ import annotations

from typing import Annotated

import typer


def report(
    run: Annotated[
        str | None, typer.Argument(help="The run, or its beginning; the newest if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The account as JSON.")] = False,
) -> int:
    """Account for a run: all attempts at the prices in force, and what on-demand had cost."""
    from finsched.api import running
    from finsched.cli.output import console, print_json
    from finsched.cli.render.account import account_document, print_account

    account = running.report(run)
    if as_json:
        print_json(account_document(account))
    else:
        print_account(account, console())
    return 0
