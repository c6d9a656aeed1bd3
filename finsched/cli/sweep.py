"""`finsched sweep`: what was left behind at the providers, and its deletion."""

from __future__ import annotations

from typing import Annotated

import typer


def sweep(
    providers: Annotated[
        list[str] | None, typer.Argument(metavar="PROVIDER", help="Only these; all if left out.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Delete what is left over; without it nothing changes.")
    ] = False,
    run: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Only what belongs to this run, which you give up."),
    ] = None,
    stores: Annotated[
        bool, typer.Option("--stores", help="Also list what ended runs keep in their stores.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What was found as JSON.")] = False,
) -> int:
    """Find what ended runs left behind at the providers; delete it with --apply."""
    from finsched.api import sweeping
    from finsched.cli.output import console, print_json
    from finsched.cli.render.sweep import (
        exit_code,
        print_stores,
        print_survey,
        survey_document,
    )

    survey = sweeping.sweep(
        providers or (), run=run, apply=apply, told=lambda text: typer.echo(text, err=True)
    )
    kept = sweeping.stores() if stores else None
    if as_json:
        print_json(survey_document(survey, applied=apply, stores=kept))
    else:
        print_survey(survey, console(), applied=apply)
        print_stores(kept or (), console())
    return exit_code(survey)
