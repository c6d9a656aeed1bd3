"""`finsched simulate JOB.YAML`: what the job costs and when it ends, in thousands of futures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finsched.cli.arguments import Clouds, Launchable, MaxHourly, finite
from finsched.cli.job_file import read_job

if TYPE_CHECKING:
    from finsched.api.simulating import Simulation
    from finsched.simulating.study import Progress


def simulate(
    job_file: Annotated[Path, typer.Argument(metavar="JOB.YAML", help="The job to simulate.")],
    *,
    futures: Annotated[
        int, typer.Option(min=1, max=1_000_000, metavar="N", help="How many futures to draw.")
    ] = 2000,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed, the same futures.")] = 0,
    policy: Annotated[
        str, typer.Option(metavar="NAME", help="Decide by this policy; production's if left out.")
    ] = "",
    compare: Annotated[
        bool, typer.Option("--compare", help="All policies, on the same futures.")
    ] = False,
    max_cost: Annotated[
        float | None,
        typer.Option(min=0, callback=finite, metavar="USD", help="Say the chance to stay below."),
    ] = None,
    max_hourly: MaxHourly = None,
    clouds: Clouds = "",
    launchable: Launchable = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page with plots.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Run the job through seeded futures of its market: the spread of cost, time and deadline.

    The policies are those of a launch; hazards are drawn from what is known of the pools.
    """
    from finsched.api import simulating

    job = read_job(job_file, max_cost, max_hourly, clouds)
    with _progress(futures) as progress:
        simulation = simulating.simulate(
            job,
            futures=futures,
            seed=seed,
            policy=policy or None,
            compare_policies=compare,
            launchable_only=launchable,
            progress=progress,
        )
    _show(simulation, html, json=json)


def _show(simulation: Simulation, html: Path | None, *, json: bool) -> None:
    if html:
        from finsched.cli.render.simulation_page import page

        html.write_text(page(simulation), "utf-8")
    if json:
        from finsched.cli.output import print_json
        from finsched.cli.render.simulation_document import simulation_document

        print_json(simulation_document(simulation))
    else:
        from finsched.cli.output import console
        from finsched.cli.render.simulation import print_simulation

        print_simulation(simulation, console())


@contextmanager
def _progress(futures: int) -> Iterator[Progress]:
    """Show on stderr how far it is, once it has taken a second: a bar, or lines when piped."""
    from finsched.cli.render.simulation_progress import Bar

    bar = Bar(futures)
    try:
        yield bar.done
    finally:
        bar.close()
