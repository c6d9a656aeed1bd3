"""`finsched check`: would a launch work from here?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from finsched.api.checking import Checked


def check(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROVIDER|JOB.YAML", help="Providers, and a job file; all if none."),
    ] = None,
    live_smoke: Annotated[
        bool,
        typer.Option("--live-smoke", help="Then buy the cheapest machine of a provider, briefly."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Buy it without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
) -> int:
    """Try out what a launch needs, and say how to mend what is missing; nothing is bought."""
    from finsched.api import checking
    from finsched.cli.output import console, print_json
    from finsched.cli.render.check import checks_document, exit_code, print_checks, print_conclusion

    providers, job = _split(what or [])
    if live_smoke:
        _refuse_unclear(providers, yes=yes)
    checks = checking.check(providers, job=job)
    found = list(checks) if as_json else print_checks(checks, console())
    if live_smoke and not exit_code(found):
        found.append(_smoke(providers[0], yes=yes))
        if not as_json:
            print_checks(found[-1:], console())
    if as_json:
        print_json(checks_document(found))
    else:
        print_conclusion(found, console())
    return exit_code(found)


def _split(what: list[str]) -> tuple[list[str], str | None]:
    """Tell job files, which have an ending or a folder in their names, from providers."""
    from finsched.errors import SpecError

    jobs = [each for each in what if each.endswith((".yaml", ".yml")) or "/" in each]
    if len(jobs) > 1:
        raise SpecError("check takes one job file at a time", fix="run it once for each")
    return [each for each in what if each not in jobs], jobs[0] if jobs else None


def _refuse_unclear(providers: list[str], *, yes: bool) -> None:
    """Nobody who cannot be asked buys something without having said so."""
    import sys

    from finsched.errors import SpecError

    if len(providers) != 1:
        raise SpecError("--live-smoke buys a machine of one provider", fix="name it")
    if not yes and not sys.stdin.isatty():
        raise SpecError("--live-smoke buys a machine, and nobody can be asked", fix="add --yes")


def _smoke(provider: str, *, yes: bool) -> Checked:
    from finsched.api import smoking
    from finsched.cli.output import money
    from finsched.cli.render.watch import watching
    from finsched.cli.render.words import place_and_machine

    planned = smoking.plan(provider)
    minutes = smoking.LIMIT.total_seconds() / 60
    typer.echo(
        f"live smoke: {place_and_machine(planned.offer)}, at most {money(planned.most_usd)}"
        f" ({minutes:.0f} min at {money(planned.offer.price_usd_per_hour)}/h)",
        err=True,
    )
    if not yes:
        typer.confirm("buy it?", abort=True, err=True)
    with watching() as listener:
        return smoking.smoke(planned, listener)
