"""`finsched catalog refresh | status`: fresh prices, and how fresh they are."""

from __future__ import annotations

from typing import Annotated

import typer

from finsched.errors import ExitCode

HELP = "Fresh prices, and how fresh the known ones are."
PAST_DAYS = 90  # as long as AWS keeps spot prices


def refresh(
    providers: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROVIDER", help="Only these; all that are set up if left out."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="NAME", help="Only this region; repeatable."),
    ] = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history", help=f"Also how spot prices changed in the last {PAST_DAYS} days."
        ),
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1, max=86_400, metavar="SECONDS", help="Most to wait: 7, or 600 with --history."
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="POOL", help="Believe its prices; repeatable."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="What came, as JSON.")] = False,
) -> int:
    """Ask providers for their prices of this moment; quotes use them from then on."""
    from datetime import timedelta

    from finsched.api.refreshing import refresh as ask
    from finsched.cli.output import console, print_json
    from finsched.cli.render import catalog

    past = timedelta(days=PAST_DAYS) if history else None
    with catalog.progress_line(console(stderr=True)) as told:
        answers = ask(
            providers or (),
            regions=region or (),
            past=past,
            within=timedelta(seconds=timeout) if timeout else None,
            accept=accept or (),
            progress=told,
        )
    if json:
        print_json(catalog.refresh_document(answers))
    else:
        catalog.print_refresh(answers, console())
    return ExitCode.DONE if any(each.accepted for each in answers) else ExitCode.PROVIDER


def status(
    json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Show how old the prices of each provider are, and how its last refresh went."""
    from finsched.api.catalog_status import catalog_status
    from finsched.cli.output import console, print_json
    from finsched.cli.render import catalog

    found = catalog_status()
    if json:
        print_json(catalog.status_document(found))
    else:
        catalog.print_status(found, console())
