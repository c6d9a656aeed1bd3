"""`finsched report`: what a run cost, attempt by attempt."""

from __future__ import annotations

from typing import Annotated

import typer

from finsched.cli.arguments import RunArgument


def report(
    run: RunArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="The account as JSON.")] = False,
) -> int:
    """Account for a run: every attempt at its price, and what on-demand would have cost."""
    from finsched.api import running
    from finsched.cli.output import console, print_json
    from finsched.cli.render.account import account_document, print_account

    account = running.report(run)
    if as_json:
        print_json(account_document(account))
    else:
        print_account(account, console())
    return 0
