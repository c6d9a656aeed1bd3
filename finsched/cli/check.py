"""`finsched check`: would a launch work from here?"""

from __future__ import annotations

from typing import Annotated

import typer


def check(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROVIDER|JOB.YAML", help="Providers, and a job file; all if none."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
) -> int:
    """Try out what a launch needs, and say how to mend what is missing; nothing is bought."""
    from finsched.api import checking
    from finsched.cli.output import console, print_json
    from finsched.cli.render.check import checks_document, exit_code, print_checks

    providers, job = _split(what or [])
    checks = checking.check(providers, job=job)
    if as_json:
        found = list(checks)
        print_json(checks_document(found))
    else:
        found = print_checks(checks, console())
    return exit_code(found)


def _split(what: list[str]) -> tuple[list[str], str | None]:
    """Tell job files, which have an ending or a folder in their names, from providers."""
    from finsched.errors import SpecError

    jobs = [each for each in what if each.endswith((".yaml", ".yml")) or "/" in each]
    if len(jobs) > 1:
        raise SpecError("check takes one job file at a time", fix="run it once for each")
    return [each for each in what if each not in jobs], jobs[0] if jobs else None
