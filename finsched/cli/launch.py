"""`finsched launch`: quote, admit, start, watch over, resume, account."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def launch(
    job: Annotated[Path, typer.Argument(help="The job file.")],
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Run it here as if there, to prove that it resumes.")
    ] = False,
    interruptions: Annotated[
        int | None,
        typer.Option(min=0, help="Rehearsal: how many machines are taken back; 2 if left out."),
    ] = None,
    hazard: Annotated[
        float | None, typer.Option(min=0, help="Rehearsal: interruptions an hour, by chance.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Rehearsal: the same seed, the same points.")] = 0,
    speed: Annotated[
        float | None, typer.Option(min=0.1, help="Rehearsal: seconds there in one second here.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="USD, in place of budget.max_cost.")
    ] = None,
    max_hourly: Annotated[
        float | None, typer.Option(min=0, help="USD, in place of budget.max_hourly.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Where checkpoints go, in place of checkpoint.uri.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The account as JSON.")] = False,
) -> int:
    """Place the job on the cheapest feasible placement and carry it to its end."""
    from finsched.api import running
    from finsched.cli.render.conclusion import conclude
    from finsched.cli.render.watch import watching
    from finsched.errors import SpecError

    if not rehearse and (interruptions, hazard, speed) != (None, None, None):
        raise SpecError("--interruptions, --hazard and --speed rehearse", fix="add --rehearse")
    if interruptions is not None and hazard is not None:
        raise SpecError("--interruptions and --hazard exclude each other", fix="give one of them")
    request = None
    if rehearse:
        request = running.RehearsalRequest(
            seed=seed, interruptions=interruptions, hazard_per_hour=hazard, speed=speed
        )
    with watching() as listener:
        run = running.launch(
            job,
            rehearse=request,
            max_cost_usd=max_cost,
            max_hourly_usd=max_hourly,
            store=store,
            listener=listener,
        )
    return conclude(run, as_json=as_json)
