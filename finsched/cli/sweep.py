"""`finsched sweep`: what was left behind at providers and in stores, and its deletion."""

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
        list[str] | None,
        typer.Option(metavar="RUN", help="Only what belongs to this run, given up; repeatable."),
    ] = None,
    stores: Annotated[
        bool, typer.Option("--stores", help="Also what ended runs keep in their stores.")
    ] = False,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="30D", help="With --stores: those of runs that finished so long ago."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="What was found as JSON.")] = False,
) -> int:
    """Find what ended runs left behind at the providers; delete it with --apply."""
    from finsched.api import sweeping
    from finsched.cli.output import console, print_json
    from finsched.cli.render.stores import deleting, print_stores
    from finsched.cli.render.sweep import exit_code, print_survey, survey_document

    if older_than and not stores:
        raise typer.BadParameter("--older-than is about stores: add --stores")
    survey = sweeping.sweep(
        providers or (), runs=run or (), apply=apply, told=lambda text: typer.echo(text, err=True)
    )
    kept = None
    if stores:
        kept = sweeping.stores(
            runs=run or (),
            older_than=older_than,
            apply=apply,
            told=lambda store: typer.echo(deleting(store), err=True),
        )
    if as_json:
        print_json(survey_document(survey, applied=apply, stores=kept))
    else:
        print_survey(survey, console(), applied=apply)
        print_stores(kept or (), console(), applied=apply)
    return exit_code(survey, kept or ())
